//! The replay window against the contract's sentences.

use devices::sequence::Sequence;
use ledger::window::Window;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn at(boot: u32, count: u32) -> Sequence {
    Sequence { boot, count }
}

/// A window that has accepted these.
fn window(accepted: &[(u32, u32)]) -> Window {
    let mut window = Window::default();
    accepted.iter().for_each(|(boot, count)| window.accept(at(*boot, *count)));
    window
}

/// What it is about, what was accepted, what comes next, and whether that is a replay.
type Case<'a> = (&'a str, &'a [(u32, u32)], (u32, u32), bool);

#[test]
fn the_contracts_rules_hold_line_by_line() {
    let table: &[Case<'_>] = &[
        ("the very first may have any number", &[], (0, 0), false),
        ("the very first may be high", &[], (9, 1_000_000), false),
        ("the same again", &[(1, 5)], (1, 5), true),
        ("the next", &[(1, 5)], (1, 6), false),
        ("one that was skipped", &[(1, 5), (1, 7)], (1, 6), false),
        ("one that was skipped and came", &[(1, 5), (1, 7), (1, 6)], (1, 6), true),
        ("63 under the highest is within", &[(1, 163)], (1, 100), false),
        ("63 under the highest, twice", &[(1, 100), (1, 163)], (1, 100), true),
        ("64 under the highest is below", &[(1, 164)], (1, 100), true),
        ("far below", &[(1, 1_000_000)], (1, 1), true),
        ("a later boot", &[(1, 1_000)], (2, 0), false),
        ("an earlier boot", &[(2, 0)], (1, 1_001), true),
        ("a jump clears the window", &[(1, 5), (1, 1_000)], (1, 999), false),
        ("a jump of exactly 64", &[(1, 5), (1, 69)], (1, 6), false),
        ("a jump of exactly 64, the old one", &[(1, 5), (1, 69)], (1, 5), true),
        ("the top of the counts", &[(1, u32::MAX)], (1, u32::MAX), true),
        ("the top of the boots", &[(u32::MAX, u32::MAX)], (u32::MAX, u32::MAX - 1), false),
    ];
    for (case, accepted, sequence, replayed) in table {
        assert_eq!(window(accepted).is_replayed(at(sequence.0, sequence.1)), *replayed, "{case}");
    }
}

#[test]
fn bit_zero_is_the_highest_and_bit_i_lies_i_below() {
    let window = window(&[(3, 10), (3, 12), (3, 13)]);
    assert_eq!(window.highest(), Some(at(3, 13)));
    assert_eq!(window.bits(), 0b1011);
    assert_eq!(Window::from_parts(window.highest(), window.bits()), Some(window));
    assert_eq!(Window::from_parts(None, 1), None);
    assert_eq!(Window::from_parts(Some(at(1, 1)), 2), None);
}

proptest! {
    #[test]
    fn nothing_is_ever_accepted_twice(
        sequences in prop::collection::vec((0_u32..3, 0_u32..200), 1..300)
    ) {
        let mut window = Window::default();
        let mut accepted: BTreeSet<(u32, u32)> = BTreeSet::new();
        for (boot, count) in sequences {
            let highest = accepted.last().copied();
            let by_the_contract = accepted.contains(&(boot, count))
                || highest.is_some_and(|(b, c)| boot < b || (boot == b && count + 64 <= c));
            prop_assert_eq!(window.is_replayed(at(boot, count)), by_the_contract);
            if !by_the_contract {
                window.accept(at(boot, count));
                accepted.insert((boot, count));
            }
        }
    }
}
