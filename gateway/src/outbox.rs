//! What waits for the broker: owners' commands, the newest ack of each device, and refusal notices. An ack says all that is settled, so a
//! newer one takes the place of one that still waits, and a broker that is slow gets fewer of them instead of a queue.

mod commands;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use devices::{Ack, DeviceId, RefusedNotice, Topic, TopicKind};
use tokio::sync::Notify;

use crate::limits;
pub use commands::Commands;

/// One message from the gateway to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// The device.
    pub kid: DeviceId,
    /// What it is told.
    pub message: Message,
}

/// What a device is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// What is settled; the broker keeps it for a device that comes later.
    Ack(Ack),
    /// What was refused.
    Refused(RefusedNotice),
    /// What its owner commands; the broker keeps it for a device that comes later.
    Command(Arc<[u8]>),
}

impl Outbound {
    /// What its topic is for.
    pub fn kind(&self) -> TopicKind {
        match self.message {
            Message::Ack(_) => TopicKind::Ack,
            Message::Refused(_) => TopicKind::Refused,
            Message::Command(_) => TopicKind::Down,
        }
    }

    /// Its topic on a network.
    pub fn topic(&self, network: &str) -> String {
        let kind = self.kind();
        let mut topic = String::with_capacity(devices::limits::TOPIC_BYTES_MAX);
        let _written_to_memory = write!(topic, "{}", Topic { network, kid: self.kid, kind });
        topic
    }

    /// Its content.
    pub fn payload(&self) -> Vec<u8> {
        const BYTES_MAX: usize = devices::limits::ACK_BYTES_MAX;
        const _: () = assert!(devices::limits::REFUSED_NOTICE_BYTES_MAX <= BYTES_MAX);
        let mut payload = [0; BYTES_MAX];
        let encoded = match &self.message {
            Message::Ack(ack) => ack.encode(&mut payload),
            Message::Refused(notice) => notice.encode(&mut payload),
            Message::Command(command) => return command.to_vec(),
        };
        // Both always fit: their bounds say so.
        payload[..encoded.unwrap_or_default()].to_vec()
    }

    /// Whether the broker keeps it for later subscribers.
    pub fn is_retained(&self) -> bool {
        matches!(self.message, Message::Ack(_) | Message::Command(_))
    }
}

#[derive(Debug, Default)]
struct Waiting {
    acks: HashMap<DeviceId, Ack>,
    /// The devices of `acks`, those that wait longest first.
    turns: VecDeque<DeviceId>,
    notices: VecDeque<(DeviceId, RefusedNotice)>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Arc<Notify>,
    commands: Commands,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host's end. Dropped, it lets the other end run dry.
#[derive(Debug)]
pub struct Sender(Arc<Outbox>);

/// The broker's end.
#[derive(Debug)]
pub struct Receiver(Arc<Outbox>);

/// An empty outbox.
pub fn outbox() -> (Sender, Receiver) {
    let filled = Arc::<Notify>::default();
    let commands = Commands::new(filled.clone());
    let outbox = Arc::new(Outbox { waiting: Mutex::default(), filled, commands });
    (Sender(outbox.clone()), Receiver(outbox))
}

impl Sender {
    /// Puts acks in; gives how many found no room. Such a one is made again when its device repeats what it is missing.
    pub fn acknowledge(&self, acks: &[(DeviceId, Ack)]) -> usize {
        let mut dropped = 0;
        {
            let mut waiting = self.0.waiting();
            let Waiting { acks: newest, turns, .. } = &mut *waiting;
            for (kid, ack) in acks {
                let has_room = newest.len() < limits::OUTBOUND_MAX;
                match newest.get_mut(kid) {
                    Some(older) => *older = *ack,
                    None if has_room => {
                        newest.insert(*kid, *ack);
                        turns.push_back(*kid);
                    }
                    None => dropped += 1,
                }
            }
        }
        self.0.filled.notify_one();
        dropped
    }

    /// Puts a notice in; gives whether it found room.
    pub fn notify(&self, kid: DeviceId, notice: RefusedNotice) -> bool {
        let mut waiting = self.0.waiting();
        let has_room = waiting.notices.len() < limits::OUTBOUND_MAX;
        if has_room {
            waiting.notices.push_back((kid, notice));
            drop(waiting);
            self.0.filled.notify_one();
        }
        has_room
    }

    /// Messages that wait.
    pub fn len(&self) -> usize {
        let waiting = self.0.waiting();
        waiting.turns.len() + waiting.notices.len() + self.0.commands.waiting()
    }

    /// The commands among it.
    pub fn commands(&self) -> Commands {
        self.0.commands.clone()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.waiting().closed = true;
        self.0.filled.notify_one();
    }
}

impl Receiver {
    /// The commands among it.
    pub fn commands(&self) -> Commands {
        self.0.commands.clone()
    }

    /// Waits for messages and moves up to `most` of them to `burst`; gives how many, 0 only when no more can come.
    pub async fn recv_many(&mut self, burst: &mut Vec<Outbound>, most: usize) -> usize {
        loop {
            let (count, closed) = self.take(burst, most);
            if count > 0 || closed {
                return count;
            }
            self.0.filled.notified().await;
        }
    }

    fn take(&self, burst: &mut Vec<Outbound>, most: usize) -> (usize, bool) {
        let before = burst.len();
        // People wait for these, and there are few.
        let commands = self.0.commands.take(most).into_iter();
        burst.extend(commands.map(|(kid, command)| Outbound { kid, message: Message::Command(command) }));
        let room = most - (burst.len() - before);
        let mut waiting = self.0.waiting();
        let Waiting { acks, turns, notices, closed } = &mut *waiting;
        let notices = notices.drain(..notices.len().min(room));
        burst.extend(notices.map(|(kid, notice)| Outbound { kid, message: Message::Refused(notice) }));
        let room = most - (burst.len() - before);
        let turns = turns.drain(..turns.len().min(room));
        burst.extend(
            turns.filter_map(|kid| Some(Outbound { kid, message: Message::Ack(acks.remove(&kid)?) })),
        );
        (burst.len() - before, *closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::{Refusal, Sequence};

    fn ack(count: u32) -> Ack {
        Ack { highest: Sequence { boot: 1, count }, window: 1, log_size: u64::from(count) }
    }

    fn kid(number: u8) -> DeviceId {
        DeviceId([number; 8])
    }

    fn taken(receiver: &Receiver, most: usize) -> Vec<Outbound> {
        let mut burst = Vec::new();
        receiver.take(&mut burst, most);
        burst
    }

    #[test]
    fn a_newer_ack_takes_the_place_and_the_turn_of_the_older_one() {
        let (sender, receiver) = outbox();
        assert_eq!(sender.acknowledge(&[(kid(1), ack(1)), (kid(2), ack(1))]), 0);
        assert_eq!(sender.acknowledge(&[(kid(1), ack(2))]), 0);
        let first = Outbound { kid: kid(1), message: Message::Ack(ack(2)) };
        let second = Outbound { kid: kid(2), message: Message::Ack(ack(1)) };
        assert_eq!(taken(&receiver, 10), [first, second]);
        assert!(taken(&receiver, 10).is_empty() && sender.is_empty());
    }

    #[test]
    fn it_holds_no_more_than_its_bound_and_takes_more_once_there_is_room() {
        let (sender, receiver) = outbox();
        let one = |number: usize| (DeviceId((number as u64).to_be_bytes()), ack(1));
        let acks: Vec<_> = (0..limits::OUTBOUND_MAX + 10).map(one).collect();
        assert_eq!(sender.acknowledge(&acks), 10);
        assert_eq!(sender.acknowledge(&acks[..5]), 0, "a device that waits already needs no room");
        assert_eq!(taken(&receiver, 5).len(), 5);
        assert_eq!(sender.acknowledge(&acks[limits::OUTBOUND_MAX..]), 5);
    }

    #[test]
    fn what_waits_is_still_delivered_when_the_host_has_gone() {
        let (sender, mut receiver) = outbox();
        let notice = RefusedNotice { sequence: Sequence { boot: 1, count: 7 }, reason: Refusal::TooOld };
        assert!(sender.notify(kid(3), notice));
        drop(sender);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut burst = Vec::new();
        assert_eq!(runtime.block_on(receiver.recv_many(&mut burst, 10)), 1);
        assert_eq!(burst[0].topic("devnet"), "lamppost/1/devnet/dev/0303030303030303/refused");
        assert_eq!(RefusedNotice::decode(&burst[0].payload()), Ok(notice));
        assert_eq!(runtime.block_on(receiver.recv_many(&mut burst, 10)), 0);
    }
}
