//! Verification: whole batches of signatures, each core its own batch, the verdicts in the order of arrival.
//!
//! [`verify`] is pure; [`Verifier`] is the pool of threads that calls it.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use devices::{DeviceId, PublicKey, Sequence, SignedReading};
use ledger::transaction::{Refused, VerifiedTransaction};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::admit::{Candidate, INSTRUCTION_SIGNATURE, Signed, Ticket, Turned};
use crate::limits;

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

/// What a reading's verdict is put together with again.
type Context = (usize, DeviceId, Sequence, Option<Ticket>);

/// Verifies candidates; verdicts stand in their order. Readings are judged as one batch by ZIP-215 rules.
pub fn verify(network: &str, candidates: Vec<Candidate>) -> Vec<Verdict> {
    let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(candidates.len());
    let mut readings: Vec<(SignedReading<Vec<u8>>, PublicKey)> = Vec::with_capacity(candidates.len());
    let mut contexts: Vec<Context> = Vec::with_capacity(candidates.len());
    for Candidate { signed, ticket } in candidates {
        match signed {
            Signed::Reading(reading, key) => {
                contexts.push((verdicts.len(), reading.kid(), reading.sequence(), ticket));
                readings.push((reading, key));
                verdicts.push(None);
            }
            Signed::Instruction(instruction, key) => {
                verdicts.push(Some(match instruction.verify(&key, network) {
                    Ok(verified) => {
                        Ok(Verified { transaction: VerifiedTransaction::Instruction(verified), ticket })
                    }
                    Err(_) => {
                        let refused = INSTRUCTION_SIGNATURE;
                        Err(Box::new(Turned { kid: None, sequence: None, known: false, refused, ticket }))
                    }
                }))
            }
        }
    }
    for ((place, kid, sequence, ticket), verdict) in
        contexts.into_iter().zip(devices::verify_batch(network, readings))
    {
        verdicts[place] = Some(match verdict {
            Ok(reading) => Ok(Verified { transaction: VerifiedTransaction::Reading(reading), ticket }),
            Err((refusal, _)) => {
                let refused = Refused::Reading(refusal);
                Err(Box::new(Turned {
                    kid: Some(kid),
                    sequence: Some(sequence),
                    known: true,
                    refused,
                    ticket,
                }))
            }
        });
    }
    verdicts.into_iter().flatten().collect()
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
        // Not bounded by itself: never more batches are under way than `capacity` admits.
        let (sender, results) = unbounded_channel();
        let mut threads = Vec::with_capacity(workers);
        for worker in 0..workers {
            let (queue, sender, network) = (queue.clone(), sender.clone(), network.to_owned());
            let body = move || work(&network, &queue, &sender);
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
    queue: &Mutex<Receiver<(u64, Vec<Candidate>)>>,
    results: &UnboundedSender<(u64, Vec<Verdict>)>,
) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, candidates)) = job else { return };
        if results.send((number, verify(network, candidates))).is_err() {
            return;
        }
    }
}
