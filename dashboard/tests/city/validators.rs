//! The city with several validators: one of them has just missed its turn, one contradicted itself once.

use dashboard::view::*;

use super::{BEAT_SECONDS, City, GENESIS, HOSTILE_NAME, hex};

impl City {
    /// The same with four validators that make blocks.
    pub fn of_several(self) -> Self {
        let height = self.height();
        let one = |name: &str, is_connected, missed_proposals, last_signed_height| Attendance {
            name: name.to_owned(),
            is_self: name == "city",
            is_connected,
            missed_proposals,
            last_signed_height,
        };
        let shown = Misbehaviour {
            validator: HOSTILE_NAME.to_owned(),
            kind: "precommits".to_owned(),
            height: 17,
            round: 1,
            transaction: Some(hex(51_000, 1)),
        };
        let agreement = Agreement {
            role: NodeRole::Validator,
            name: "city".to_owned(),
            height: height + 1,
            round: 0,
            proposer: Some("utility".to_owned()),
            quorum: 3,
            validators: vec![
                one("city", false, 0, Some(height)),
                one("utility", true, 0, Some(height)),
                one("university", true, 2, Some(height.saturating_sub(3))),
                one(HOSTILE_NAME, false, 1_204, None),
            ],
            last_block_milliseconds: GENESIS + height * BEAT_SECONDS * 1_000,
            stuck: None,
            change: Some("add museum".to_owned()),
            misbehaviours: vec![shown],
        };
        Self { agreement: Some(agreement), ..self }
    }

    /// The same where too few of them are there.
    pub fn stuck(self) -> Self {
        let mut city = self.of_several();
        if let Some(agreement) = &mut city.agreement {
            agreement.validators[2].is_connected = false;
            agreement.round = 6;
            agreement.stuck = Some("no quorum: university not heard of".to_owned());
        }
        city
    }
}
