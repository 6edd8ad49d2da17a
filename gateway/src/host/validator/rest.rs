//! Rest: validators with nothing to decide begin no height. Whoever has something wakes the others.

use std::time::Duration;

use arc_malachitebft_app_channel::Reply;
use arc_malachitebft_app_channel::app::engine::host::Next;

use super::Agreement;
use crate::clock;
use crate::consensus::bft::context::{Height, Lamppost, Part};
use crate::host::Host;
use crate::limits;

/// The height before is decided, and the next one has not begun.
pub(super) struct Rest {
    decided: Height,
    reply: Reply<Next<Lamppost>>,
    since: u64,
}

impl Rest {
    pub(super) fn begin(decided: Height, reply: Reply<Next<Lamppost>>) -> Rest {
        Rest { decided, reply, since: clock::now_unix_milliseconds() }
    }

    /// How long it lasts if nobody wakes: an epoch's end is a block of its own, and now and then one shows that all are
    /// there.
    pub(super) fn left(&self, host: &Host) -> Duration {
        Duration::from_millis(self.ends_at(host).saturating_sub(clock::now_unix_milliseconds()).max(1))
    }

    fn ends_at(&self, host: &Host) -> u64 {
        let settlement = host.hands.shared.state().next_settlement_unix_milliseconds();
        settlement.min(self.since.saturating_add(limits::REST_MAX_MILLISECONDS))
    }

    /// A clock that was set back ends it as well.
    fn is_over(&self, host: &Host) -> bool {
        let now = clock::now_unix_milliseconds();
        now < self.since || now >= self.ends_at(host)
    }
}

impl Agreement {
    /// Ends the rest when there is something to decide here, and tells the others.
    pub(super) async fn wake_if_due(&mut self, host: &mut Host) {
        let Some(rest) = &self.rest else { return };
        // A block that cannot be committed is not followed by another.
        if self.decided.is_some() {
            return;
        }
        let (is_over, has_something) = (rest.is_over(host), host.node.batched() > 0);
        if has_something {
            let height = self.height(host);
            self.publish(Part::Wake(height)).await;
        }
        if has_something || is_over || !self.ahead.is_empty() {
            self.wake(host);
        }
    }

    /// Begins the next height, where this node rests.
    pub(super) fn wake(&mut self, host: &Host) {
        if self.decided.is_some() {
            return;
        }
        if let Some(rest) = self.rest.take() {
            let (height, params) = (self.height(host), self.params(host));
            let next = if rest.decided < height {
                Next::Start(height, params)
            } else {
                // Decided, and this node has lost the block: it is begun once more, and the others give it.
                Next::Restart(height, params)
            };
            let _engine_gone = rest.reply.send(next);
        }
    }
}
