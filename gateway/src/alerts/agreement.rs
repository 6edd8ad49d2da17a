//! What needs looking at where several validators agree: a height that stands still, with its cause; who is missing; who signed
//! what contradicts itself.

use super::Told;
use crate::consensus::status::{Role, Status, Stuck};

/// How the validators agree, as far as alerts are told from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Whether this node votes, or follows.
    pub role: Role,
    /// The height that is being decided.
    pub height: u64,
    /// Seconds since the last block.
    pub quiet_seconds: u64,
    /// Why no block comes, where none does.
    pub stuck: Option<Stuck>,
    /// Validators that this node has no connection to.
    pub missing: Vec<String>,
    /// All validators.
    pub validators: u64,
    /// How many of them decide.
    pub quorum: u64,
    /// Those of whom the ledger holds evidence.
    pub misbehaved: Vec<String>,
}

impl Agreement {
    /// That of a status at `now`, Unix milliseconds.
    pub fn of(
        status: &Status,
        quorum: u64,
        misbehaved: Vec<String>,
        now_unix_milliseconds: u64,
    ) -> Agreement {
        let missing = status.validators.iter().filter(|one| !one.is_self && !one.is_connected);
        let quiet = now_unix_milliseconds.saturating_sub(status.last_block_unix_milliseconds);
        Agreement {
            role: status.role,
            height: status.height,
            quiet_seconds: quiet / 1_000,
            stuck: status.stuck.clone(),
            missing: missing.map(|one| one.name.clone()).collect(),
            validators: status.validators.len() as u64,
            quorum,
            misbehaved,
        }
    }
}

/// A height that stands still.
pub(super) fn stuck(agreement: &Agreement) -> Told {
    let stuck = agreement.stuck.as_ref()?;
    let action = match stuck {
        Stuck::NoQuorum { .. } => {
            "Ask the operators of those named whether their nodes run, and whether a firewall stands between. Nothing that was acknowledged is lost; blocks come by themselves as soon as enough of them are back."
        }
        Stuck::Wal(_) => {
            "Stop this node, look at its disk, and read the network's guide before anything is deleted: a node that forgets its votes may contradict them."
        }
        Stuck::Disk => "Make room where the data directory lies: the node goes on by itself.",
        Stuck::Clock { .. } => "Set this machine's clock, and keep it set by a time server.",
    };
    let cause = format!(
        "No block has come for {} seconds at height {}: {stuck}.",
        agreement.quiet_seconds, agreement.height
    );
    Some((cause, action))
}

/// Validators that are not heard of, while blocks still come.
pub(super) fn missing(agreement: &Agreement) -> Told {
    let Agreement { missing, validators, quorum, .. } = agreement;
    if missing.is_empty() || matches!(agreement.stuck, Some(Stuck::NoQuorum { .. })) {
        return None;
    }
    let names = missing.join(", ");
    let left = validators.saturating_sub(missing.len() as u64).saturating_sub(*quorum);
    let rest = match (agreement.role, left) {
        (Role::Gateway, _) => {
            "This gateway goes on with the others; whether blocks go on being made is for the validators' pages to say.".to_owned()
        }
        (Role::Validator, 0) => "One more, and no block comes.".to_owned(),
        (Role::Validator, left) => format!("{left} more may be missing before no block comes."),
    };
    let cause = format!("{} of {validators} validators not heard of: {names}. {rest}", missing.len());
    Some((
        cause,
        "Ask their operators whether the nodes run, and whether their addresses and ports are those in this node's configuration.",
    ))
}

/// Validators of whom the ledger holds evidence.
pub(super) fn misbehaved(agreement: &Agreement) -> Told {
    let names = agreement.misbehaved.join(", ");
    (!names.is_empty()).then(|| {
        let cause = format!("The ledger holds evidence that these signed what contradicts itself: {names}.");
        (cause, "The audit page shows it. A restored disk or a key that runs twice does this as well as bad intent: agree with the other operators whether to remove the validator.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::status::ValidatorStatus;

    fn status(connected: [bool; 4]) -> Status {
        let names = ["city", "utility", "university", "operator"];
        let validators = names.into_iter().zip(connected).map(|(name, is_connected)| ValidatorStatus {
            name: name.to_owned(),
            is_self: name == "city",
            is_connected,
            missed_proposals: 0,
            last_signed_height: None,
        });
        Status {
            role: Role::Validator,
            name: "city".to_owned(),
            height: 41,
            round: 3,
            proposer: None,
            validators: validators.collect(),
            last_block_unix_milliseconds: 1_000,
            stuck: None,
        }
    }

    #[test]
    fn a_validator_that_is_itself_is_never_missing() {
        let agreement = Agreement::of(&status([false, true, true, true]), 3, Vec::new(), 5_999);
        assert_eq!((agreement.quiet_seconds, missing(&agreement), stuck(&agreement)), (4, None, None));
        assert_eq!(misbehaved(&agreement), None);
    }

    #[test]
    fn whoever_is_missing_is_named_with_what_it_means() {
        let agreement = Agreement::of(&status([true, true, false, true]), 3, Vec::new(), 0);
        let (cause, _) = missing(&agreement).unwrap();
        assert_eq!(cause, "1 of 4 validators not heard of: university. One more, and no block comes.");
        let gateway = Agreement { role: Role::Gateway, ..agreement };
        assert!(missing(&gateway).unwrap().0.contains("This gateway goes on"));
    }

    #[test]
    fn a_stuck_height_is_told_with_its_cause_and_not_twice() {
        let missing_two = vec!["university".to_owned(), "operator".to_owned()];
        let causes = [
            (Stuck::NoQuorum { missing: missing_two }, "university, operator not heard of"),
            (Stuck::Wal("input/output error".to_owned()), "input/output error"),
            (Stuck::Disk, "the disk is full"),
            (Stuck::Clock { behind_seconds: 3_600 }, "3600 s behind"),
        ];
        for ((cause, said), word) in causes.into_iter().zip(Stuck::WORDS) {
            assert_eq!(cause.as_str(), word);
            let status = Status { stuck: Some(cause), ..status([true, true, false, false]) };
            let agreement = Agreement::of(&status, 3, Vec::new(), 61_000);
            let (cause, action) = stuck(&agreement).unwrap();
            assert!(cause.starts_with("No block has come for 60 seconds at height 41: "), "{cause}");
            assert!(cause.contains(said) && action.ends_with('.'), "{cause}");
            assert_eq!(missing(&agreement).is_none(), word == "no_quorum", "{word}");
        }
    }
}
