//! The state of the ledger: accounts, registry, tariff, the log's edge and the running epoch. What changes it is in
//! `execute`; here is how it begins and what can be asked of it.

use crate::account::{Account, AccountId};
use crate::approval::Approval;
use crate::block::{Block, BlockResults};
use crate::book::Book;
use crate::checkpoint::Checkpoint;
use crate::execute::BlockBuilder;
use crate::genesis::Genesis;
use crate::handovers::Handovers;
use crate::instruction::InstructionRefusal;
use crate::limits::{AGE_SECONDS_MAX, ENVELOPES_PER_DEVICE_EPOCH_MAX, FUTURE_SECONDS_MAX};
use crate::merkle::{Frontier, Hash, leaf_hash};
use crate::registry::Device;
use crate::sharded::Sharded;
use crate::succession::{Misbehaviour, ScheduledChange, Succession};
use crate::tariff::Tariff;
use crate::tariffs::Tariffs;
use crate::transaction::RefusedCounts;
use crate::transfer::{Transfer, TransferReason};
use crate::validators::Validators;
use crate::workers::{Sequential, Workers};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use devices::identity::{DeviceId, PublicKey};
use devices::instruction::{SignedInstruction, VerifiedInstruction};
use devices::reading::SignedReading;
use devices::refusal::Refusal;

/// What of the genesis document stays in force for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constants {
    pub(crate) network: String,
    pub(crate) origin: String,
    pub(crate) genesis_hash: Hash,
    pub(crate) genesis_milliseconds: u64,
    pub(crate) epoch_milliseconds: u64,
    pub(crate) operator: AccountId,
    pub(crate) treasury: AccountId,
    pub(crate) pool: AccountId,
    pub(crate) supply: AccountId,
}

impl Constants {
    pub(crate) fn of(genesis: &Genesis) -> Self {
        Self {
            network: genesis.network.clone(),
            origin: genesis.origin.clone(),
            genesis_hash: genesis.hash(),
            genesis_milliseconds: genesis.time_unix_milliseconds,
            epoch_milliseconds: genesis.epoch_milliseconds(),
            operator: AccountId::of(&genesis.operator),
            treasury: AccountId::of(&genesis.treasury),
            pool: AccountId::pool(&genesis.network),
            supply: AccountId::supply(&genesis.network),
        }
    }

    /// The epoch that a time lies in; genesis begins epoch 0.
    pub(crate) fn epoch_at(&self, time_unix_milliseconds: u64) -> u64 {
        let since = time_unix_milliseconds.saturating_sub(self.genesis_milliseconds);
        since.checked_div(self.epoch_milliseconds).expect("an epoch is never empty")
    }

    /// When an epoch begins, in Unix milliseconds.
    pub(crate) fn epoch_begins(&self, epoch: u64) -> u64 {
        self.genesis_milliseconds.saturating_add(epoch.saturating_mul(self.epoch_milliseconds))
    }
}

/// How much was accepted and refused since genesis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accepted envelopes.
    pub envelopes: u64,
    /// Records in them.
    pub records: u64,
    /// Instructions carried out.
    pub instructions: u64,
    /// Readings refused, by `Refusal::index`.
    pub refused: RefusedCounts,
    /// Micro-tokens paid as rewards.
    pub paid_microtokens: u128,
}

/// Everything the ledger knows between two blocks.
///
/// A clone is made in as many steps as the devices have shelves, and shares with its original whatever neither of them
/// changes: what takes long (a snapshot, the leaves, a preview) works on a clone while blocks go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(crate) constants: Constants,
    pub(crate) height: u64,
    pub(crate) time_unix_milliseconds: u64,
    pub(crate) epoch: u64,
    pub(crate) log: Frontier,
    pub(crate) book: Book,
    pub(crate) devices: Sharded<DeviceId, Arc<Device>>,
    /// Which devices an account owns; follows from the devices.
    pub(crate) owned: Sharded<AccountId, Arc<BTreeSet<DeviceId>>>,
    pub(crate) tariffs: Arc<Tariffs>,
    pub(crate) totals: Totals,
    pub(crate) succession: Arc<Succession>,
}

impl State {
    /// How a network begins: the state, block 0 without transactions, and what it did. The state root in its seal
    /// binds the hash of the genesis document.
    ///
    /// # Panics
    /// When the document was not validated.
    #[must_use]
    pub fn genesis(genesis: &Genesis) -> (Self, Block, BlockResults) {
        let constants = Constants::of(genesis);
        let mut state = Self {
            book: Book::new(constants.supply, constants.pool),
            height: 0,
            time_unix_milliseconds: genesis.time_unix_milliseconds,
            epoch: 0,
            log: Frontier::new(),
            devices: Sharded::new(),
            owned: Sharded::new(),
            tariffs: Arc::new(Tariffs::new(genesis.tariff.clone())),
            totals: Totals::default(),
            succession: Arc::new(Succession::of_genesis(genesis)),
            constants,
        };
        state.book.sign_in(state.constants.operator, genesis.operator, 0);
        state.book.sign_in(state.constants.treasury, genesis.treasury, 0);
        let given = [
            (state.constants.pool, genesis.pool_microtokens),
            (state.constants.treasury, genesis.treasury_microtokens),
        ];
        let transfer = |(credit, amount_microtokens)| Transfer {
            debit: state.constants.supply,
            credit,
            amount_microtokens,
            reason: TransferReason::Genesis,
        };
        let transfers: Vec<Transfer> =
            given.into_iter().filter(|(_, amount)| *amount > 0).map(transfer).collect();
        let (block, results) = BlockBuilder::of_genesis(&mut state, transfers).finish();
        (state, block, results)
    }

    /// Begins the next block. The epochs that have ended before its time are settled at once, before its
    /// transactions. A time before the last block's counts as the last block's: a clock that steps back must not make
    /// a block older than its parent.
    ///
    /// The state is changed in place, so what is begun must be finished: a node that cannot write the block stops.
    #[must_use = "a block that is begun must be finished"]
    pub fn begin(&mut self, time_unix_milliseconds: u64) -> BlockBuilder<'_> {
        self.begin_with(time_unix_milliseconds, &Sequential)
    }

    /// Like [`Self::begin`], for a network of many devices: where the block closes an epoch, `workers` do it together.
    /// What the block does is the same whoever works at it.
    #[must_use = "a block that is begun must be finished"]
    pub fn begin_with<'s>(
        &'s mut self,
        time_unix_milliseconds: u64,
        workers: &'s dyn Workers,
    ) -> BlockBuilder<'s> {
        BlockBuilder::begin(self, time_unix_milliseconds, workers)
    }

    /// Admission: everything that a reading is refused for but its signature, in the contract's order, as a block of
    /// this time would judge it.
    ///
    /// # Errors
    /// The first reason that applies.
    pub fn check<B: AsRef<[u8]>>(
        &self,
        time_unix_milliseconds: u64,
        reading: &SignedReading<B>,
    ) -> Result<(), Refusal> {
        let device = self.devices.get(&reading.kid()).ok_or(Refusal::UnknownDevice)?;
        let time = time_unix_milliseconds.max(self.time_unix_milliseconds);
        check_reading(device, reading, time, self.constants.epoch_at(time) == self.epoch)
    }

    /// Verifies an instruction under the key of the account that its kid names, or, for an account's first one, under
    /// the key that it carries.
    ///
    /// # Errors
    /// `UnknownAccount` or `Signature`, with the buffer.
    pub fn verify_instruction<B: AsRef<[u8]>>(
        &self,
        instruction: SignedInstruction<B>,
    ) -> Result<VerifiedInstruction<B>, (InstructionRefusal, B)> {
        let Some(key) = self.account_key(instruction.kid()).or(instruction.key()).copied() else {
            return Err((InstructionRefusal::UnknownAccount, instruction.into_inner()));
        };
        let verified = instruction.verify(&key, &self.constants.network);
        verified.map_err(|(_, buffer)| (InstructionRefusal::Signature, buffer))
    }

    /// The key of an enrolled device.
    #[must_use]
    pub fn device_key(&self, kid: DeviceId) -> Option<&PublicKey> {
        self.device(kid).map(|device| &device.public_key)
    }

    /// The key of the account that signs under this kid.
    #[must_use]
    pub fn account_key(&self, kid: DeviceId) -> Option<&PublicKey> {
        self.book.account_of_kid(kid).and_then(|id| self.book.account(id)?.key.as_ref())
    }

    /// The network's id.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.constants.network
    }

    /// SHA-256 of the genesis document.
    #[must_use]
    pub fn genesis_hash(&self) -> &Hash {
        &self.constants.genesis_hash
    }

    /// Number of the last block.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Time of the last block, Unix milliseconds.
    #[must_use]
    pub fn time_unix_milliseconds(&self) -> u64 {
        self.time_unix_milliseconds
    }

    /// The running epoch: that of the last block.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When an epoch begins, in Unix milliseconds.
    #[must_use]
    pub fn epoch_begins_unix_milliseconds(&self, epoch: u64) -> u64 {
        self.constants.epoch_begins(epoch)
    }

    /// From when on the next block settles the running epoch, in Unix milliseconds.
    #[must_use]
    pub fn next_settlement_unix_milliseconds(&self) -> u64 {
        self.constants.epoch_begins(self.epoch.saturating_add(1))
    }

    /// Entries in the log.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        self.log.size()
    }

    /// The log's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.log.root()
    }

    /// The log's root with further entries behind it: what the seal of a block with them commits to.
    #[must_use]
    pub fn root_with<B: AsRef<[u8]>>(&self, entries: &[B]) -> Hash {
        let mut log = self.log.clone();
        entries.iter().for_each(|entry| log.append(leaf_hash(entry.as_ref())));
        log.root()
    }

    /// What the log says of itself now; unsigned.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.constants.origin.clone(), size: self.log_size(), root: self.root() }
    }

    /// The price list in force.
    #[must_use]
    pub fn tariff(&self) -> &Tariff {
        self.tariffs.in_force()
    }

    /// Every price list there was, is, and is announced.
    #[must_use]
    pub fn tariffs(&self) -> &Tariffs {
        &self.tariffs
    }

    /// Counts since genesis.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The validators that decide the next height.
    #[must_use]
    pub fn validators(&self) -> &Validators {
        self.succession.present()
    }

    /// How the validators of genesis became the present ones.
    #[must_use]
    pub fn handovers(&self) -> &Handovers {
        self.succession.handovers()
    }

    /// Which validators approve a change that is not agreed on yet, in the order in which they said so.
    #[must_use]
    pub fn validator_approvals(&self) -> &[Approval] {
        self.succession.approvals()
    }

    /// The change of the validators that takes effect when the running epoch ends.
    #[must_use]
    pub fn scheduled_change(&self) -> Option<&ScheduledChange> {
        self.succession.scheduled()
    }

    /// Whose contradictions were shown, in the order in which they were.
    #[must_use]
    pub fn misbehaviours(&self) -> &[Misbehaviour] {
        self.succession.misbehaviours()
    }

    /// All devices in order of their kids.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices.iter().map(|(kid, device)| (*kid, &**device))
    }

    /// How many devices are enrolled.
    #[must_use]
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// An enrolled device.
    #[must_use]
    pub fn device(&self, kid: DeviceId) -> Option<&Device> {
        self.devices.get(&kid).map(|device| &**device)
    }

    /// The devices that an account owns, in order.
    pub fn devices_of(&self, owner: AccountId) -> impl Iterator<Item = DeviceId> + '_ {
        self.owned.get(&owner).into_iter().flat_map(|kids| kids.iter()).copied()
    }

    /// All accounts in order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.book.accounts()
    }

    /// An account, once anything was posted to it or a key came with it.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.book.account(id)
    }

    /// What an account holds, in micro-tokens.
    #[must_use]
    pub fn balance_microtokens(&self, id: AccountId) -> u64 {
        self.book.balance(id)
    }

    /// The next envelope's place in the log's order, as tallies keep it: it wraps, since no epoch has 2^32 envelopes and
    /// only the distance between two places is looked at.
    pub(crate) fn next_order(&self) -> u32 {
        u32::try_from(self.totals.envelopes & u64::from(u32::MAX)).unwrap_or_default()
    }

    /// The reward pool's account.
    #[must_use]
    pub fn pool(&self) -> AccountId {
        self.constants.pool
    }

    /// The account that all tokens come from.
    #[must_use]
    pub fn supply(&self) -> AccountId {
        self.constants.supply
    }

    /// The account that enrols devices.
    #[must_use]
    pub fn operator(&self) -> AccountId {
        self.constants.operator
    }

    /// The account that issues tokens.
    #[must_use]
    pub fn treasury(&self) -> AccountId {
        self.constants.treasury
    }

    /// The account where a device's rewards wait while it has no owner.
    #[must_use]
    pub fn escrow(&self, kid: DeviceId) -> AccountId {
        AccountId::escrow(&self.constants.network, kid)
    }

    /// All tokens there are, in micro-tokens.
    #[must_use]
    pub fn issued_microtokens(&self) -> u64 {
        self.book.issued()
    }
}

/// What a reading of a known device is refused for, its signature aside.
pub(crate) fn check_reading<B: AsRef<[u8]>>(
    device: &Device,
    reading: &SignedReading<B>,
    time_unix_milliseconds: u64,
    in_running_epoch: bool,
) -> Result<(), Refusal> {
    if device.is_retired() {
        return Err(Refusal::Revoked);
    }
    if device.window.is_replayed(reading.sequence()) {
        return Err(Refusal::Replayed);
    }
    check_freshness(reading, time_unix_milliseconds)?;
    // A block of a later epoch settles first, so the tally would be empty by then.
    if in_running_epoch && device.tally.envelopes >= ENVELOPES_PER_DEVICE_EPOCH_MAX {
        return Err(Refusal::OverQuota);
    }
    Ok(())
}

/// Every record that has an absolute time must have a plausible one; without a base time nothing is judged.
fn check_freshness<B: AsRef<[u8]>>(
    reading: &SignedReading<B>,
    time_unix_milliseconds: u64,
) -> Result<(), Refusal> {
    let Some((earliest, latest)) = reading.times_unix_seconds() else { return Ok(()) };
    let now = i64::try_from(time_unix_milliseconds / 1_000).unwrap_or(i64::MAX);
    if earliest < now.saturating_sub(AGE_SECONDS_MAX) {
        return Err(Refusal::TooOld);
    }
    if latest > now.saturating_add(FUTURE_SECONDS_MAX) { Err(Refusal::InFuture) } else { Ok(()) }
}
