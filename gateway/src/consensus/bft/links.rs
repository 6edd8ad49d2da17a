//! Finds links between validators that work one way alone, and makes them anew.
//!
//! A peer says which topics it wants on its first connection to a node, and not again on a second one (libp2p-gossipsub).
//! Where a link breaks, one side may drop its connection and make another before the other side has noticed. That one takes
//! the new connection for a second one and says nothing, and nothing is published to it any more, for as long as there is a
//! connection. If that befalls enough links between two halves of a network, votes arrive in one half alone and no block is
//! ever decided. So a peer that is connected and does not want what every validator wants is disconnected, left alone until
//! both sides have noticed, and connected to anew.

use std::collections::HashMap;

use arc_malachitebft_app_channel::app::net::Multiaddr;
use arc_malachitebft_app_channel::app::types::PeerId;

use crate::limits;

/// What is done to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Disconnect this peer and refuse it.
    Part(Multiaddr),
    /// Connect to it, and let it connect.
    Join(Multiaddr),
}

/// How the links were when they were looked at last.
#[derive(Debug, Default)]
pub struct Links {
    /// How many looks in turn a peer was connected and wanted nothing.
    deaf: HashMap<PeerId, u32>,
    /// Peers that are kept away, and for how many looks more; after that, until they are seen among those that may connect.
    parted: Vec<(Multiaddr, u32)>,
}

/// How many peers one publishes to without asking whether another did: all of them in a network of usual size.
pub fn mesh(peers: usize) -> usize {
    peers.clamp(limits::MESH_MIN, limits::MESH_MAX)
}

impl Links {
    /// What is to be done after a look at the engine's network: its `connected` peers, each with whether this node publishes
    /// to it, and the `addresses` of all that it may connect to, which end in the peers' names. Where this node publishes to
    /// as many as [`mesh`] demands, others may be left out with good reason.
    pub fn look(&mut self, connected: &[(PeerId, bool)], addresses: &[Multiaddr]) -> Vec<Change> {
        let joins = self.due(addresses);
        let published = connected.iter().filter(|(_, is_published_to)| *is_published_to).count();
        let is_full = published >= mesh(addresses.len() + self.parted.len());
        let mut before = std::mem::take(&mut self.deaf);
        let mut changes: Vec<Change> = joins.into_iter().map(Change::Join).collect();
        for (peer, is_published_to) in connected {
            if *is_published_to || is_full {
                continue;
            }
            let looks = before.remove(peer).unwrap_or_default() + 1;
            let address = addresses.iter().find(|address| names(address, peer));
            if looks < limits::DEAF_LOOKS {
                self.deaf.insert(*peer, looks);
            } else if let Some(address) = address {
                self.parted.push((address.clone(), limits::APART_LOOKS));
                changes.push(Change::Part(address.clone()));
            }
        }
        changes
    }

    /// Those that were kept away long enough, and may not connect yet.
    fn due(&mut self, addresses: &[Multiaddr]) -> Vec<Multiaddr> {
        for (_, looks) in &mut self.parted {
            *looks = looks.saturating_sub(1);
        }
        self.parted.retain(|(address, looks)| *looks > 0 || !addresses.contains(address));
        self.parted.iter().filter(|(_, looks)| *looks == 0).map(|(address, _)| address.clone()).collect()
    }
}

fn names(address: &Multiaddr, peer: &PeerId) -> bool {
    address.to_string().rsplit('/').next() == Some(peer.to_base58().as_str())
}

#[cfg(test)]
mod tests {
    use ledger::validators::quorum_of;

    use super::*;
    use crate::consensus::bft::engine::{Peer, peer_address, peer_id};
    use devices::SigningKey;

    fn peers(count: u8) -> (Vec<PeerId>, Vec<Multiaddr>) {
        let keys: Vec<_> = (1..=count).map(|seed| SigningKey::from_seed([seed; 32]).public_key()).collect();
        let address = |key: &devices::PublicKey| {
            peer_address(&Peer { key: *key, address: "192.0.2.1:7000".to_owned() })
        };
        let addresses = keys.iter().map(|key| address(key).unwrap()).collect();
        (keys.iter().map(|key| peer_id(key.as_bytes())).collect(), addresses)
    }

    /// The changes of each of so many looks.
    fn looks(
        links: &mut Links,
        count: u32,
        connected: &[(PeerId, bool)],
        all: &[Multiaddr],
    ) -> Vec<Vec<Change>> {
        (0..count).map(|_| links.look(connected, all)).collect()
    }

    #[test]
    fn a_peer_that_wants_nothing_for_some_looks_is_parted_with_and_joined_again() {
        let (peers, addresses) = peers(3);
        let mut links = Links::default();
        let deaf = [(peers[0], true), (peers[1], false), (peers[2], true)];
        let mut changes = looks(&mut links, limits::DEAF_LOOKS, &deaf, &addresses);
        assert_eq!(changes.pop().unwrap(), [Change::Part(addresses[1].clone())]);
        assert!(changes.iter().all(Vec::is_empty), "it may be about to say what it wants: {changes:?}");
        let (gone, left) = ([deaf[0], deaf[2]], [addresses[0].clone(), addresses[2].clone()]);
        let mut changes = looks(&mut links, limits::APART_LOOKS, &gone, &left);
        assert_eq!(changes.pop().unwrap(), [Change::Join(addresses[1].clone())]);
        assert!(changes.iter().all(Vec::is_empty), "the other side shall notice first: {changes:?}");
        // The engine had no time for it.
        assert_eq!(links.look(&gone, &left), [Change::Join(addresses[1].clone())]);
        assert_eq!(links.look(&gone, &addresses), []);
        assert_eq!(links.look(&gone, &left), [], "whoever else takes it away does not see it put back");
    }

    #[test]
    fn a_peer_that_comes_around_or_goes_is_counted_from_the_start() {
        let (peers, addresses) = peers(3);
        let mut links = Links::default();
        let with = |wants: bool| [(peers[0], true), (peers[1], wants), (peers[2], true)];
        for between in [with(true).to_vec(), with(true)[2..].to_vec()] {
            let changes = looks(&mut links, limits::DEAF_LOOKS - 1, &with(false), &addresses);
            assert!(changes.iter().all(Vec::is_empty), "{changes:?}");
            assert_eq!(links.look(&between, &addresses), []);
        }
        let changes = looks(&mut links, limits::DEAF_LOOKS - 1, &with(false), &addresses);
        assert!(changes.iter().all(Vec::is_empty), "{changes:?}");
    }

    #[test]
    fn in_a_large_network_nobody_is_parted_with_while_enough_are_published_to() {
        let (peers, addresses) = peers(40);
        let mut links = Links::default();
        let to = |count: usize| -> Vec<_> {
            peers.iter().enumerate().map(|(place, peer)| (*peer, place < count)).collect()
        };
        assert!(mesh(addresses.len()) < quorum_of(41), "the case is there");
        let changes = looks(&mut links, 2 * limits::DEAF_LOOKS, &to(mesh(addresses.len())), &addresses);
        assert!(changes.iter().all(Vec::is_empty), "{changes:?}");
        let changes = looks(&mut links, limits::DEAF_LOOKS, &to(mesh(addresses.len()) - 1), &addresses);
        assert!(!changes.last().unwrap().is_empty());
    }
}
