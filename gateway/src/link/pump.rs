//! What the client's tasks share: the plan of what goes where, who is followed, and the task that carries the plan out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use devices::PublicKey;
use tokio::sync::{Notify, mpsc};

use super::client::{Followed, Peer};
use super::figures::ClientFigures;
use super::following::{Choice, Following};
use super::message::Reason;
use super::store::Store;
use super::submitter::{Refused, Submitter};
use crate::limits::LINK_PULSE;

/// What a connection is told to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// A batch of the outbox.
    Submit(u64),
    /// Blocks are wanted from a height on.
    Follow(u64),
}

/// What all tasks of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) figures: ClientFigures,
    pub(super) followed: mpsc::Sender<Followed>,
    /// Wakes the pump.
    pub(super) news: Notify,
    /// Wakes who waits for room in the outbox.
    pub(super) room: Notify,
    core: Mutex<Core>,
    began: Instant,
}

/// The plan, and the connections. Nothing is awaited while it is held.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) submitter: Submitter,
    pub(super) following: Following,
    pub(super) peers: Vec<Connected>,
    /// The validators in the ledger's order.
    validators: Vec<PublicKey>,
}

/// A validator that the gateway's configuration names.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) peer: Peer,
    /// There while a connection is; dropping it closes the connection.
    pub(super) outgoing: Option<mpsc::Sender<Outgoing>>,
    pub(super) last_error: Option<String>,
}

impl Core {
    pub(super) fn new(peers: Vec<Peer>, validators: Vec<PublicKey>, following: Following) -> Core {
        let connected = |peer| Connected { peer, outgoing: None, last_error: None };
        let peers = peers.into_iter().map(connected).collect();
        Core { submitter: Submitter::new(validators.len()), following, peers, validators }
    }

    /// A peer's place in the ledger's order, where it is a validator now.
    pub(super) fn validator(&self, peer: usize) -> Option<usize> {
        let key = self.peers.get(peer)?.peer.public_key;
        self.validators.iter().position(|validator| *validator == key)
    }

    pub(super) fn faulty_max(&self) -> usize {
        self.validators.len().saturating_sub(1) / 3
    }

    pub(super) fn set_validators(&mut self, validators: Vec<PublicKey>) {
        if self.validators == validators {
            return;
        }
        self.submitter.set_validators(validators.len());
        self.validators = validators;
        for peer in 0..self.peers.len() {
            if let Some(validator) = self.validator(peer).filter(|_| self.peers[peer].outgoing.is_some()) {
                self.submitter.connected(validator);
            }
        }
    }

    pub(super) fn connected(&mut self, peer: usize, outgoing: mpsc::Sender<Outgoing>) {
        if let Some(known) = self.peers.get_mut(peer) {
            (known.outgoing, known.last_error) = (Some(outgoing), None);
            self.following.connected(peer);
            if let Some(validator) = self.validator(peer) {
                self.submitter.connected(validator);
            }
        }
    }

    pub(super) fn disconnected(&mut self, peer: usize) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.outgoing = None;
        }
        self.following.disconnected(peer);
        if let Some(validator) = self.validator(peer) {
            self.submitter.disconnected(validator);
        }
    }

    /// A peer refused a batch; whether it is given up.
    pub(super) fn refused(
        &mut self,
        peer: usize,
        sequence: u64,
        reason: Reason,
        retry_after_milliseconds: u64,
        now: u64,
    ) -> bool {
        let Some(validator) = self.validator(peer) else { return false };
        let refused = self.submitter.refused(validator, sequence, reason, retry_after_milliseconds, now);
        refused == Refused::GivenUp
    }

    /// Does all that is due at `now`, and says when to look again.
    fn turn(&mut self, host_waits: bool, now: u64) -> Option<u64> {
        let Choice { drop, follow } = self.following.choose(self.faulty_max(), host_waits, now);
        if let Some(peer) = drop {
            self.disconnected(peer);
        }
        if let Some((peer, from_height)) = follow {
            let outgoing = self.peers.get(peer).and_then(|peer| peer.outgoing.as_ref());
            // Without room in its queue it says nothing to anybody: it is given up for a new connection.
            if outgoing.is_none_or(|outgoing| outgoing.try_send(Outgoing::Follow(from_height)).is_err()) {
                self.disconnected(peer);
            }
        }
        let vouched = self.following.vouched_height(self.faulty_max());
        self.submitter.decided(vouched.max(self.following.next_height().saturating_sub(1)));
        let outgoing: Vec<Option<mpsc::Sender<Outgoing>>> = self
            .validators
            .iter()
            .map(|key| self.peers.iter().find(|peer| peer.peer.public_key == *key)?.outgoing.clone())
            .collect();
        self.submitter.next(now, |validator, sequence| {
            let outgoing = outgoing.get(validator).and_then(Option::as_ref);
            outgoing.is_some_and(|outgoing| outgoing.try_send(Outgoing::Submit(sequence)).is_ok())
        });
        self.submitter.due_at(now)
    }
}

impl Shared {
    pub(super) fn new(store: Store, core: Core, followed: mpsc::Sender<Followed>, began: Instant) -> Shared {
        Shared {
            store: Arc::new(store),
            figures: ClientFigures::default(),
            followed,
            news: Notify::new(),
            room: Notify::new(),
            core: Mutex::new(core),
            began,
        }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the client's start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Removes a batch from the outbox and from the plan.
    pub(super) fn settle(&self, sequence: u64) {
        self.core().submitter.settled(sequence);
        if let Err(error) = self.store.forget(sequence) {
            tracing::warn!(sequence, %error, "a settled batch stays in the outbox until the next start");
        }
        self.room.notify_waiters();
        self.news.notify_one();
    }

    /// Carries the plan out, until the host is gone.
    pub(super) async fn pump(self: Arc<Shared>) {
        loop {
            let now = self.now();
            let host_waits = self.followed.capacity() == self.followed.max_capacity();
            let due = self.core().turn(host_waits, now);
            let until_due =
                due.map_or(LINK_PULSE, |due| Duration::from_millis(due.saturating_sub(now).max(1)));
            tokio::select! {
                () = self.news.notified() => {}
                () = tokio::time::sleep(until_due.min(LINK_PULSE)) => {}
                () = self.followed.closed() => return,
            }
        }
    }
}
