//! How several validators agree, in the shapes that pages are drawn from.

use dashboard::view;
use ledger::state::State;
use ledger::succession::Misbehaviour;

use crate::consensus::status::{Role, Status, ValidatorStatus};
use crate::limits::MISBEHAVIOURS_SHOWN_MAX;
use crate::reads;
use crate::shared::Shared;

/// The agreement beside the ledger's own word about the validators.
pub fn of(shared: &Shared, status: Status, state: &State) -> view::Agreement {
    let shown = state.misbehaviours();
    let newest = &shown[shown.len().saturating_sub(MISBEHAVIOURS_SHOWN_MAX)..];
    view::Agreement {
        role: match status.role {
            Role::Validator => view::NodeRole::Validator,
            Role::Gateway => view::NodeRole::Gateway,
        },
        name: status.name,
        height: status.height,
        round: status.round.into(),
        proposer: status.proposer,
        quorum: state.validators().quorum() as u64,
        validators: status.validators.into_iter().map(attendance).collect(),
        last_block_milliseconds: status.last_block_unix_milliseconds,
        stuck: status.stuck.map(|stuck| stuck.to_string()),
        change: state.scheduled_change().map(|scheduled| scheduled.change().to_string()),
        misbehaviours: newest.iter().map(|one| misbehaviour(shared, state, one)).collect(),
    }
}

fn misbehaviour(shared: &Shared, state: &State, shown: &Misbehaviour) -> view::Misbehaviour {
    // What a page says of it must not fail with the log: then the entry stands without a link.
    let entry = shared.entry(shown.entry_index).ok().flatten();
    view::Misbehaviour {
        validator: reads::validator_name(state, &shown.validator),
        kind: shown.kind.as_str().to_owned(),
        height: shown.height,
        round: shown.round.into(),
        transaction: entry.map(|entry| entry.id.to_string()),
    }
}

fn attendance(one: ValidatorStatus) -> view::Attendance {
    view::Attendance {
        name: one.name,
        is_self: one.is_self,
        is_connected: one.is_connected,
        missed_proposals: one.missed_proposals,
        last_signed_height: one.last_signed_height,
    }
}
