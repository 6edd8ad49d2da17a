//! How several validators agree, in the shapes that pages are drawn from.

use dashboard::view;
use ledger::state::State;

use crate::consensus::status::{Role, Status, ValidatorStatus};

/// The agreement beside the ledger's own word about the validators.
pub fn of(status: Status, state: &State) -> view::Agreement {
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
        change: None,
        misbehaviours: Vec::new(),
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
