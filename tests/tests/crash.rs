//! kill -9 in the middle of work, fifty times: everything acknowledged is on the ledger, once, and paid once.

use e2e::crash;

const ROUNDS: u32 = 50;
/// Where the moments of the kills come from; a failure names it.
const SEED: u64 = 0x1a3b_9f02;

#[test]
fn what_was_acknowledged_before_a_kill_is_paid_exactly_once() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let report = crash::run(directory.path(), ROUNDS, SEED, |_| ());
    println!("{report}");
    assert!(report.is_clean(), "seed {SEED:#x}: {report}");
    assert_eq!((report.rounds(), report.kills.len()), (ROUNDS, 4), "every moment is met");
    assert!(report.envelopes_acknowledged > 500, "{report}");
    assert!(report.instructions_accepted > 50, "{report}");
}
