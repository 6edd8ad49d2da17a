//! Signatures of whole windows of blocks, verified by all cores while the blocks before them are executed.
//!
//! Within a window those of one key stand together: their terms are added up before the sum of a batch, so the more
//! often a device sends, the less its signatures cost.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use devices::batch::{Signed, Verdict, Verified, verify_batch};
use devices::{DeviceId, PublicKey, SignedInstruction, SignedReading};
use ledger::block::Seal;
use ledger::instruction::Instruction;
use ledger::state::State;
use ledger::transaction::VerifiedTransaction;

use super::Located;
use crate::key_cache::KeyCache;
use crate::limits::{AUDIT_BATCH_MAX, KEYS_CACHED_MAX};

/// A block whose signatures were judged.
pub(super) struct Judged {
    pub(super) place: String,
    pub(super) seal: Seal,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) entries: Entries,
}

pub(super) enum Entries {
    /// Each has a signature that holds.
    Verified(Vec<VerifiedTransaction<Vec<u8>>>),
    /// One at least has none that holds under the key that was found for it: all as they are stored.
    Doubtful(Vec<Vec<u8>>),
}

impl Entries {
    /// As they are stored.
    pub(super) fn into_stored(self) -> Vec<Vec<u8>> {
        match self {
            Entries::Verified(entries) => entries.into_iter().map(VerifiedTransaction::into_bytes).collect(),
            Entries::Doubtful(entries) => entries,
        }
    }
}

/// An entry: verified, or as it is stored.
type Entry = Result<VerifiedTransaction<Vec<u8>>, Vec<u8>>;
type Verdicts = Vec<Verdict<Vec<u8>>>;

/// Signatures that are judged together, the keys they must hold under, and where the verdicts go.
struct Batch {
    jobs: Vec<(Signed<Vec<u8>>, PublicKey)>,
    answer: SyncSender<Verdicts>,
}

/// A block without its entries: where it was read from, its seal, and what lies beside it.
struct Shell {
    place: String,
    seal: Seal,
    certificate: Option<Vec<u8>>,
}

/// Blocks whose signatures are being judged.
#[derive(Default)]
struct Window {
    /// Each without its entries, and how many it has.
    blocks: Vec<(Shell, usize)>,
    /// Entries that nothing can be verified of, each with its place among those of all blocks.
    hopeless: Vec<(usize, Vec<u8>)>,
    /// Which entries a batch holds, and where its verdicts come from.
    batches: Vec<(Vec<usize>, Receiver<Verdicts>)>,
    /// Keys that come with its instructions.
    heard: HashMap<DeviceId, PublicKey>,
}

/// The windows that are verified ahead of their execution.
pub(super) struct Ahead {
    network: String,
    windows: VecDeque<Window>,
    /// Begun with the first window: who only looks at a checkpoint needs none.
    threads: Option<Threads>,
}

impl Ahead {
    pub(super) fn new(network: &str) -> Ahead {
        Ahead { network: network.to_owned(), windows: VecDeque::new(), threads: None }
    }

    /// Windows that are not executed yet.
    pub(super) fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.windows.clear();
    }

    /// Has the signatures of these blocks verified. Keys are those of `state`, which is the one before the oldest window,
    /// and those that came with an instruction since. A key that is found wrongly does no harm: executing compares it
    /// with the registry's.
    pub(super) fn push(&mut self, blocks: Vec<Located>, state: Option<&State>) {
        let mut window = Window::default();
        let (mut jobs, mut by_key) = (Vec::new(), Vec::new());
        for Located { place, block, certificate } in blocks {
            let shell = Shell { place, seal: block.seal, certificate };
            window.blocks.push((shell, block.entries.len()));
            for bytes in block.entries {
                let found = decode(bytes).and_then(|signed| match self.key_of(&signed, &mut window, state) {
                    Some(key) => Ok((signed, key)),
                    None => Err(stored(signed)),
                });
                let number = jobs.len();
                match found {
                    Ok(job) => {
                        by_key.push((job.0.kid(), number));
                        jobs.push(Some(job));
                    }
                    Err(bytes) => {
                        window.hopeless.push((number, bytes));
                        jobs.push(None);
                    }
                }
            }
        }
        by_key.sort_unstable();
        let threads = self.threads.get_or_insert_with(|| Threads::start(&self.network));
        for batch in by_key.chunks(AUDIT_BATCH_MAX) {
            let places: Vec<usize> = batch.iter().map(|(_, place)| *place).collect();
            let verdicts = threads.verify(places.iter().filter_map(|place| jobs[*place].take()).collect());
            window.batches.push((places, verdicts));
        }
        self.windows.push_back(window);
    }

    fn key_of(
        &self,
        signed: &Signed<Vec<u8>>,
        window: &mut Window,
        state: Option<&State>,
    ) -> Option<PublicKey> {
        let kid = signed.kid();
        let known = match signed {
            Signed::Reading(_) => state.and_then(|state| state.device_key(kid)),
            Signed::Instruction(instruction) => {
                window.hear(instruction);
                state.and_then(|state| state.account_key(kid))
            }
        };
        let heard = || self.windows.iter().find_map(|window| window.heard.get(&kid));
        known.or_else(|| window.heard.get(&kid)).or_else(heard).copied()
    }

    /// Waits until the oldest window is judged and gives its blocks in their order; nothing when there is none.
    pub(super) fn pop(&mut self) -> impl Iterator<Item = Judged> + use<> {
        let Window { blocks, hopeless, batches, .. } = self.windows.pop_front().unwrap_or_default();
        let mut entries: Vec<Option<Entry>> = Vec::new();
        entries.resize_with(blocks.iter().map(|(.., count)| count).sum(), || None);
        for (place, bytes) in hopeless {
            entries[place] = Some(Err(bytes));
        }
        for (places, verdicts) in batches {
            let verdicts = verdicts.recv().unwrap_or_else(|_| self.fail());
            for (place, verdict) in places.into_iter().zip(verdicts) {
                entries[place] = Some(entry(verdict));
            }
        }
        let mut entries = entries.into_iter().flatten();
        blocks.into_iter().map(move |(Shell { place, seal, certificate }, count)| {
            let entries: Vec<Entry> = entries.by_ref().take(count).collect();
            let entries = if entries.iter().all(Result::is_ok) {
                Entries::Verified(entries.into_iter().flatten().collect())
            } else {
                let stored = |entry: Entry| entry.map_or_else(|bytes| bytes, VerifiedTransaction::into_bytes);
                Entries::Doubtful(entries.into_iter().map(stored).collect())
            };
            Judged { place, seal, certificate, entries }
        })
    }

    /// A thread that gives no answer has panicked over a broken invariant: the audit must not go on as if it had not.
    fn fail(&mut self) -> ! {
        let Threads { work, threads } = self.threads.take().expect("verdicts come from threads");
        drop(work);
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        unreachable!("a thread answers for every batch or panics")
    }
}

impl Window {
    /// Notes the keys that an instruction brings along.
    fn hear(&mut self, instruction: &SignedInstruction<Vec<u8>>) {
        let decoded = Instruction::decode(instruction.payload()).ok();
        let of_device = decoded.as_ref().and_then(Instruction::device_key);
        self.heard.extend(of_device.map(|key| (key.kid(), *key)));
        self.heard.extend(instruction.key().map(|key| (key.kid(), *key)));
    }
}

/// Takes an entry apart; one that is nothing signed comes back.
fn decode(bytes: Vec<u8>) -> Result<Signed<Vec<u8>>, Vec<u8>> {
    SignedReading::decode(bytes)
        .map(Signed::Reading)
        .or_else(|(_, bytes)| SignedInstruction::decode(bytes).map(Signed::Instruction))
        .map_err(|(_, bytes)| bytes)
}

fn stored(signed: Signed<Vec<u8>>) -> Vec<u8> {
    match signed {
        Signed::Reading(reading) => reading.into_inner(),
        Signed::Instruction(instruction) => instruction.into_inner(),
    }
}

fn entry(verdict: Verdict<Vec<u8>>) -> Entry {
    match verdict {
        Ok(Verified::Reading(reading)) => Ok(VerifiedTransaction::Reading(reading)),
        Ok(Verified::Instruction(instruction)) => Ok(VerifiedTransaction::Instruction(instruction)),
        Err(signed) => Err(stored(signed)),
    }
}

/// A thread for each core. They end when they have done what they were given and nobody can give them more.
struct Threads {
    work: Sender<Batch>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    fn start(network: &str) -> Threads {
        let (work, queue) = channel();
        let (queue, keys) = (Arc::new(Mutex::new(queue)), Arc::new(KeyCache::new(KEYS_CACHED_MAX)));
        let start = |_| {
            let (queue, keys, network) = (queue.clone(), keys.clone(), network.to_owned());
            thread::spawn(move || judge(&network, &keys, &queue))
        };
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Threads { work, threads: (0..cores).map(start).collect() }
    }

    /// Has a batch verified; the verdicts stand in the order of the jobs.
    fn verify(&self, jobs: Vec<(Signed<Vec<u8>>, PublicKey)>) -> Receiver<Verdicts> {
        let (answer, verdicts) = sync_channel(1);
        // Where no thread is left, the missing answer says so.
        let _missing = self.work.send(Batch { jobs, answer });
        verdicts
    }
}

fn judge(network: &str, keys: &KeyCache, queue: &Mutex<Receiver<Batch>>) {
    loop {
        let batch = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Batch { jobs, answer }) = batch else { return };
        let (envelopes, of): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
        let keys = keys.decompress(&envelopes, &of);
        // Nobody waits where an earlier entry differed.
        let _nobody = answer.send(verify_batch(network, envelopes, &keys).collect());
    }
}
