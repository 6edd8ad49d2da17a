//! Which validator a gateway follows, and what it takes from it. Pure: time (milliseconds of any clock that never goes
//! back) is handed in.
//!
//! One validator is followed at a time. Another takes its place when it is disconnected, has pruned what is wanted, gave a
//! block that does not hold, or gives none while more than f others say that there are some: one liar moves nobody.

use std::collections::VecDeque;

use crate::limits::{LINK_AVOIDED_MILLISECONDS, LINK_BEHIND_MILLISECONDS, LINK_FOLLOWED_MAX};

/// What is followed, from whom. Validators are numbered as the gateway's configuration lists them.
#[derive(Debug)]
pub(super) struct Following {
    /// Height of the block that is wanted next.
    next_height: u64,
    followed: Option<usize>,
    /// When the followed one last gave something, or began.
    since: u64,
    /// Whose turn it is when another is chosen.
    turn: usize,
    peers: Vec<Followable>,
    /// Who gave the last blocks: the host judges them a while after they came.
    givers: VecDeque<(u64, usize)>,
}

#[derive(Debug, Clone, Default)]
struct Followable {
    is_connected: bool,
    /// The highest block that it says it has.
    tip: u64,
    avoided_until: u64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Choice {
    /// The connection to this one is to be closed.
    pub(super) drop: Option<usize>,
    /// This one is to be asked for blocks from a height on.
    pub(super) follow: Option<(usize, u64)>,
}

impl Following {
    /// Nobody is connected; the first choice is `turn`, so that not all gateways follow the same validator.
    pub(super) fn new(peers: usize, next_height: u64, turn: usize) -> Following {
        Following {
            next_height,
            followed: None,
            since: 0,
            turn,
            peers: vec![Followable::default(); peers],
            givers: VecDeque::new(),
        }
    }

    /// Height of the block that is wanted next.
    pub(super) fn next_height(&self) -> u64 {
        self.next_height
    }

    /// Who is followed.
    pub(super) fn followed(&self) -> Option<usize> {
        self.followed
    }

    /// The highest block that a validator says it has.
    pub(super) fn tip_of(&self, peer: usize) -> u64 {
        self.peers.get(peer).map_or(0, |peer| peer.tip)
    }

    pub(super) fn connected(&mut self, peer: usize) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.is_connected = true;
        }
    }

    pub(super) fn disconnected(&mut self, peer: usize) {
        if let Some(known) = self.peers.get_mut(peer) {
            // What it said is worth something only while it is there.
            *known = Followable { avoided_until: known.avoided_until, ..Followable::default() };
        }
        self.followed = self.followed.filter(|followed| *followed != peer);
    }

    /// A validator says what it has.
    pub(super) fn tip(&mut self, peer: usize, height: u64) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.tip = height;
        }
    }

    /// A block came; whether it is the one that is wanted next. Any other is thrown away: it came from who is followed no
    /// more, or from before the last question.
    pub(super) fn arrived(&mut self, peer: usize, height: u64, now: u64) -> bool {
        if self.followed != Some(peer) || height != self.next_height {
            return false;
        }
        self.tip(peer, self.tip_of(peer).max(height));
        (self.next_height, self.since) = (height.saturating_add(1), now);
        // The host may still be busy with the last that fitted into its queue, and hold one beside it.
        if self.givers.len() > LINK_FOLLOWED_MAX + 1 {
            self.givers.pop_front();
        }
        self.givers.push_back((height, peer));
        true
    }

    /// Who is followed has pruned what is wanted.
    pub(super) fn absent(&mut self, peer: usize, now: u64) {
        if self.followed == Some(peer) {
            self.avoid(peer, now);
            self.followed = None;
        }
    }

    /// The host says that the block at a height does not hold: it is wanted again, from another one. Returns who gave it.
    pub(super) fn refuse(&mut self, height: u64, now: u64) -> Option<usize> {
        if height >= self.next_height {
            return None;
        }
        let giver = self.givers.iter().rev().find(|(given, _)| *given == height).map(|(_, peer)| *peer);
        self.givers.retain(|(given, _)| *given < height);
        (self.next_height, self.followed) = (height, None);
        if let Some(giver) = giver {
            self.avoid(giver, now);
        }
        giver
    }

    fn avoid(&mut self, peer: usize, now: u64) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.avoided_until = now.saturating_add(LINK_AVOIDED_MILLISECONDS);
        }
        self.turn = peer.wrapping_add(1);
    }

    /// The height that more than `faulty_max` validators say they have: so an honest one does.
    pub(super) fn vouched_height(&self, faulty_max: usize) -> u64 {
        let mut tips: Vec<u64> = self.peers.iter().map(|peer| peer.tip).collect();
        tips.sort_unstable_by(|one, other| other.cmp(one));
        tips.get(faulty_max).copied().unwrap_or(0)
    }

    /// Decides who is followed. A host that has something to do (`host_waits` is false) is not kept waiting by anybody.
    pub(super) fn choose(&mut self, faulty_max: usize, host_waits: bool, now: u64) -> Choice {
        let mut choice = Choice::default();
        if let Some(followed) = self.followed {
            let there_is_more = self.vouched_height(faulty_max) >= self.next_height;
            if !host_waits || !there_is_more {
                self.since = now;
            }
            if now.saturating_sub(self.since) < LINK_BEHIND_MILLISECONDS {
                return choice;
            }
            self.avoid(followed, now);
            self.disconnected(followed);
            choice.drop = Some(followed);
        }
        let count = self.peers.len();
        let in_turn = (0..count).map(|ahead| self.turn.wrapping_add(ahead) % count);
        let connected = in_turn.filter(|peer| self.peers[*peer].is_connected);
        // Where all are avoided, the one is asked whose fault is the longest ago: it may have caught up.
        let rank = |peer: &usize| Some(self.peers[*peer].avoided_until).filter(|until| *until > now);
        if let Some(peer) = connected.min_by_key(rank) {
            (self.followed, self.since, self.turn) = (Some(peer), now, peer);
            choice.follow = Some((peer, self.next_height));
        }
        choice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> Following {
        let mut following = Following::new(4, 1, 2);
        (0..4).for_each(|peer| following.connected(peer));
        following
    }

    fn follow(peer: usize, from: u64) -> Choice {
        Choice { drop: None, follow: Some((peer, from)) }
    }

    #[test]
    fn one_is_followed_and_gives_blocks_in_order() {
        let mut following = four();
        assert_eq!(following.choose(1, true, 0), follow(2, 1));
        assert_eq!(following.choose(1, true, 0), Choice::default());
        assert!(following.arrived(2, 1, 1) && !following.arrived(2, 1, 1), "each once");
        assert!(!following.arrived(2, 3, 1), "none is left out");
        assert!(!following.arrived(0, 2, 1), "from nobody else");
        assert!(following.arrived(2, 2, 1));
        assert_eq!(following.next_height(), 3);
    }

    #[test]
    fn who_is_lost_or_has_pruned_is_followed_no_more() {
        let mut following = four();
        following.choose(1, true, 0);
        following.arrived(2, 1, 0);
        following.disconnected(2);
        assert_eq!(following.choose(1, true, 0), follow(3, 2));
        following.absent(0, 0);
        assert_eq!(following.followed(), Some(3), "nobody asked that one");
        following.absent(3, 0);
        assert_eq!(following.choose(1, true, 0), follow(0, 2));
        following.absent(0, 1);
        following.absent(1, 1);
        assert_eq!(following.choose(1, true, 1), follow(1, 2));
        following.absent(1, 2);
        assert_eq!(
            following.choose(1, true, 2),
            follow(3, 2),
            "all are at fault: that one's is the longest ago"
        );
    }

    #[test]
    fn who_gives_nothing_while_others_have_more_is_followed_no_more() {
        let mut following = four();
        assert_eq!(following.choose(1, true, 0), follow(2, 1));
        following.tip(0, u64::MAX);
        assert_eq!(following.choose(1, true, 60_000), Choice::default(), "one voice may be a liar's");
        following.tip(1, 5);
        assert_eq!(following.vouched_height(1), 5);
        assert_eq!(following.choose(1, true, 60_000 + LINK_BEHIND_MILLISECONDS - 1), Choice::default());
        let late = 60_000 + LINK_BEHIND_MILLISECONDS;
        assert_eq!(following.choose(1, false, late), Choice::default(), "it is the host that is slow");
        let later = late + LINK_BEHIND_MILLISECONDS;
        let changed = Choice { drop: Some(2), follow: Some((3, 1)) };
        assert_eq!(following.choose(1, true, later), changed);
    }

    #[test]
    fn a_block_that_does_not_hold_is_asked_of_another() {
        let mut following = four();
        following.choose(1, true, 0);
        (1..=5).for_each(|height| assert!(following.arrived(2, height, 0)));
        assert_eq!(following.refuse(6, 0), None, "it was never given");
        assert_eq!(following.refuse(4, 0), Some(2));
        assert_eq!(following.choose(1, true, 0), follow(3, 4));
        assert!(!following.arrived(2, 6, 0), "what the liar still sends is thrown away");
        assert!(following.arrived(3, 4, 0));
        following.disconnected(3);
        following.choose(1, true, 0);
        assert_eq!(following.refuse(4, 0), Some(3), "whoever is followed meanwhile");
        for height in 4..4 + 10 * LINK_FOLLOWED_MAX as u64 {
            following.choose(1, true, 0);
            following.arrived(following.followed().unwrap(), height, 0);
        }
        assert!(following.givers.len() <= LINK_FOLLOWED_MAX + 2);
    }

    #[test]
    fn nobody_is_followed_while_nobody_is_there() {
        let mut following = Following::new(2, 7, 0);
        assert_eq!(following.choose(0, true, 0), Choice::default());
        assert_eq!(Following::new(0, 7, 0).choose(0, true, 0), Choice::default());
        following.connected(1);
        assert_eq!(following.choose(0, true, 0), follow(1, 7));
    }
}
