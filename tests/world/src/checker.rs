//! What must hold after every step, whatever went wrong. It shares only the ledger crate with the node, and counts for
//! itself what can be counted from the log.

use std::collections::{BTreeMap, BTreeSet};

use devices::{Ack, DeviceId, Refusal, Sequence, SignedReading, TransactionId};
use ledger::block::{Block, BlockResults, Entry};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::replay::Trust;
use ledger::state::State;
use ledger::transaction::Outcome;

use crate::book::Book;
use crate::epochs::Epochs;

/// A claim of the product that did not hold, in one sentence.
pub type Violation = String;

/// Knows what was promised, and what the log holds.
pub struct Checker {
    genesis: Genesis,
    network: String,
    /// Executes every block again and verifies every signature: an auditor beside the node.
    replica: State,
    blocks: Vec<Block>,
    book: Book,
    epochs: Epochs,
    transactions: BTreeMap<TransactionId, u64>,
    readings: BTreeSet<(DeviceId, Sequence)>,
    /// What lay in a device's outbox once: each must be settled in the end.
    kept: BTreeMap<DeviceId, BTreeSet<Sequence>>,
    /// Times that readings claim.
    times: BTreeMap<(DeviceId, Sequence), Option<u64>>,
    refused_for_good: BTreeSet<(DeviceId, Sequence)>,
}

impl Checker {
    /// Before the first block.
    ///
    /// # Errors
    /// When genesis itself is wrong.
    pub fn new(genesis: &Genesis) -> Result<Checker, Violation> {
        let (replica, block, results) = State::genesis(genesis);
        let mut book = Book::of(genesis);
        book.post(&results)?;
        Ok(Checker {
            genesis: genesis.clone(),
            network: genesis.network.clone(),
            replica,
            blocks: vec![block],
            book,
            epochs: Epochs::of(genesis),
            transactions: BTreeMap::new(),
            readings: BTreeSet::new(),
            kept: BTreeMap::new(),
            times: BTreeMap::new(),
            refused_for_good: BTreeSet::new(),
        })
    }

    /// The state that the log gives, as far as the node has promised it.
    pub fn durable(&self) -> &State {
        &self.replica
    }

    /// Whether the log holds a transaction.
    pub fn holds(&self, id: &TransactionId) -> bool {
        self.transactions.contains_key(id)
    }

    /// Blocks, accepted readings, instructions and statements so far.
    pub fn counts(&self) -> (u64, u64, u64, u64) {
        let (transactions, readings) = (self.transactions.len() as u64, self.readings.len() as u64);
        (self.blocks.len() as u64, readings, transactions - readings, self.epochs.statements())
    }

    /// Whether every epoch in which anything was read is settled.
    pub fn is_paid(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Somebody was told that a transaction is durable at this place.
    pub fn promised(&self, id: &TransactionId, index: u64) -> Result<(), Violation> {
        if self.transactions.get(id) == Some(&index) {
            return Ok(());
        }
        Err(format!("transaction {id} was answered as durable at {index} and is not in the log there"))
    }

    /// A reading lies in a device's outbox.
    pub fn kept(&mut self, kid: DeviceId, sequence: Sequence) -> Result<(), Violation> {
        if !self.kept.entry(kid).or_default().insert(sequence) {
            return Err(format!("device {kid} gave the number {sequence} twice"));
        }
        Ok(())
    }

    /// A device sent this envelope.
    pub fn sent(&mut self, kid: DeviceId, sequence: Sequence, envelope: &[u8]) {
        self.times.entry((kid, sequence)).or_insert_with(|| {
            let reading = SignedReading::decode(envelope).ok()?;
            reading.pack().base().time.map(u64::from)
        });
    }

    /// A block is on the disk: it must be what a replica makes of it, and pay nothing twice.
    pub fn written(&mut self, block: &Block) -> Result<(), Violation> {
        let results = self.replica.replay(block, Trust::Nothing);
        let results = results.map_err(|error| format!("a replica does not agree: {error}"))?;
        // An epoch that has ended is settled before the transactions of the block that notices it.
        self.epochs.settled(&self.replica, block, &results)?;
        for (entry, outcome) in block.entries.iter().zip(&results.outcomes) {
            self.entry(entry, outcome, block.seal.time_unix_milliseconds)?;
        }
        self.book.post(&results)?;
        self.epochs.nothing_waits_for_an_owner(&self.replica)?;
        self.blocks.push(block.clone());
        Ok(())
    }

    fn entry(&mut self, entry: &[u8], outcome: &Outcome, time: u64) -> Result<(), Violation> {
        let index = outcome.index();
        let id = match (Entry::decode(entry), outcome) {
            (Some(Entry::Reading(reading)), Outcome::Reading { .. }) => {
                let (kid, sequence) = (reading.kid(), reading.sequence());
                if !self.readings.insert((kid, sequence)) {
                    return Err(format!("the log holds {kid} {sequence} twice: it is paid twice"));
                }
                self.epochs.read(kid, &reading.pack(), time);
                reading.transaction_id(&self.network)
            }
            (Some(Entry::Instruction(signed)), Outcome::Instruction { account, .. }) => {
                let instruction = Instruction::decode(signed.payload());
                let instruction = instruction.map_err(|_| format!("entry {index} is no instruction"))?;
                self.book.instructed(&instruction);
                self.epochs.instructed(*account, &instruction, time);
                signed.transaction_id(&self.network)
            }
            _ => return Err(format!("entry {index} is not what it is said to be")),
        };
        if self.transactions.insert(id, index).is_some() {
            return Err(format!("the log holds transaction {id} twice"));
        }
        Ok(())
    }

    /// What the node believes that its block did.
    pub fn derived(&self, results: &BlockResults) -> Result<(), Violation> {
        if results.log_size != self.replica.log_size() || results.height != self.replica.height() {
            return Err(format!("the node derives block {} from another log", results.height));
        }
        Ok(())
    }

    /// The node acknowledges: each reading that its device still keeps must be on the ledger, or refused for good.
    pub fn acknowledged(&self, kid: DeviceId, payload: &[u8]) -> Result<(), Violation> {
        let ack = Ack::decode(payload).map_err(|error| format!("an ack cannot be read: {error:?}"))?;
        if ack.log_size > self.replica.log_size() {
            return Err(format!(
                "an ack speaks of {} entries, {} are durable",
                ack.log_size,
                self.replica.log_size()
            ));
        }
        let kept = self.kept.get(&kid).into_iter().flatten();
        let mut lost = kept.filter(|sequence| ack.settles(**sequence) && !self.is_settled(kid, **sequence));
        match lost.next() {
            Some(sequence) => Err(format!("{kid} {sequence} is acknowledged and not in the log")),
            None => Ok(()),
        }
    }

    fn is_settled(&self, kid: DeviceId, sequence: Sequence) -> bool {
        self.readings.contains(&(kid, sequence)) || self.refused_for_good.contains(&(kid, sequence))
    }

    /// The node refused a reading for a reason that has to be true.
    pub fn refused(
        &mut self,
        kid: DeviceId,
        sequence: Sequence,
        reason: Refusal,
        unix_milliseconds: u64,
    ) -> Result<(), Violation> {
        let wrong = |why: &str| Err(format!("{kid} {sequence} is refused as {}, but {why}", reason.as_str()));
        match reason {
            Refusal::Replayed if !self.is_settled(kid, sequence) => {
                // Below the window or of an earlier boot: the device would not have sent it before it was settled.
                wrong("it was never accepted")
            }
            Refusal::InFuture => {
                let time = self.times.get(&(kid, sequence)).copied().flatten();
                let latest = unix_milliseconds.max(self.replica.time_unix_milliseconds()) / 1_000 + 300;
                if time.is_none_or(|time| time <= latest) {
                    return wrong("its time is not more than 300 s ahead");
                }
                self.refused_for_good.insert((kid, sequence));
                Ok(())
            }
            Refusal::TooOld => wrong("nothing here is 30 days old"),
            Refusal::OverQuota => wrong("nobody sends so much"),
            Refusal::Revoked if self.replica.device(kid).is_some_and(|device| !device.is_retired()) => {
                wrong("the device is not revoked")
            }
            _ => Ok(()),
        }
    }

    /// A new process has read the log: nothing that was promised may be missing, and it must have come to the same
    /// state. At most the one block that was being written may have been added.
    pub fn recovered(&mut self, state: &State, log: &[Block]) -> Result<(), Violation> {
        for (height, (promised, found)) in self.blocks.iter().zip(log).enumerate() {
            if promised != found {
                return Err(format!("block {height} is another one after the restart"));
            }
        }
        if log.len() < self.blocks.len() {
            return Err(format!(
                "{} blocks were durable, {} are there after the restart",
                self.blocks.len(),
                log.len()
            ));
        }
        if log.len() > self.blocks.len() + 1 {
            return Err("more than the block under way has appeared".to_owned());
        }
        for block in log.iter().skip(self.blocks.len()) {
            self.written(block)?;
        }
        self.agrees(state)
    }

    /// The node's state between two blocks: the replica's, byte for byte, and every token accounted for.
    pub fn agrees(&self, state: &State) -> Result<(), Violation> {
        if state.root() != self.replica.root() {
            return Err(format!("the same log has two roots at size {}", self.replica.log_size()));
        }
        if *state != self.replica {
            return Err("the node's state is not what its log gives".to_owned());
        }
        self.book.agrees(state)
    }

    /// After all: the whole log from genesis once more, and a snapshot of its end.
    pub fn closes(&self) -> Result<(), Violation> {
        let (mut state, ..) = State::genesis(&self.genesis);
        for block in self.blocks.iter().skip(1) {
            state
                .replay(block, Trust::OwnLog)
                .map_err(|error| format!("the log does not replay: {error}"))?;
        }
        if state != self.replica {
            return Err("a replay from genesis gives another state".to_owned());
        }
        match State::restore(&self.genesis, &state.snapshot()) {
            Ok(restored) if restored == state => Ok(()),
            Ok(_) => Err("a snapshot restores another state".to_owned()),
            Err(error) => Err(format!("a snapshot does not restore: {error}")),
        }
    }

    /// At the end, of the devices that still may speak: all that they kept is on the ledger once, or was refused for good.
    pub fn nothing_is_lost(&self, kids: impl Iterator<Item = DeviceId>) -> Result<(), Violation> {
        for kid in kids {
            let kept = self.kept.get(&kid).into_iter().flatten();
            if let Some(sequence) = kept.into_iter().find(|sequence| !self.is_settled(kid, **sequence)) {
                return Err(format!("{kid} {sequence} was kept by its device and never came to the ledger"));
            }
        }
        Ok(())
    }
}
