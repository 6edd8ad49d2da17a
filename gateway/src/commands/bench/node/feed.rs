//! Envelopes from a file into the node's intake, as a broker's reader would bring them, and how long their answers took.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet::load::LoadReader;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{DRAIN, Node};
use crate::clock;
use crate::shared::{Submission, SubmitError};

/// Every so many envelopes one is timed from its way in to its answer.
const SAMPLE_EVERY: u64 = 97;
/// How often the next envelopes are brought where the pace is given.
const PACE: Duration = Duration::from_millis(1);

/// What to bring, and how fast.
pub struct Order {
    /// The file.
    pub load: PathBuf,
    /// Envelopes of it that were brought before.
    pub skip: u64,
    /// Seconds after which it ends, if the file has not ended before.
    pub seconds: f64,
    /// Envelopes a second; 0 for as many as the node takes.
    pub per_second: f64,
    /// Envelopes after which it ends.
    pub envelopes: u64,
}

/// Brings them and waits until the last one is durable.
///
/// # Errors
/// When the file cannot be read, the node takes none, or not all are accepted.
pub fn feed(runtime: &tokio::runtime::Runtime, node: &Node, order: &Order) -> anyhow::Result<Value> {
    let mut reader = LoadReader::open(&order.load)?;
    for _ in 0..order.skip {
        reader.take()?;
    }
    let began_unix_milliseconds = clock::now_unix_milliseconds();
    let accepted_before = node.accepted();
    let (samples, mut answers) = (Arc::new(Mutex::new(Vec::new())), JoinSet::new());
    let began = clock::monotonic();
    let (mut fed, mut bytes_fed) = (0_u64, 0_u64);
    'feeding: loop {
        let elapsed = began.elapsed().as_secs_f64();
        if elapsed >= order.seconds || fed >= order.envelopes {
            break;
        }
        let due = match order.per_second {
            0.0 => fed + SAMPLE_EVERY,
            per_second => (elapsed * per_second) as u64,
        };
        let due = due.min(order.envelopes);
        if fed >= due {
            std::thread::sleep(PACE);
        }
        while fed < due {
            let Some((kid, bytes)) = reader.take()? else { break 'feeding };
            let reply = fed.is_multiple_of(SAMPLE_EVERY).then(|| {
                let (reply, answer) = oneshot::channel();
                let (sent, samples) = (clock::monotonic(), samples.clone());
                answers.spawn_on(
                    async move {
                        let answer: Result<_, SubmitError> =
                            answer.await.unwrap_or(Err(SubmitError::Stopping));
                        let took = sent.elapsed().as_secs_f64() * 1e3;
                        let sent = sent.duration_since(began).as_secs_f64();
                        if answer.is_ok() {
                            samples.lock().unwrap_or_else(PoisonError::into_inner).push([sent, took]);
                        }
                    },
                    runtime.handle(),
                );
                reply
            });
            bytes_fed += bytes.len() as u64;
            node.intake.blocking_send(Submission { topic_kid: Some(kid), bytes, reply })?;
            fed += 1;
        }
    }
    let (mut last, mut moved) = (0, clock::monotonic());
    while last < fed && moved.elapsed() < DRAIN {
        let now = node.accepted() - accepted_before;
        if now > last {
            (last, moved) = (now, clock::monotonic());
        }
        std::thread::sleep(PACE);
    }
    anyhow::ensure!(last == fed, "{last} of {fed} envelopes were accepted");
    let seconds = moved.duration_since(began).as_secs_f64();
    // The answers go out after the counter.
    runtime.block_on(answers.join_all());
    let samples = samples.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(json!({"accepted": fed, "bytes": bytes_fed, "seconds": seconds, "samples": samples,
        "began_unix_milliseconds": began_unix_milliseconds}))
}
