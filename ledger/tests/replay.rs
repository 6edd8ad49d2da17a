//! Executing a stored log again gives the same state, and an altered one is caught at the entry that was altered.

mod city;

use city::{City, EPOCH, START, account, genesis, key, temperatures, treasury};
use devices::refusal::Refusal;
use ledger::block::{Block, Entry, Seal};
use ledger::instruction::Instruction;
use ledger::replay::{Difference, Divergence, Trust};
use ledger::snapshot::SnapshotError;
use ledger::state::State;
use ledger::transaction::Outcome;
use ledger::transfer::TransferRecord;
use ledger::workers::Sequential;

/// A city with a few epochs of history.
fn city() -> City {
    let mut city = City::new();
    for seed in 1..4 {
        city.enrol(&key(seed), (seed < 3).then(|| account(&key(100))));
    }
    for epoch in 0..3_u32 {
        let time = START + u64::from(epoch) * EPOCH;
        let mut transactions: Vec<_> =
            (1..4).map(|seed| temperatures(&key(seed), (1, epoch * 2), usize::from(seed))).collect();
        transactions.push(city.instruct(
            &treasury(),
            &Instruction::Transfer {
                to: account(&key(101)),
                amount_microtokens: 5,
                memo: Some("tea".into()),
            },
        ));
        assert!(city.block(time, &transactions).into_iter().all(|outcome| outcome.is_ok()));
        let replayed = temperatures(&key(1), (1, epoch * 2), 1);
        assert!(city.one(time + 1, &replayed).is_err());
    }
    city
}

fn replay(blocks: &[Block], trust: Trust) -> Result<State, Divergence> {
    let (mut state, _) = State::replay_genesis(&genesis(), &blocks[0])?;
    for block in &blocks[1..] {
        state.replay(block, trust)?;
    }
    Ok(state)
}

#[test]
fn a_replayed_log_gives_the_same_state_roots_snapshot_and_results() {
    let city = city();
    for trust in [Trust::OwnLog, Trust::Nothing] {
        let (mut state, first) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
        assert_eq!(first, city.results[0]);
        for (block, results) in city.blocks.iter().zip(&city.results).skip(1) {
            assert_eq!(&state.replay(block, trust).unwrap(), results);
        }
        assert_eq!(state, city.state);
        assert_eq!((state.root(), state.state_root()), (city.state.root(), city.state.state_root()));
        assert_eq!(state.snapshot(), city.state.snapshot());
    }
}

#[test]
fn every_flipped_bit_of_a_stored_entry_is_found_at_its_index() {
    let city = city();
    let at = city.blocks.iter().position(|block| block.entries.len() == 4).unwrap();
    let first = city.results[at].first_index;
    for (place, entry) in city.blocks[at].entries.iter().enumerate() {
        for byte in 0..entry.len() {
            let mut blocks = city.blocks.clone();
            blocks[at].entries[place][byte] ^= 1;
            let divergence = replay(&blocks, Trust::Nothing).expect_err("an altered entry");
            assert_eq!((divergence.height, divergence.index), (at as u64, first + place as u64));
            let trusting =
                replay(&blocks, Trust::OwnLog).expect_err("the seal's log root commits to the entries");
            assert_eq!(trusting.height, at as u64);
        }
    }
}

#[test]
fn every_flipped_bit_of_a_stored_seal_is_found() {
    let city = city();
    for (at, block) in city.blocks.iter().enumerate() {
        let bytes = block.seal.encode();
        // The refused counts are the proposer's word: their change shows in the next block's log root or, for the last
        // block, in the checkpoint. So the last block is left out here.
        if at + 1 == city.blocks.len() {
            continue;
        }
        for byte in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[byte] ^= 1;
            let Ok(seal) = Seal::decode(&altered) else { continue };
            let mut blocks = city.blocks.clone();
            blocks[at].seal = seal;
            let divergence = replay(&blocks, Trust::OwnLog).expect_err(&format!("byte {byte} of seal {at}"));
            assert!(divergence.height >= at as u64 && !divergence.to_string().is_empty());
        }
    }
}

#[test]
fn blocks_out_of_order_or_of_another_genesis_are_named() {
    let city = city();
    let mut blocks = city.blocks.clone();
    blocks.remove(2);
    let divergence = replay(&blocks, Trust::OwnLog).unwrap_err();
    assert_eq!(divergence.difference, Difference::Height { found: 3, expected: 2 });
    let mut other = genesis();
    other.pool_microtokens += 1;
    let divergence = State::replay_genesis(&other, &city.blocks[0]).unwrap_err();
    assert_eq!((divergence.height, divergence.index), (0, 0));
    let mut blocks = city.blocks.clone();
    blocks[5].seal.time_unix_milliseconds = START - 1;
    assert_eq!(replay(&blocks, Trust::OwnLog).unwrap_err().difference, Difference::Time);
    let mut blocks = city.blocks;
    blocks[1].entries.swap_remove(0);
    let divergence = replay(&blocks, Trust::OwnLog).unwrap_err();
    assert_eq!(divergence.difference, Difference::Seal("number of entries"));
}

#[test]
fn an_entry_that_would_be_refused_cannot_be_smuggled_in() {
    let mut city = City::with_device();
    let reading = temperatures(&key(1), (1, 1), 1);
    city.one(START, &reading).unwrap();
    city.one(START, &temperatures(&key(1), (1, 2), 1)).unwrap();
    let mut blocks = city.blocks.clone();
    let last = blocks.len() - 1;
    blocks[last].entries.push(reading.bytes().to_vec());
    let divergence = replay(&blocks, Trust::Nothing).unwrap_err();
    assert_eq!(
        divergence.to_string(),
        format!(
            "block 3, entry {}: the entry would have been refused: replayed",
            city.last().first_index + 1
        )
    );
}

#[test]
fn verified_transactions_can_be_replayed_without_verifying_again() {
    let city = city();
    let (mut state, _) = State::replay_genesis(&city.genesis, &city.blocks[0]).unwrap();
    let reading = temperatures(&key(1), (9, 9), 1);
    let divergence =
        state.clone().replay_verified(&[reading], &city.blocks[1].seal, &Sequential).unwrap_err();
    assert!(matches!(divergence.difference, Difference::Refused(_)));
    state.replay(&city.blocks[1], Trust::Nothing).unwrap();
}

#[test]
fn a_restored_snapshot_is_the_state_and_goes_on_as_it_would() {
    let mut city = city();
    let mut restored = State::restore(&city.genesis, &city.state.snapshot()).unwrap();
    assert_eq!(restored, city.state);
    assert_eq!(restored.snapshot(), city.state.snapshot());
    let next = temperatures(&key(2), (1, 60), 2);
    city.one(START + 9 * EPOCH, &next).unwrap();
    let block = city.blocks.last().unwrap();
    assert_eq!(&restored.replay(block, Trust::OwnLog).unwrap(), city.last());
    assert_eq!(restored, city.state);
}

#[test]
fn a_damaged_or_foreign_snapshot_is_refused() {
    let city = city();
    let snapshot = city.state.snapshot();
    for byte in 0..snapshot.len() {
        let mut damaged = snapshot.clone();
        damaged[byte] ^= 1;
        assert_eq!(State::restore(&city.genesis, &damaged), Err(SnapshotError::Damaged), "byte {byte}");
    }
    assert_eq!(State::restore(&city.genesis, &snapshot[..snapshot.len() - 1]), Err(SnapshotError::Damaged));
    assert_eq!(State::restore(&city.genesis, &[]), Err(SnapshotError::Damaged));
    let mut other = genesis();
    other.treasury_microtokens += 1;
    assert_eq!(State::restore(&other, &snapshot), Err(SnapshotError::Foreign));
}

#[test]
fn entries_tell_their_kind_and_survive_encoding() {
    let city = city();
    let mut kinds = [0; 3];
    for entry in city.entries() {
        match Entry::decode(&entry).expect("an entry of the log") {
            Entry::Reading(reading) => {
                kinds[0] += 1;
                assert_eq!(reading.envelope(), entry);
            }
            Entry::Instruction(instruction) => {
                kinds[1] += 1;
                assert_eq!(instruction.envelope(), entry);
            }
            Entry::Seal(seal) => {
                kinds[2] += 1;
                assert_eq!(seal.encode(), entry);
            }
        }
    }
    assert_eq!(kinds, [9, 6, city.blocks.len()]);
    assert!(
        Entry::decode(b"").is_none() && Entry::decode(b"\xd2").is_none() && Entry::decode(b"\x89").is_none()
    );
    for results in &city.results {
        for outcome in &results.outcomes {
            assert_eq!(Outcome::decode(&outcome.encode()), Ok(*outcome));
        }
        for transfer in &results.transfers {
            assert_eq!(TransferRecord::decode(&transfer.encode()).as_ref(), Ok(transfer));
        }
    }
}

#[test]
fn refused_counts_stand_in_the_seal_and_add_up() {
    let city = city();
    let replayed = Refusal::Replayed.index();
    let sum: u64 = city.blocks.iter().map(|block| block.seal.refused[replayed]).sum();
    assert_eq!((sum, city.state.totals().refused[replayed]), (3, 3));
}
