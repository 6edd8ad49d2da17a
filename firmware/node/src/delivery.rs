//! When to send, and when to send again: patience, not content.

use crate::limits::{ACK_GRACE_MILLISECONDS, RETRY_MILLISECONDS_MAX, RETRY_MILLISECONDS_MIN};

/// The timing of deliveries in and between sessions. All times are milliseconds since start.
pub struct Delivery {
    /// Nothing is sent before: the retained acknowledgement may settle it.
    hold_until: Option<u64>,
    retry_at: Option<u64>,
    retry_milliseconds: u64,
    /// The gateway refused in a way that may pass (not enrolled yet, over quota): only the oldest is tried.
    is_refused: bool,
    is_connected: bool,
}

impl Delivery {
    /// Before the first session.
    pub const fn new() -> Self {
        Self {
            hold_until: None,
            retry_at: None,
            retry_milliseconds: RETRY_MILLISECONDS_MIN,
            is_refused: false,
            is_connected: false,
        }
    }

    /// A session is there and subscribed.
    pub fn opened(&mut self, now: u64) {
        self.is_connected = true;
        self.hold_until = Some(now.saturating_add(ACK_GRACE_MILLISECONDS));
        self.retry_at = None;
    }

    /// The session is gone.
    pub fn closed(&mut self) {
        self.is_connected = false;
        self.hold_until = None;
        self.retry_at = None;
    }

    /// Whether there is a session.
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Whether anything may be sent now; `in_flight` says whether something is on its way already.
    pub fn may_send(&mut self, now: u64, in_flight: bool) -> bool {
        if self.hold_until.is_some_and(|until| now >= until) {
            self.hold_until = None;
        }
        self.is_connected && self.hold_until.is_none() && !(self.is_refused && in_flight)
    }

    /// Something was sent.
    pub fn sent(&mut self, now: u64) {
        self.retry_at.get_or_insert(now.saturating_add(self.retry_milliseconds));
    }

    /// An acknowledgement came; `settled` packs were let go, and `in_flight` says whether others are still on their way.
    pub fn acknowledged(&mut self, now: u64, settled: u32, in_flight: bool) {
        self.hold_until = None;
        if settled > 0 {
            self.is_refused = false;
            self.retry_milliseconds = RETRY_MILLISECONDS_MIN;
            self.retry_at = None;
        }
        match in_flight {
            true => self.sent(now),
            false => self.retry_at = None,
        }
    }

    /// The gateway refused for now.
    pub fn refused(&mut self) {
        self.is_refused = true;
    }

    /// Whether it is time to send everything again that is not settled; asks for twice the patience then.
    pub fn is_retry_due(&mut self, now: u64) -> bool {
        if self.retry_at.is_none_or(|at| now < at) {
            return false;
        }
        self.retry_at = None;
        self.retry_milliseconds = (self.retry_milliseconds * 2).min(RETRY_MILLISECONDS_MAX);
        true
    }

    /// When to look again, if nothing else happens.
    pub fn wake_at(&self) -> Option<u64> {
        match (self.hold_until, self.retry_at) {
            (Some(hold), Some(retry)) => Some(hold.min(retry)),
            (hold, retry) => hold.or(retry),
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self::new()
    }
}
