//! How several validators agree, as the API says it.

use serde::Serialize;
use utoipa::ToSchema;

use super::instant::rfc3339;
use crate::consensus::status::{Status, Stuck, ValidatorStatus};
use crate::shared::Shared;

/// One validator, as this node sees it.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ValidatorView {
    /// Its name.
    #[schema(example = "utility")]
    name: String,
    /// Whether this node is it.
    is_self: bool,
    /// Whether this node has a connection to it.
    connected: bool,
    /// Its turns that went by without a block of it, since this node's start.
    missed_proposals: u64,
    /// The last height that it signed, as far as this node saw.
    last_signed_height: Option<u64>,
}

/// Why no block comes.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StuckView {
    /// `no_quorum`, `wal`, `disk` or `clock`.
    #[schema(example = "no_quorum")]
    cause: &'static str,
    /// The cause in words.
    #[schema(example = "no quorum: university, operator not heard of")]
    sentence: String,
    /// Validators of whom nothing is heard; empty for other causes.
    missing: Vec<String>,
}

/// How several validators agree.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Consensus {
    /// What this node is, `validator` or `gateway`.
    #[schema(example = "validator")]
    role: &'static str,
    /// Its name.
    #[schema(example = "city")]
    name: String,
    /// The height that is being decided.
    height: u64,
    /// The round in it; above 0 where a turn failed.
    round: u32,
    /// Whose turn it is.
    proposer: Option<String>,
    /// Validators that must agree.
    quorum: u64,
    /// All validators.
    validators: Vec<ValidatorView>,
    /// When the last block was committed here.
    #[schema(example = "2026-11-22T07:49:59.123Z")]
    last_block: String,
    /// Why no block comes; absent while blocks do.
    #[serde(skip_serializing_if = "Option::is_none")]
    stuck: Option<StuckView>,
}

/// The agreement; `None` where one validator alone decides.
pub fn describe(shared: &Shared) -> Option<Consensus> {
    let status = shared.consensus.status()?;
    let quorum = shared.state().validators().quorum() as u64;
    Some(of(status, quorum))
}

fn of(status: Status, quorum: u64) -> Consensus {
    Consensus {
        role: status.role.as_str(),
        name: status.name,
        height: status.height,
        round: status.round,
        proposer: status.proposer,
        quorum,
        validators: status.validators.into_iter().map(validator).collect(),
        last_block: rfc3339(status.last_block_unix_milliseconds),
        stuck: status.stuck.map(stuck),
    }
}

fn validator(one: ValidatorStatus) -> ValidatorView {
    ValidatorView {
        is_self: one.is_self,
        connected: one.is_connected || one.is_self,
        missed_proposals: one.missed_proposals,
        last_signed_height: one.last_signed_height,
        name: one.name,
    }
}

fn stuck(stuck: Stuck) -> StuckView {
    let (cause, sentence) = (stuck.as_str(), stuck.to_string());
    let missing = match stuck {
        Stuck::NoQuorum { missing } => missing,
        _ => Vec::new(),
    };
    StuckView { cause, sentence, missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::status::Role;

    #[test]
    fn a_stuck_height_names_its_cause_and_who_is_missing() {
        let one = |name: &str, is_self: bool| ValidatorStatus {
            name: name.to_owned(),
            is_self,
            is_connected: false,
            missed_proposals: 3,
            last_signed_height: Some(40),
        };
        let status = Status {
            role: Role::Gateway,
            name: "gateway-1".to_owned(),
            height: 41,
            round: 2,
            proposer: Some("utility".to_owned()),
            validators: vec![one("city", true), one("utility", false)],
            last_block_unix_milliseconds: 1_795_420_800_000,
            stuck: Some(Stuck::NoQuorum { missing: vec!["utility".to_owned()] }),
        };
        let json = serde_json::to_value(of(status.clone(), 2)).unwrap();
        assert_eq!(json["role"], "gateway");
        assert_eq!(json["stuck"]["missing"][0], "utility");
        assert_eq!(json["stuck"]["cause"], "no_quorum");
        assert_eq!(
            (&json["validators"][0]["connected"], &json["validators"][1]["connected"]),
            (&true.into(), &false.into())
        );
        let well = serde_json::to_value(of(Status { stuck: None, ..status }, 2)).unwrap();
        assert!(well.get("stuck").is_none(), "{well}");
    }
}
