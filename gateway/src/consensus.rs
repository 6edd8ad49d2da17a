//! Who decides which block comes next: one validator alone, or several behind the feature `bft`.

#[cfg(feature = "bft")]
pub mod bft;
pub mod solo;
pub mod status;

/// Whose turn it is among `count` validators, in the order of the ledger's list: each height begins with the next one, and a
/// round that fails passes on to the one after.
pub fn proposer_of(count: usize, height: u64, round: u32) -> usize {
    let turn = height.wrapping_add(u64::from(round));
    usize::try_from(turn % (count.max(1) as u64)).unwrap_or_default()
}
