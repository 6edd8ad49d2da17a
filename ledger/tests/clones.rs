//! A clone of the state stands still while blocks go on with its original, which does as if there had never been one.

mod city;

use city::asking::{accept, offer};
use city::{City, EPOCH, START, account, key, temperatures, treasury};
use ledger::instruction::Instruction;
use ledger::state::State;

/// Three epochs that change everything a state holds; before each block somebody looks.
fn city(mut look: impl FnMut(&State)) -> City {
    let mut city = City::new();
    for seed in 1..40 {
        look(&city.state);
        city.enrol(&key(seed), (seed % 3 > 0).then(|| account(&key(100 + seed % 2))));
    }
    for epoch in 0..3_u32 {
        for round in 0..2 {
            look(&city.state);
            let sent: Vec<_> =
                (1..40).map(|seed| temperatures(&key(seed), (1, epoch * 2 + round), 2)).collect();
            let time = START + u64::from(epoch) * EPOCH + u64::from(round);
            assert!(city.block(time, &sent).into_iter().all(|outcome| outcome.is_ok()));
        }
        look(&city.state);
        let to = account(&key(120));
        city.carry_out(&treasury(), &Instruction::Transfer { to, amount_microtokens: 5, memo: None });
        if epoch == 0 {
            // The only device of its owner: of two owners one is gone, and one is new.
            look(&city.state);
            city.enrol(&key(50), Some(account(&key(110))));
            city.carry_out(&key(110), &offer(&key(50), Some(&key(111))));
            look(&city.state);
            city.carry_out(&key(111), &accept(&key(50)));
        }
    }
    look(&city.state);
    city.block(START + 3 * EPOCH, &[]);
    city
}

#[test]
fn a_clone_sees_nothing_of_later_blocks_and_they_nothing_of_it() {
    let mut clones: Vec<(State, Vec<u8>)> = Vec::new();
    let looked_at = city(|state| clones.push((state.clone(), state.snapshot())));
    let alone = city(|_| {});
    assert_eq!(looked_at.blocks, alone.blocks);
    assert_eq!(looked_at.results, alone.results);
    assert_eq!(looked_at.state, alone.state);
    assert_eq!(looked_at.state.snapshot(), alone.state.snapshot());
    for (clone, bytes) in &clones {
        assert!(clone.snapshot() == *bytes, "the clone of height {} stands still", clone.height());
        let restored = State::restore(&alone.genesis, bytes).unwrap();
        assert_eq!(*clone, restored);
        for seed in [100, 101, 110, 111] {
            let owner = account(&key(seed));
            assert!(clone.devices_of(owner).eq(restored.devices_of(owner)), "whose devices they were then");
        }
    }
}
