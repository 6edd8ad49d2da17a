//! What is wrong with a device in words, and what its owner can do about it.

use crate::view::{Network, OwnAlert, OwnAlertKind, REFUSAL_REASONS};
use crate::{numbers, reasons};

/// What an owner does where much is refused, in the order of [`REFUSAL_REASONS`].
const REMEDIES: [&str; 8] = [
    "Its firmware writes what this network does not read: install a newer one.",
    "It signs with a key that nobody enrolled: enrol it, or give it back the identity it was enrolled with.",
    "It goes on sending after its service ended: switch it off.",
    "It signs with another key, or for another network: look at the identity that was flashed with its firmware.",
    "It sends what was accepted before: see that it reads the acks that the gateway publishes.",
    "It sends what it measured more than 30 days ago: see that its clock is right and that its link is not down for weeks.",
    "Its clock is ahead of the network's: let it set its time.",
    "It sends more than one device may send in an epoch: let it measure less often.",
];

/// What is wrong, in a sentence or two.
pub fn what(alert: &OwnAlert, network: &Network) -> String {
    match alert.kind {
        OwnAlertKind::Silent => reasons::status_sentence(&alert.device, network),
        OwnAlertKind::Refused { envelopes, reason } => format!(
            "{} refused, most as {}: {}.",
            numbers::counted(envelopes, "envelope was", "envelopes were"),
            REFUSAL_REASONS.get(reason).copied().unwrap_or("refused"),
            reasons::REFUSAL_MEANINGS.get(reason).copied().unwrap_or("for a reason that its page gives"),
        ),
    }
}

/// What to do.
pub fn remedy(kind: &OwnAlertKind) -> &'static str {
    match kind {
        OwnAlertKind::Silent => {
            "Look at its power and its network. What it measures meanwhile it keeps as far as its memory reaches, and sends \
             when it is back."
        }
        OwnAlertKind::Refused { reason, .. } => {
            REMEDIES.get(*reason).copied().unwrap_or("Its page says what was refused and why.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Device;

    #[test]
    fn every_reason_has_a_meaning_and_a_remedy() {
        for (reason, word) in REFUSAL_REASONS.iter().enumerate() {
            let kind = OwnAlertKind::Refused { envelopes: 12, reason };
            let said = what(&OwnAlert { device: Device::default(), kind }, &Network::default());
            assert!(said.starts_with(&format!("12 envelopes were refused, most as {word}: ")), "{said}");
            assert!(remedy(&kind).ends_with('.'), "{word}");
        }
        let unknown = OwnAlertKind::Refused { envelopes: 1, reason: 99 };
        assert_eq!(remedy(&unknown), "Its page says what was refused and why.");
    }
}
