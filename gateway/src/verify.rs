//! Verification: whole batches of signatures, each core its own batch, the verdicts in the order of arrival.
//!
//! [`verify`] is pure; [`Verifier`] is the pool of threads that calls it.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use devices::Refusal;
use devices::batch::{self, Signed};
use ledger::transaction::{Refused, VerifiedTransaction};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::admit::{Candidate, INSTRUCTION_SIGNATURE, Ticket, Turned};
use crate::key_cache::KeyCache;
use crate::limits;
use crate::priority::stand_behind;

/// A transaction that may enter a block, and who waits for the answer.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The transaction.
    pub transaction: VerifiedTransaction<Vec<u8>>,
    /// Who waits.
    pub ticket: Option<Ticket>,
}

/// The outcome of one verification.
pub type Verdict = Result<Verified, Box<Turned>>;

/// Verifies candidates as one batch by ZIP-215's rules; verdicts stand in their order. `keys` makes it faster, no more.
pub fn verify(network: &str, keys: &KeyCache, candidates: Vec<Candidate>) -> Vec<Verdict> {
    let mut envelopes = Vec::with_capacity(candidates.len());
    let (mut of, mut tickets) = (Vec::with_capacity(candidates.len()), Vec::with_capacity(candidates.len()));
    for Candidate { signed, key, ticket } in candidates {
        envelopes.push(signed);
        of.push(key);
        tickets.push(ticket);
    }
    let keys = keys.decompress(&envelopes, &of);
    let verdicts = devices::verify_batch(network, envelopes, &keys).zip(tickets);
    verdicts.map(|(verdict, ticket)| self::verdict(verdict, ticket)).collect()
}

fn verdict(verdict: batch::Verdict<Vec<u8>>, ticket: Option<Ticket>) -> Verdict {
    let turned = |kid, sequence, refused, size_bytes| {
        Err(Box::new(Turned { kid, sequence, known: kid.is_some(), refused, size_bytes, ticket }))
    };
    match verdict {
        Ok(batch::Verified::Reading(reading)) => {
            Ok(Verified { transaction: VerifiedTransaction::Reading(reading), ticket })
        }
        Ok(batch::Verified::Instruction(instruction)) => {
            Ok(Verified { transaction: VerifiedTransaction::Instruction(instruction), ticket })
        }
        Err(Signed::Reading(reading)) => {
            let refused = Refused::Reading(Refusal::Signature);
            turned(Some(reading.kid()), Some(reading.sequence()), refused, reading.envelope().len())
        }
        Err(Signed::Instruction(instruction)) => {
            turned(None, None, INSTRUCTION_SIGNATURE, instruction.envelope().len())
        }
    }
}

/// Threads that verify; the host never waits for one of them but for whole batches in order.
pub struct Verifier {
    jobs: Option<Sender<(u64, Vec<Candidate>)>>,
    results: UnboundedReceiver<(u64, Vec<Verdict>)>,
    waiting: BTreeMap<u64, Vec<Verdict>>,
    threads: Vec<thread::JoinHandle<()>>,
    next_in: u64,
    next_out: u64,
}

impl Verifier {
    /// Starts a thread for each core.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn start(network: &str) -> io::Result<Verifier> {
        let workers =
            thread::available_parallelism().map_or(1, NonZeroUsize::get).min(limits::VERIFY_WORKERS_MAX);
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let keys = Arc::new(KeyCache::new(limits::KEYS_CACHED_MAX));
        // Not bounded by itself: never more batches are under way than `capacity` admits.
        let (sender, results) = unbounded_channel();
        let mut threads = Vec::with_capacity(workers);
        for worker in 0..workers {
            let (queue, sender, network) = (queue.clone(), sender.clone(), network.to_owned());
            let keys = keys.clone();
            let body = move || {
                stand_behind();
                work(&network, &keys, &queue, &sender);
            };
            threads.push(thread::Builder::new().name(format!("verify-{worker}")).spawn(body)?);
        }
        let (waiting, next_in, next_out) = (BTreeMap::new(), 0, 0);
        Ok(Verifier { jobs: Some(jobs), results, waiting, threads, next_in, next_out })
    }

    /// Batches that may be under way.
    pub fn capacity(&self) -> u64 {
        (self.threads.len() * limits::VERIFY_BATCHES_PER_WORKER) as u64
    }

    /// Batches that are under way.
    pub fn under_way(&self) -> u64 {
        self.next_in - self.next_out
    }

    /// Hands a batch to the threads. The caller keeps to [`Verifier::capacity`].
    pub fn submit(&mut self, candidates: Vec<Candidate>) {
        if let Some(jobs) = &self.jobs
            && jobs.send((self.next_in, candidates)).is_ok()
        {
            self.next_in += 1;
        }
    }

    /// The next batch's verdicts, in the order in which batches were handed in. Cancellation loses nothing.
    pub async fn next(&mut self) -> Vec<Verdict> {
        loop {
            if let Some(verdicts) = self.waiting.remove(&self.next_out) {
                self.next_out += 1;
                return verdicts;
            }
            match self.results.recv().await {
                Some((number, verdicts)) => self.waiting.insert(number, verdicts),
                // The threads hold a sender each for as long as this lives, so there is nothing left to wait for.
                None => std::future::pending().await,
            };
        }
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

fn work(
    network: &str,
    keys: &KeyCache,
    queue: &Mutex<Receiver<(u64, Vec<Candidate>)>>,
    results: &UnboundedSender<(u64, Vec<Verdict>)>,
) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, candidates)) = job else { return };
        if results.send((number, verify(network, keys, candidates))).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::{Base, Decimal, Record, Sequence, SignedInstruction, SignedReading, SigningKey, Value};
    use ledger::account::AccountId;
    use ledger::instruction::Instruction;

    fn key() -> SigningKey {
        SigningKey::from_seed([5; 32])
    }

    fn reading(count: u32, ticket: Ticket) -> Candidate {
        let base = Base { version: None, name: Some("temp"), time: None, unit: Some("Cel") };
        let mut pack = [0; 64];
        let record = Record::of(Value::Number(Decimal::from(count + 1)));
        let length = devices::encode_pack(&base, &[record], &mut pack).unwrap();
        let mut envelope = vec![0; 256];
        let sequence = Sequence { boot: 1, count };
        let length =
            devices::sign_reading(&key(), "devnet", sequence, &pack[..length], &mut envelope).unwrap();
        envelope.truncate(length);
        // Every third one is altered in its signature.
        if count % 3 == 2 {
            envelope[length - 1] ^= 1;
        }
        let reading = SignedReading::decode(envelope).map_err(|(refusal, _)| refusal).unwrap();
        Candidate { signed: Signed::Reading(reading), key: key().public_key(), ticket: Some(ticket) }
    }

    fn instruction(ticket: Ticket) -> Candidate {
        let payload = Instruction::Issue { to: AccountId::pool("devnet"), amount_microtokens: 1 }.encode();
        let mut bytes = vec![0; 256];
        let length =
            devices::sign_instruction(&key(), "devnet", ticket, &payload, false, &mut bytes).unwrap();
        bytes.truncate(length);
        let instruction = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
        Candidate { signed: Signed::Instruction(instruction), key: key().public_key(), ticket: Some(ticket) }
    }

    fn tickets(verdicts: &[Verdict]) -> Vec<Option<Ticket>> {
        verdicts
            .iter()
            .map(|verdict| verdict.as_ref().map_or_else(|turned| turned.ticket, |good| good.ticket))
            .collect()
    }

    #[test]
    fn verdicts_stand_in_the_order_of_arrival_whatever_they_are() {
        let mut candidates: Vec<Candidate> = (0..30).map(|count| reading(count, u64::from(count))).collect();
        candidates.insert(10, instruction(100));
        let expected: Vec<_> = candidates.iter().map(|candidate| candidate.ticket).collect();
        let verdicts = verify("devnet", &KeyCache::new(8), candidates);
        assert_eq!(tickets(&verdicts), expected);
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_err()).count(), 10);
        assert!(verdicts[10].is_ok());
    }

    #[test]
    fn a_cached_key_gives_the_same_verdicts() {
        let keys = KeyCache::new(8);
        for _ in 0..2 {
            let verdicts = verify("devnet", &keys, vec![reading(0, 1), reading(2, 2), reading(3, 3)]);
            assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        }
    }

    #[test]
    fn the_pool_gives_batches_back_in_the_order_they_went_in() {
        let mut verifier = Verifier::start("devnet").unwrap();
        let batches = verifier.capacity();
        for batch in 0..batches {
            // The first ones are the largest, so that later ones would overtake them.
            let size = 1 + (batches - batch) * 10;
            verifier.submit((0..size).map(|count| reading(count as u32, batch)).collect());
        }
        assert_eq!(verifier.under_way(), batches);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for batch in 0..batches {
            let verdicts = runtime.block_on(verifier.next());
            assert!(tickets(&verdicts).iter().all(|ticket| *ticket == Some(batch)));
        }
        assert_eq!(verifier.under_way(), 0);
    }

    #[test]
    fn a_network_that_was_not_signed_for_refuses_all() {
        let verdicts = verify("othernet", &KeyCache::new(8), vec![reading(0, 1), instruction(2)]);
        assert!(verdicts.iter().all(Result::is_err));
    }
}
