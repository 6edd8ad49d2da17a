//! Whose each device was when, as the instructions in the log say; and which price list each epoch has.

use std::collections::BTreeMap;

use devices::DeviceId;
use ledger::account::AccountId;
use ledger::instruction::Instruction;

/// A device's owners.
#[derive(Clone, Debug, Default)]
struct Title {
    present: Option<AccountId>,
    /// Each with the Unix second in which the next one accepted.
    former: Vec<(AccountId, u64)>,
}

/// What instructions changed.
#[derive(Debug, Default)]
pub struct Owners {
    titles: BTreeMap<DeviceId, Title>,
    /// Versions of the price list by the epoch from which each is in force.
    tariffs: BTreeMap<u64, u32>,
}

/// What an instruction means for what was read already in the running epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// What the device sent while it had nobody is this owner's.
    FirstOwner(DeviceId, AccountId),
    /// What the first kid sent counts as the second one's: it is the same sensor.
    Replaced(DeviceId, DeviceId),
}

impl Owners {
    /// The first price list.
    pub fn new(tariff_version: u32) -> Owners {
        Owners { titles: BTreeMap::new(), tariffs: BTreeMap::from([(0, tariff_version)]) }
    }

    /// An instruction was carried out, in a block of this second and epoch.
    pub fn instructed(
        &mut self,
        signer: AccountId,
        instruction: &Instruction,
        unix_seconds: u64,
        epoch: u64,
    ) -> Option<Consequence> {
        match instruction {
            Instruction::Enrol { public_key, owner, .. } => {
                let title = Title { present: *owner, former: Vec::new() };
                self.titles.insert(public_key.kid(), title);
            }
            Instruction::Claim { kid, .. } => {
                self.titles.entry(*kid).or_default().present = Some(signer);
                return Some(Consequence::FirstOwner(*kid, signer));
            }
            Instruction::AcceptDevice { kid } => {
                let title = self.titles.entry(*kid).or_default();
                if let Some(before) = title.present.replace(signer) {
                    title.former.push((before, unix_seconds));
                }
            }
            Instruction::RotateKey { kid, new_key, .. } => {
                let title = self.titles.get(kid).cloned().unwrap_or_default();
                self.titles.insert(new_key.kid(), title);
                return Some(Consequence::Replaced(*kid, new_key.kid()));
            }
            Instruction::SetTariff { tariff } => {
                self.tariffs.insert(epoch + 1, tariff.version);
            }
            _ => {}
        }
        None
    }

    /// Whose a record of this second is.
    pub fn owner_at(&self, kid: DeviceId, unix_seconds: u64) -> Option<AccountId> {
        let title = self.titles.get(&kid)?;
        let former = title.former.iter().find(|(_, until)| unix_seconds < *until);
        former.map(|(owner, _)| *owner).or(title.present)
    }

    /// The version of the price list in force in an epoch.
    pub fn tariff_of(&self, epoch: u64) -> Option<u32> {
        self.tariffs.range(..=epoch).next_back().map(|(_, version)| *version)
    }

    /// The devices that have an owner.
    pub fn owned(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.titles.iter().filter(|(_, title)| title.present.is_some()).map(|(kid, _)| *kid)
    }
}
