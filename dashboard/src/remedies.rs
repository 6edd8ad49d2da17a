//! What is wrong with a device in words, and what its owner can do about it.

use crate::view::{Device, DeviceStatus, Network, OwnAlert, OwnAlertKind, REFUSAL_REASONS};
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

/// What to do about a device of which nothing is heard; "" where it is heard, or its page says more elsewhere.
pub fn of_silence(device: &Device) -> &'static str {
    match device.status {
        DeviceStatus::Silent => remedy(&OwnAlertKind::Silent),
        DeviceStatus::Revoked if device.replaced_by.is_none() => {
            "Its service does not begin again: switch it off, and have another device enrolled in its place."
        }
        _ => "",
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

    #[test]
    fn only_a_device_that_somebody_should_look_at_is_said_to_need_it() {
        let of = |status| of_silence(&Device { status, ..Device::default() });
        assert!(of(DeviceStatus::Silent).contains("power"));
        assert!(of(DeviceStatus::Revoked).contains("switch it off"));
        assert_eq!((of(DeviceStatus::Online), of(DeviceStatus::New)), ("", ""));
        let replaced_by = Some("be5de2f4bcdc383a".to_owned());
        let replaced = Device { status: DeviceStatus::Revoked, replaced_by, ..Device::default() };
        assert_eq!(of_silence(&replaced), "", "it goes on under its new key");
    }

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
