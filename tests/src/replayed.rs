//! A town on recorded readings: its devices are provisioned, enrolled and claimed by the product's own commands, stand where
//! the recorded sensors stood, and send what those measured, each row as of the moment at which it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use devices::{Base, Decimal, Record, Value, encode_pack};

use crate::node::{Node, microtokens, submit_to};
use crate::people::{Person, Provisioned};
use crate::quality::series::{QUANTITIES, Reading, Sensor};
use crate::sensor::{NETWORK, unix_seconds};
use crate::wait;

/// People among whom the devices are shared.
const OWNERS: usize = 4;
/// Every so often each device sends: not twice in the same second, which is as fine as a record tells time.
const INTERVAL: Duration = Duration::from_secs(2);
/// Rows of the recordings that are passed over after each that is sent, so that some minutes show the course of a day.
const ROWS_PASSED_OVER: usize = 3;
/// In so many rounds of sending one device delivers an envelope twice, as QoS 1 does.
const ROUNDS_TO_A_REPETITION: usize = 7;
/// Longer than two records.
const PACK_BYTES: usize = 256;

/// People with devices that send.
pub struct Town {
    /// Who owns the devices.
    pub owners: Vec<Person>,
    feed: Feed,
}

struct Feed {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

/// A device and what it has still to send.
struct Player {
    device: Provisioned,
    rows: std::vec::IntoIter<Reading>,
}

impl Town {
    /// Settles the recorded sensors in `node`'s town, and begins to send from this day of theirs on.
    ///
    /// # Panics
    /// Where a command of the product's fails.
    pub fn of(node: &Node, sensors: &[Sensor], first_day: usize) -> Town {
        let operator = Person::of(node, "operator");
        let owners: Vec<Person> = (0..OWNERS).map(|_| Person::new()).collect();
        let mut players = Vec::new();
        for (owner, sensor) in owners.iter().cycle().zip(sensors) {
            let device = Provisioned::new();
            let (kid, key) = (device.kid(), device.sensor.public_key());
            let [north, east] = sensor.position.map(degrees);
            operator.does(node, &["device", "enrol", "--public-key", &key]).success();
            let claim =
                ["device", "claim", &kid, "--identity", &device.page, "--lat", &north, "--lon", &east];
            owner.does(node, &claim).success();
            let days = sensor.days.iter().skip(first_day).flatten().copied();
            let days = days.filter(|row| row.hundredths.iter().any(Option::is_some));
            let rows: Vec<Reading> = days.step_by(ROWS_PASSED_OVER + 1).collect();
            players.push(Player { device, rows: rows.into_iter() });
        }
        Town { owners, feed: Feed::start(node.http.clone(), players) }
    }

    /// Waits until a device of the first owner was paid in so many epochs; gives its kid.
    ///
    /// # Panics
    /// Where that takes longer than `patience`, or nothing is sent any more.
    pub fn is_paid(&self, node: &Node, epochs: usize, patience: Duration) -> String {
        let account = &self.owners[0].account;
        wait::until("a device was paid in some epochs", patience, || {
            assert!(!self.feed.has_ended(), "the recordings are at their end");
            let devices = node.json(&format!("/api/v1/accounts/{account}"))["devices"].clone();
            let mut kids = devices.as_array()?.iter().filter_map(|kid| kid.as_str());
            kids.find(|kid| paid_epochs(node, kid) >= epochs).map(str::to_owned)
        })
    }
}

/// Epochs in which a device was paid something.
fn paid_epochs(node: &Node, kid: &str) -> usize {
    let statements = node.json(&format!("/api/v1/devices/{kid}/statements"));
    let paid = statements.as_array().into_iter().flatten();
    paid.filter(|statement| microtokens(&statement["paid"]) > 0).count()
}

impl Feed {
    fn start(node: String, mut players: Vec<Player>) -> Feed {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for round in 0.. {
                let next = Instant::now() + INTERVAL;
                let repeats = round % ROUNDS_TO_A_REPETITION == 0;
                players.retain_mut(|player| player.plays(&node, repeats).is_some());
                if players.is_empty() || stopped.load(Ordering::Relaxed) {
                    return;
                }
                thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        });
        Feed { stop, thread: Some(thread) }
    }

    fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Player {
    /// Sends the next row; none where there is none. A node that does not answer has its reasons, and the next row its turn.
    fn plays(&mut self, node: &str, repeats: bool) -> Option<()> {
        let row = self.rows.next()?;
        let sensor = &mut self.device.sensor;
        let sequence = sensor.next_sequence();
        let envelope = sensor.sign(NETWORK, sequence, &pack(&row));
        drop(submit_to(node, &envelope.bytes));
        if repeats && usize::from(envelope.bytes[envelope.bytes.len() - 1]) % ROUNDS_TO_A_REPETITION == 0 {
            drop(submit_to(node, &envelope.bytes));
        }
        Some(())
    }
}

/// A row as the pack of a device that has taken it just now.
fn pack(row: &Reading) -> Vec<u8> {
    let base = Base { version: Some(26), name: Some("pm"), time: Some(unix_seconds()), unit: Some("ug/m3") };
    let measured = QUANTITIES.iter().zip(row.hundredths);
    let records: Vec<Record<'_>> = measured
        .filter_map(|(name, hundredths)| {
            let value = Decimal::new(hundredths?.into(), -2).ok()?;
            Some(Record { name: Some(name), ..Record::of(Value::Number(value)) })
        })
        .collect();
    let mut buffer = [0; PACK_BYTES];
    let length = encode_pack(&base, &records, &mut buffer).expect("two records are a pack");
    buffer[..length].to_vec()
}

/// Millionths of a degree as a command takes them.
fn degrees(millionths: i32) -> String {
    let sign = if millionths < 0 { "-" } else { "" };
    let whole = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", whole / 1_000_000, whole % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_typed_as_it_is() {
        assert_eq!(degrees(57_149_700), "57.149700");
        assert_eq!(degrees(-94_300), "-0.094300");
    }
}
