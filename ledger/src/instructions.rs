//! Carrying instructions out: for each its refusals in order of precedence, and only then what it changes.

use crate::account::AccountId;
use crate::execute::BlockBuilder;
use crate::instruction::{Instruction, InstructionRefusal};
use crate::ownership::Ownership;
use crate::registry::{Device, Position};
use crate::tariff::Tariff;
use crate::transfer::{Transfer, TransferReason};
use crate::validators::ValidatorChange;
use alloc::sync::Arc;
use devices::identity::{DeviceId, PublicKey};
use devices::instruction::VerifiedInstruction;
use devices::possession::Possession;

/// An instruction was carried out, or refused before anything was changed.
pub(crate) type Done = Result<(), InstructionRefusal>;

impl BlockBuilder<'_> {
    /// Carries out what `account` asks for in the entry of this index. Who signed is known already.
    pub(crate) fn carry_out<B: AsRef<[u8]>>(
        &mut self,
        account: AccountId,
        instruction: Instruction,
        signed: &VerifiedInstruction<B>,
        index: u64,
    ) -> Done {
        match instruction {
            Instruction::Enrol { public_key, owner, position } => {
                self.enrol(account, public_key, owner, position)
            }
            Instruction::Claim { kid, position, proof } => self.claim(account, kid, position, &proof, index),
            Instruction::TransferDevice { kid, to } => self.offer_device(account, kid, to),
            Instruction::AcceptDevice { kid } => self.accept_device(account, kid),
            Instruction::RotateKey { kid, new_key, proof } => self.rotate_key(account, kid, new_key, &proof),
            Instruction::RevokeDevice { kid, why } => self.revoke_device(account, kid, &why),
            Instruction::Transfer { to, amount_microtokens, memo } => {
                let reason = TransferReason::Transfer { memo };
                self.post(Transfer { debit: account, credit: to, amount_microtokens, reason }, index)
            }
            Instruction::Issue { to, amount_microtokens } => {
                if account != self.state.constants.treasury {
                    return Err(InstructionRefusal::NotTreasury);
                }
                let (debit, reason) = (self.state.constants.supply, TransferReason::Issue);
                self.post(Transfer { debit, credit: to, amount_microtokens, reason }, index)
            }
            Instruction::Correct { entry_index, from, to, amount_microtokens, why } => {
                let reason = TransferReason::Correct { entry_index, why };
                let transfer = Transfer { debit: from, credit: to, amount_microtokens, reason };
                self.correct(account, entry_index, transfer, index)
            }
            Instruction::SetTariff { tariff } => self.set_tariff(account, tariff),
            Instruction::AddValidator { version, validator } => {
                let change = ValidatorChange::Add(validator);
                self.approve_change(signed.public_key(), signed.envelope(), version, change)
            }
            Instruction::RemoveValidator { version, name } => {
                let change = ValidatorChange::Remove(name);
                self.approve_change(signed.public_key(), signed.envelope(), version, change)
            }
            Instruction::ReportMisbehaviour { evidence } => {
                self.report_misbehaviour(signed.public_key(), &evidence, index)
            }
        }
    }

    fn enrol(
        &mut self,
        account: AccountId,
        public_key: PublicKey,
        owner: Option<AccountId>,
        position: Option<Position>,
    ) -> Done {
        self.only_operator(account)?;
        self.not_enrolled(&public_key)?;
        owner.map_or(Ok(()), |owner| self.may_own(owner))?;
        position.map_or(Ok(()), check_position)?;
        let (height, time) = (self.height, self.time_unix_milliseconds);
        let device = Device::enrolled(public_key, Ownership::of(owner), position, height, time);
        self.admit(device);
        Ok(())
    }

    fn claim(
        &mut self,
        account: AccountId,
        kid: DeviceId,
        position: Position,
        proof: &[u8; 64],
        index: u64,
    ) -> Done {
        let device = self.known(kid)?;
        in_service(device)?;
        if device.owner().is_some() {
            return Err(InstructionRefusal::AlreadyOwned);
        }
        check_position(position)?;
        let claim = Possession::Claim { account: *account.as_bytes() };
        if !claim.holds(&device.public_key, &self.state.constants.network, proof) {
            return Err(InstructionRefusal::Possession);
        }
        self.device_mut(kid).stand_at(position);
        // The keys whose place this one took were the same device: what they earned and still earn is the owner's too.
        let mut next = Some(kid);
        while let Some(kid) = next {
            next = self.device_mut(kid).replaces();
            self.pass_to(account, kid);
            self.empty_escrow(account, kid, index);
        }
        Ok(())
    }

    /// Posts what waits in a device's escrow account to the owner that it now has.
    fn empty_escrow(&mut self, owner: AccountId, kid: DeviceId, index: u64) {
        let debit = self.state.escrow(kid);
        let amount_microtokens = self.state.balance_microtokens(debit);
        if amount_microtokens > 0 {
            let reason = TransferReason::Claim { kid };
            let transfer = Transfer { debit, credit: owner, amount_microtokens, reason };
            self.post(transfer, index).expect("an account's whole balance can be posted to another");
        }
    }

    fn offer_device(&mut self, account: AccountId, kid: DeviceId, to: Option<AccountId>) -> Done {
        let device = self.known(kid)?;
        if device.owner() != Some(account) {
            return Err(InstructionRefusal::NotOwner);
        }
        if to.is_none() && device.offered_to().is_none() {
            return Err(InstructionRefusal::NotOffered);
        }
        in_service(device)?;
        to.map_or(Ok(()), |to| self.may_own(to))?;
        if to == Some(account) {
            return Err(InstructionRefusal::SameOwner);
        }
        self.device_mut(kid).change(|rare| rare.offered_to = to);
        Ok(())
    }

    fn accept_device(&mut self, account: AccountId, kid: DeviceId) -> Done {
        let device = self.known(kid)?;
        if device.offered_to() != Some(account) {
            // A device that was revoked or replaced is offered to nobody.
            return Err(InstructionRefusal::NotOffered);
        }
        if !device.ownership.can_pass(self.time_unix_seconds()) {
            return Err(InstructionRefusal::TooManyOwners);
        }
        self.pass_to(account, kid);
        self.device_mut(kid).change(|rare| rare.offered_to = None);
        Ok(())
    }

    fn rotate_key(
        &mut self,
        account: AccountId,
        kid: DeviceId,
        new_key: PublicKey,
        proof: &[u8; 64],
    ) -> Done {
        let old = self.known(kid)?;
        self.owner_or_operator(account, old)?;
        in_service(old)?;
        self.not_enrolled(&new_key)?;
        let rotation = Possession::Rotation { replaced: kid, account: *account.as_bytes() };
        if !rotation.holds(&new_key, &self.state.constants.network, proof) {
            return Err(InstructionRefusal::Possession);
        }
        let (height, time) = (self.height, self.time_unix_milliseconds);
        let mut new = Device::enrolled(new_key, old.ownership.clone(), old.position, height, time);
        new.change(|rare| rare.replaces = Some(kid));
        let old = self.device_mut(kid);
        // It is the same sensor: a new key in mid-epoch gives no second helping of what the tariff pays a device, and
        // the epoch is judged as the one series that it is.
        new.tally = core::mem::take(&mut old.tally);
        new.active_from_unix_milliseconds = old.active_from_unix_milliseconds;
        old.retire(time, Some(new_key.kid()));
        self.admit(new);
        Ok(())
    }

    fn revoke_device(&mut self, account: AccountId, kid: DeviceId, why: &str) -> Done {
        let device = self.known(kid)?;
        self.owner_or_operator(account, device)?;
        in_service(device)?;
        says_why(why)?;
        let time = self.time_unix_milliseconds;
        self.device_mut(kid).retire(time, None);
        Ok(())
    }

    fn correct(&mut self, account: AccountId, entry_index: u64, transfer: Transfer, index: u64) -> Done {
        self.only_operator(account)?;
        if let TransferReason::Correct { why, .. } = &transfer.reason {
            says_why(why)?;
        }
        // The correction is the entry of the index `index`: only what stands before it can be set right.
        if entry_index >= index {
            return Err(InstructionRefusal::UnknownEntry);
        }
        let pool = self.state.constants.pool;
        if (transfer.debit == pool) == (transfer.credit == pool) {
            return Err(InstructionRefusal::NotPool);
        }
        self.post(transfer, index)
    }

    fn set_tariff(&mut self, account: AccountId, tariff: Tariff) -> Done {
        self.only_operator(account)?;
        let tariffs = &self.state.tariffs;
        if tariffs.pending().is_some() {
            return Err(InstructionRefusal::TariffPending);
        }
        let newest = tariffs.in_force().version;
        if newest.checked_add(1) != Some(tariff.version) {
            return Err(InstructionRefusal::TariffVersion);
        }
        tariff.validate().map_err(|_| InstructionRefusal::TariffInvalid)?;
        if tariffs.is_full() {
            return Err(InstructionRefusal::TooManyTariffs);
        }
        let from_epoch = self.state.epoch.saturating_add(1);
        Arc::make_mut(&mut self.state.tariffs).announce(from_epoch, tariff);
        Ok(())
    }

    fn only_operator(&self, account: AccountId) -> Done {
        if account == self.state.constants.operator { Ok(()) } else { Err(InstructionRefusal::NotOperator) }
    }

    fn owner_or_operator(&self, account: AccountId, device: &Device) -> Done {
        let may = device.owner() == Some(account) || account == self.state.constants.operator;
        if may { Ok(()) } else { Err(InstructionRefusal::NotOwner) }
    }

    fn may_own(&self, account: AccountId) -> Done {
        let constants = &self.state.constants;
        let system = account == constants.pool || account == constants.supply;
        if system { Err(InstructionRefusal::OwnerNotAllowed) } else { Ok(()) }
    }

    fn not_enrolled(&self, key: &PublicKey) -> Done {
        let enrolled = self.state.devices.contains_key(&key.kid());
        if enrolled { Err(InstructionRefusal::AlreadyEnrolled) } else { Ok(()) }
    }

    fn known(&self, kid: DeviceId) -> Result<&Device, InstructionRefusal> {
        self.state.device(kid).ok_or(InstructionRefusal::UnknownDevice)
    }

    fn device_mut(&mut self, kid: DeviceId) -> &mut Device {
        let device = self.state.devices.get_mut(&kid).map(Arc::make_mut);
        device.expect("devices are looked up first and never removed")
    }

    fn time_unix_seconds(&self) -> u64 {
        self.time_unix_milliseconds / 1_000
    }

    /// Puts a device into the registry.
    fn admit(&mut self, device: Device) {
        let kid = device.public_key.kid();
        if let Some(owner) = device.owner() {
            Arc::make_mut(self.state.owned.or_default(owner)).insert(kid);
        }
        self.state.devices.insert(kid, Arc::new(device));
    }

    /// Makes `owner` the owner of a device from this block's second on.
    fn pass_to(&mut self, owner: AccountId, kid: DeviceId) {
        let seconds = self.time_unix_seconds();
        let device = self.device_mut(kid);
        let former = device.owner();
        assert!(device.ownership.pass_to(owner, seconds), "whether it can pass was judged before");
        device.tally.claim(owner);
        if let Some(former) = former
            && let Some(kids) = self.state.owned.get_mut(&former)
        {
            let kids = Arc::make_mut(kids);
            kids.remove(&kid);
            if kids.is_empty() {
                self.state.owned.remove(&former);
            }
        }
        Arc::make_mut(self.state.owned.or_default(owner)).insert(kid);
    }
}

/// Whether readings of the device are still accepted.
fn in_service(device: &Device) -> Done {
    match device.retirement().map(|retirement| retirement.replaced_by) {
        None => Ok(()),
        Some(None) => Err(InstructionRefusal::DeviceRevoked),
        Some(Some(_)) => Err(InstructionRefusal::DeviceReplaced),
    }
}

fn check_position(position: Position) -> Done {
    if !position.is_on_earth() {
        return Err(InstructionRefusal::PositionOutOfRange);
    }
    if position.is_null_island() { Err(InstructionRefusal::PositionUnset) } else { Ok(()) }
}

fn says_why(why: &str) -> Done {
    if why.trim().is_empty() { Err(InstructionRefusal::WhyMissing) } else { Ok(()) }
}
