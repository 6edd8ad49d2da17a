//! How long envelopes take from the intake queue to the disk: a time a batch, and none an envelope. Batches are verified in
//! their order and blocks are made of what waits longest, so counting is enough.

use std::collections::VecDeque;
use std::time::Instant;

/// The batches that are on their way.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When each batch that is being verified was taken from the intake queue; as many as the verifier takes.
    verifying: VecDeque<Instant>,
    /// What waits for its block: when it was taken, and how many; no more than wait there.
    waiting: VecDeque<(Instant, usize)>,
    waiting_total: usize,
}

impl Pace {
    /// A batch was taken from the intake queue and handed to the verifier.
    pub(super) fn taken(&mut self, now: Instant) {
        self.verifying.push_back(now);
    }

    /// The oldest batch came back; so many of it are good and wait for their block.
    pub(super) fn verified(&mut self, good: usize) {
        let Some(taken) = self.verifying.pop_front() else { return };
        if good > 0 {
            self.waiting.push_back((taken, good));
            self.waiting_total += good;
        }
    }

    /// Whether any have left, when so many still wait.
    pub(super) fn have_left(&self, still_waiting: usize) -> bool {
        self.waiting_total > still_waiting
    }

    /// Hands on what has left, because it is on the disk or refused: when it was taken, and how many.
    pub(super) fn left(&mut self, still_waiting: usize, mut each: impl FnMut(Instant, usize)) {
        while self.have_left(still_waiting)
            && let Some((taken, count)) = self.waiting.front_mut()
        {
            let leaving = (self.waiting_total - still_waiting).min(*count);
            each(*taken, leaving);
            *count -= leaving;
            self.waiting_total -= leaving;
            if *count == 0 {
                self.waiting.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_leaves_is_what_was_taken_first() {
        let start = Instant::now();
        let at = |milliseconds: u64| start + Duration::from_millis(milliseconds);
        let mut pace = Pace::default();
        (0..3).for_each(|number| pace.taken(at(number)));
        [5, 0, 4].into_iter().for_each(|good| pace.verified(good));
        let mut left = Vec::new();
        pace.left(3, |taken, count| left.push((taken, count)));
        assert_eq!(left, [(at(0), 5), (at(2), 1)]);
        assert!(!pace.have_left(3));
        pace.left(0, |taken, count| left.push((taken, count)));
        assert_eq!(left[2], (at(2), 3));
        assert!(!pace.have_left(0));
    }
}
