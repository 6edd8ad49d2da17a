//! The two steps in which a device changes hands: its owner offers it, the other account accepts.

use askama::Template;

use super::Shell;
use super::signing::Scripts;
use super::typed;
use crate::limits::TYPED_CHARACTERS_MAX;
use crate::marks::Link;
use crate::view::{Device, DevicePage as Answer, DeviceStatus};

/// The owner's step.
#[derive(Debug, Template)]
#[template(path = "transfer.html")]
pub struct TransferPage {
    shell: Shell,
    scripts: Option<Scripts>,
    device: Device,
    to: String,
    command: Option<String>,
    complaint: Option<&'static str>,
}

super::is_a_page!(TransferPage);

/// The command that offers a device, or withdraws the offer where no account is named.
fn command(kid: &str, to: &str, node: &str) -> Result<String, &'static str> {
    let what = match typed::account(to) {
        Some(account) => format!("--to {account}"),
        None if to.trim().is_empty() => "--withdraw".to_owned(),
        None => return Err("An account's id begins with lamp1 and has 63 letters and digits."),
    };
    Ok(format!("lamppost device transfer {kid} {what} --key owner.pem --node {node}"))
}

impl TransferPage {
    /// The page of a device, with the account that was typed; `None` where somebody just comes.
    pub fn new(answer: Answer, to: Option<String>) -> Self {
        let (device, network) = (answer.device, answer.network);
        let made = to.as_ref().map(|to| command(&device.kid, to, &network.http_url));
        let (command, complaint) = match made {
            Some(Ok(command)) => (Some(command), None),
            Some(Err(complaint)) => (None, Some(complaint)),
            None => (None, None),
        };
        let path = format!("/devices/{}/transfer", device.kid);
        Self {
            shell: Shell::new(format!("Hand on device {}", device.kid), path, network, false),
            scripts: Scripts::of_forms(),
            to: to.unwrap_or_default().chars().take(TYPED_CHARACTERS_MAX).collect(),
            device,
            command,
            complaint,
        }
    }

    /// Why this reader cannot do it, as far as is known.
    fn obstacle(&self) -> Option<&'static str> {
        let account = self.shell.viewer.account();
        match (&self.device.owner, account) {
            _ if self.device.status == DeviceStatus::Revoked => {
                Some("This device is out of service: the ledger refuses to hand it on.")
            }
            (None, _) => Some("Nobody owns this device, so nobody can offer it. It is claimed first."),
            (Some(owner), Some(account)) if owner != account => Some(
                "You are signed in as somebody else than its owner: the ledger takes the owner's signature alone.",
            ),
            _ => None,
        }
    }
}

/// The other account's step.
#[derive(Debug, Template)]
#[template(path = "accept.html")]
pub struct AcceptPage {
    shell: Shell,
    scripts: Option<Scripts>,
    device: Device,
}

super::is_a_page!(AcceptPage);

impl AcceptPage {
    /// The page of a device.
    pub fn new(answer: Answer) -> Self {
        let (device, network) = (answer.device, answer.network);
        let path = format!("/devices/{}/accept", device.kid);
        Self {
            shell: Shell::new(format!("Accept device {}", device.kid), path, network, false),
            scripts: Scripts::of_forms(),
            device,
        }
    }

    /// Why this reader cannot do it, as far as is known.
    fn obstacle(&self) -> Option<&'static str> {
        let (offered, account) = (self.device.offered_to.as_deref(), self.shell.viewer.account());
        (account.is_some() && offered.is_some() && account != offered).then_some(
            "You are signed in as somebody else than it is offered to: the ledger takes their signature alone.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_names_an_account_and_a_withdrawal_none() {
        let node = "http://127.0.0.1:8080";
        let to = format!("lamp1{}", "q".repeat(58));
        let offer = command("be5de2f4bcdc383a", &to, node).expect("a command");
        assert!(offer.starts_with("lamppost device transfer be5de2f4bcdc383a --to lamp1qq"), "{offer}");
        let withdrawal = command("be5de2f4bcdc383a", " ", node).expect("a command");
        assert!(withdrawal.contains(" --withdraw --key owner.pem "), "{withdrawal}");
        assert!(command("be5de2f4bcdc383a", "lamp1; reboot", node).is_err());
    }
}
