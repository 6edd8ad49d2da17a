//! Words for what figures leave open: why an amount is zero, what a refusal means, how a device does.

use crate::view::{AccountRole, Device, DeviceCounts, DeviceStatus, Network, StatementLine};
use crate::{moments, numbers};

/// What a refusal's reason means, in the order of [`crate::view::REFUSAL_REASONS`].
pub const REFUSAL_MEANINGS: [&str; 8] = [
    "not an envelope that this network reads",
    "signed with a key that nobody enrolled",
    "sent by a device that is admitted no more",
    "the signature is not this device's, or was made for another network",
    "counted before; paid once",
    "measured more than 30 days ago",
    "measured more than 5 minutes ahead of the network's time",
    "more than one device may send in an epoch",
];

/// A status' word.
pub fn status(status: DeviceStatus) -> &'static str {
    match status {
        DeviceStatus::New => "new",
        DeviceStatus::Online => "online",
        DeviceStatus::Silent => "silent",
        DeviceStatus::Revoked => "revoked",
    }
}

/// What a device's status means just now.
pub fn status_sentence(device: &Device, network: &Network) -> String {
    let heard = device.last_reading_milliseconds;
    let silence = heard.map(|then| network.now_milliseconds.saturating_sub(then) / 1_000);
    match (device.status, silence) {
        (DeviceStatus::New, _) => "Enrolled; nothing it sent has been accepted yet.".to_owned(),
        (DeviceStatus::Online, _) => "Sending: its readings are current.".to_owned(),
        (DeviceStatus::Silent, Some(seconds)) => format!(
            "Silent for {}: nothing accepted for longer than {}. What is shown is its last word.",
            moments::duration(seconds),
            moments::duration(network.silent_after_seconds)
        ),
        (DeviceStatus::Silent, None) => "Silent: nothing it sent has ever been accepted.".to_owned(),
        (DeviceStatus::Revoked, _) if device.replaced_by.is_some() => {
            "Replaced: it goes on under a new key, and what comes under this one is refused.".to_owned()
        }
        (DeviceStatus::Revoked, _) => "Revoked: what it sends is refused and earns nothing.".to_owned(),
    }
}

/// `1 silent, 2 new`: what of a fleet is not online, or that all of it is.
pub fn fleet(counts: &DeviceCounts) -> String {
    let others = [(counts.silent, "silent"), (counts.new, "new"), (counts.revoked, "revoked")];
    let said: Vec<String> = others
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", numbers::grouped(*count)))
        .collect();
    match (counts.total(), said.is_empty()) {
        (0, _) => "none is enrolled yet".to_owned(),
        (_, true) => "all of them".to_owned(),
        (_, false) => said.join(", "),
    }
}

/// Why a device has earned nothing in the running epoch; `None` when it has.
pub fn epoch_zero(device: &Device, network: &Network) -> Option<String> {
    if device.earned_epoch_microtokens > 0 {
        return None;
    }
    Some(match device.status {
        DeviceStatus::Revoked if device.replaced_by.is_some() => {
            "replaced: earns under its new key".to_owned()
        }
        DeviceStatus::Revoked => "revoked: earns no more".to_owned(),
        DeviceStatus::New => "no reading accepted yet".to_owned(),
        _ if device.accepted_epoch.records == 0 => {
            format!("nothing accepted in epoch {} yet", network.epoch)
        }
        _ => "what it sent so far pays nothing: its lines say why".to_owned(),
    })
}

/// Why a device has earned nothing in all; `None` when it has.
pub fn total_zero(device: &Device, network: &Network) -> Option<String> {
    if device.earned_total_microtokens > 0 {
        return None;
    }
    Some(if device.accepted.records == 0 {
        "no reading accepted yet".to_owned()
    } else if device.statements_total == 0 {
        format!("first statement when epoch {} closes", network.epoch)
    } else {
        "its statements say why".to_owned()
    })
}

/// Why no device has earned anything yet; `None` when some have.
pub fn network_total_zero(network: &Network) -> Option<String> {
    if network.earned_total_microtokens > 0 {
        return None;
    }
    Some(if network.devices.total() == 0 {
        "no device is enrolled".to_owned()
    } else if network.accepted.records == 0 {
        "no reading has been accepted yet".to_owned()
    } else {
        format!("first statements when epoch {} closes", network.epoch)
    })
}

/// Why nobody has earned anything in the running epoch; `None` when some have.
pub fn network_epoch_zero(network: &Network) -> Option<String> {
    if network.earned_epoch_microtokens > 0 {
        return None;
    }
    Some(if network.devices.total() == 0 {
        "no device is enrolled".to_owned()
    } else if network.devices.online == 0 {
        "no device is sending".to_owned()
    } else {
        "nothing that pays was accepted in it yet".to_owned()
    })
}

/// Why a statement's line is zero or less than what was accepted; "" where price times accepted is all there is.
pub fn line(line: &StatementLine) -> String {
    if let Some(reason) = &line.reason {
        return reason.clone();
    }
    if line.accepted_records == 0 {
        "nothing accepted in this epoch".to_owned()
    } else if line.price_microtokens == 0 {
        "the tariff pays nothing for it".to_owned()
    } else if line.paid_records < line.accepted_records {
        format!("capped: at most {} paid", line.paid_records)
    } else {
        String::new()
    }
}

/// What an account is, in a sentence.
pub fn role(role: AccountRole) -> &'static str {
    match role {
        AccountRole::Holder => "Somebody's account: one key owns its devices and tokens.",
        AccountRole::Pool => "The reward pool: every statement is paid from it when an epoch closes.",
        AccountRole::Treasury => "The city's treasury.",
        AccountRole::Operator => "The operator: admits devices.",
        AccountRole::Escrow => "An escrow: holds what a device earns until somebody owns it.",
        AccountRole::Supply => "The supply: the other side of every token that was ever issued.",
    }
}
