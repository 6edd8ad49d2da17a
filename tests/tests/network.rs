//! Four validators and a gateway as real processes, mistreated in every way there is: one ledger, nothing acknowledged
//! lost, each reading paid once, and every node's audit agrees.

use e2e::network::scenario::{Scenario, Setting};

/// Where order and moments come from; a failure names it.
const SEED: u64 = 0x5eed_0007;

fn holds(name: &str) {
    let scenario = Scenario::named(name).expect("there is such a scenario");
    let Some(verdict) = scenario.run(Setting { rounds: 1, seed: SEED }) else { return };
    println!("{name}: {verdict}");
    assert!(verdict.is_clean(), "seed {SEED:#x}: {verdict}");
    assert!(verdict.acknowledged > 20, "there was load: {verdict}");
}

#[test]
fn each_validator_may_be_killed_in_turn() {
    holds("killed-in-turn");
}

#[test]
fn validators_are_restarted_one_after_the_other_without_a_pause() {
    holds("rolling-restart");
}

#[test]
fn two_of_four_decide_nothing_and_acknowledge_nothing_until_one_is_back() {
    holds("two-down");
}

#[test]
fn all_validators_killed_at_once_go_on_where_they_were() {
    holds("all-killed");
}

#[test]
fn a_gateway_killed_with_a_full_outbox_loses_nothing_and_nothing_is_paid_twice() {
    holds("gateway-killed");
}

#[test]
fn neither_of_two_halves_decides() {
    holds("halves");
}

#[test]
fn three_go_on_without_the_one_that_is_cut_off() {
    holds("one-cut-off");
}

#[test]
fn a_link_that_works_one_way_alone_forks_nothing() {
    holds("one-way");
}

#[test]
fn two_hundred_milliseconds_and_two_percent_loss_slow_the_network_and_nothing_else() {
    holds("slow-and-lossy");
}

#[test]
fn a_clock_an_hour_ahead_stops_nobody_and_dates_nothing() {
    holds("clock-ahead");
}

#[test]
fn a_clock_an_hour_behind_stops_nobody_and_dates_nothing() {
    holds("clock-behind");
}

#[test]
fn a_full_disk_of_one_validator_stops_that_one_alone() {
    holds("disk-full");
}

#[test]
fn a_wiped_validator_never_votes_with_its_old_key_and_joins_with_a_new_one() {
    holds("wiped");
}

#[test]
fn an_empty_fifth_node_catches_up_and_its_vote_counts_once_it_is_added() {
    holds("fifth");
}

#[test]
fn whoever_signs_twice_forks_nothing_and_the_evidence_is_on_the_ledger() {
    holds("signs-twice");
}

#[test]
fn a_block_with_wrong_results_is_nobodys_next_block() {
    holds("wrong-results");
}

#[test]
fn a_block_with_a_forged_reading_is_nobodys_next_block() {
    holds("forged-reading");
}

#[test]
fn parts_of_no_block_fill_nobodys_memory() {
    holds("garbage-parts");
}
