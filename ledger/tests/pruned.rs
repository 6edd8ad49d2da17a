//! What stays of a block without its readings: it reads back, leads to the seal's roots, and names what contradicts.

mod city;

use city::{City, EPOCH, START, key, temperatures};
use devices::SigningKey;
use ledger::merkle::Frontier;
use ledger::pruned::{PrunedBlock, PrunedFault};

/// Two days of a city with a device, pruned: each block with the hashes of its entries.
fn pruned() -> Vec<(PrunedBlock, Vec<[u8; 32]>)> {
    let mut city = City::with_device();
    let device: SigningKey = key(1);
    for number in 0..6 {
        let time = START + 1_000 + number * EPOCH / 3;
        city.one(time, &temperatures(&device, (1, u32::try_from(number).unwrap() + 1), 2)).unwrap();
    }
    let blocks = city.blocks.iter().zip(&city.results);
    blocks
        .map(|(block, results)| {
            let mut pruned = PrunedBlock::of(block, results);
            pruned.erase();
            (pruned, results.leaf_hashes.clone())
        })
        .collect()
}

fn verify(blocks: &[(PrunedBlock, Vec<[u8; 32]>)]) -> Result<Frontier, PrunedFault> {
    let mut log = Frontier::new();
    blocks.iter().try_for_each(|(block, leaves)| block.verify(leaves, &mut log))?;
    Ok(log)
}

/// The first block that wrote statements.
fn settled(blocks: &mut [(PrunedBlock, Vec<[u8; 32]>)]) -> &mut PrunedBlock {
    let has_statements = |block: &&mut PrunedBlock| {
        block.results.as_ref().is_some_and(|results| !results.statements.is_empty())
    };
    blocks.iter_mut().map(|(block, _)| block).find(has_statements).unwrap()
}

#[test]
fn readings_go_and_everything_else_stays_and_reads_back() {
    let blocks = pruned();
    assert_eq!(blocks.iter().map(|(block, _)| block.erased()).sum::<u64>(), 6);
    assert!(blocks.iter().any(|(block, _)| block.entries.iter().any(Option::is_some)), "the enrolment stays");
    for (block, _) in &blocks {
        assert_eq!(PrunedBlock::decode(&block.encode()).as_ref(), Ok(block));
    }
    verify(&blocks).unwrap();
}

#[test]
fn an_altered_payment_does_not_lead_to_the_results_root() {
    let mut blocks = pruned();
    settled(&mut blocks).results.as_mut().unwrap().statements[0].paid_microtokens += 1;
    assert_eq!(verify(&blocks).unwrap_err(), PrunedFault::ResultsRoot);
    let mut blocks = pruned();
    settled(&mut blocks).results.as_mut().unwrap().transfers.pop();
    assert_eq!(verify(&blocks).unwrap_err(), PrunedFault::ResultsRoot);
    let mut blocks = pruned();
    settled(&mut blocks).results = None;
    assert_eq!(verify(&blocks).unwrap_err(), PrunedFault::NoResults);
}

#[test]
fn an_altered_hash_entry_or_seal_is_named() {
    let mut blocks = pruned();
    blocks[2].1[0][5] ^= 1;
    assert_eq!(verify(&blocks).unwrap_err(), PrunedFault::LogRoot);
    let mut blocks = pruned();
    let (enrolment, _) =
        blocks.iter_mut().find(|(block, _)| block.entries.iter().any(Option::is_some)).unwrap();
    enrolment.entries[0].as_mut().unwrap()[9] ^= 1;
    assert_eq!(verify(&blocks).unwrap_err(), PrunedFault::Leaf(0));
    let mut blocks = pruned();
    blocks[2].0.seal.time_unix_milliseconds += 1;
    assert_eq!(verify(&blocks).unwrap_err(), PrunedFault::Leaf(1));
    let mut blocks = pruned();
    blocks[2].0.entries.push(None);
    assert_eq!(verify(&blocks).unwrap_err(), PrunedFault::Entries);
}
