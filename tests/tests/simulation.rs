//! Three hundred seeded cities with every kind of fault: nothing acknowledged is lost, nothing is paid twice, every
//! token is accounted for, and in peace everything comes through.

use std::sync::OnceLock;
use world::faults::Fault;
use world::run::Report;
use world::simulate::{self, Wanted};

/// Seeds of every run of the tests; more by `cargo xtask simulate`.
const SEEDS: u64 = 300;

/// The report of all seeds, which run once for all tests of this file.
fn report() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| {
        let report = simulate::seeds(Wanted { from: 0, seeds: SEEDS }, false);
        report.unwrap_or_else(|failure| panic!("{failure}"))
    })
}

#[test]
fn every_claim_holds_in_three_hundred_cities() {
    let report = report();
    assert_eq!(report.seeds, SEEDS);
    assert!(report.readings > 50 * SEEDS && report.instructions > 10 * SEEDS, "{report}");
    assert!(report.statements > 5 * SEEDS, "{report}");
    println!("{report}");
}

#[test]
fn every_kind_of_fault_was_injected() {
    let report = report();
    let missing: Vec<_> =
        Fault::ALL.into_iter().filter(|fault| report.faults.of(*fault) < 10).map(Fault::as_str).collect();
    assert!(missing.is_empty(), "hardly any of: {missing:?}\n{report}");
}

#[test]
fn the_same_seed_is_the_same_city() {
    let once = world::run::run(7).unwrap_or_else(|failure| panic!("{failure}"));
    let again = world::run::run(7).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(once, again);
    let another = world::run::run(8).unwrap_or_else(|failure| panic!("{failure}"));
    assert_ne!(once.sum, another.sum);
}
