//! Every decoder's claim, on altered copies of valid inputs and on chance: bounded, and the same in every run.

use decoders::mutator::Mutator;
use decoders::{ALL, EntryPoint};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Inputs of each entry point.
const INPUTS: u32 = 20_000;
const SEED: u64 = 0x6c61_6d70;

fn hold(entry: &EntryPoint) {
    let seeds = (entry.seeds)();
    assert!(!seeds.is_empty(), "{} begins with something valid", entry.name);
    seeds.iter().for_each(|seed| (entry.run)(seed));
    let mut mutator = Mutator::new(SEED);
    for _ in 0..INPUTS {
        let input = mutator.input(&seeds);
        if catch_unwind(AssertUnwindSafe(|| (entry.run)(&input))).is_err() {
            panic!("{}: {}: the claim does not hold of {}", entry.name, entry.claim, hexadecimal(&input));
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A test each, so that they are counted and run side by side.
macro_rules! claims {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                hold(decoders::named(stringify!($name)));
            }
        )*

        #[test]
        fn every_entry_point_is_tested() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(tested.to_vec(), ALL.iter().map(|entry| entry.name).collect::<Vec<_>>());
        }

        #[test]
        fn every_entry_point_has_a_fuzz_target_of_its_name() {
            let targets = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/fuzz_targets");
            for entry in ALL {
                let source = fs::read_to_string(format!("{targets}/{}.rs", entry.name)).unwrap_or_default();
                assert!(source.contains(&format!("decoders::run(\"{}\"", entry.name)), "{}", entry.name);
            }
            assert_eq!(fs::read_dir(targets).map(Iterator::count).unwrap_or(0), ALL.len());
        }
    };
}

claims!(
    envelope instruction pack cbor notice identity_page manifest topic payload entry statement leaf snapshot genesis proof
    checkpoint name certificate evidence validators link broker_rules log block
);
