//! Each alert is told when its figures say so, and not before; every one has a rule, and rules name only metrics there are.

use std::time::Duration;

use super::*;
use crate::consensus::status::{Role, Status, Stuck, ValidatorStatus};
use crate::pulse::{Counts, Recent};
use crate::telemetry::{Queue, Telemetry};

const RULES: &str = include_str!("../../alerts/lamppost.rules.yml");

/// A node that is well.
fn well() -> Figures {
    Figures {
        devices: 10,
        silent_after_seconds: 300,
        accepted_lately: 1_000,
        refused_mostly: "replayed",
        lately_seconds: 300,
        disk_free_bytes: 100 * ALERT_DISK_BYTES,
        disk_reserve_bytes: 64,
        index_behind_max: 1_000,
        pool_microtokens: 1,
        pool_seconds: Some(ALERT_POOL_SECONDS),
        treasury_seconds: Some(ALERT_TREASURY_SECONDS),
        ..Figures::default()
    }
}

fn kinds(figures: &Figures) -> Vec<Kind> {
    of(figures).into_iter().map(|alert| alert.kind).collect()
}

#[test]
fn a_node_that_is_well_has_no_alert() {
    assert!(of(&well()).is_empty());
    let idle = Figures { pool_seconds: None, treasury_seconds: None, ..well() };
    assert!(of(&idle).is_empty(), "nothing is paid out");
}

#[test]
fn each_alert_begins_where_its_figures_say() {
    let cases = [
        (Kind::SilentDevices, Figures { silent: 1, ..well() }),
        (Kind::RefusalSpike, Figures { refused_lately: ALERT_REFUSED_MIN, accepted_lately: 1, ..well() }),
        (Kind::StuckHeight, Figures { overdue_seconds: ALERT_STUCK_SECONDS, ..well() }),
        (Kind::DiskNearlyFull, Figures { disk_free_bytes: ALERT_DISK_BYTES, ..well() }),
        (Kind::DiskNearlyFull, Figures { disk_full: true, ..well() }),
        (Kind::IndexBehind, Figures { index_behind: 501, ..well() }),
        (Kind::IndexBehind, Figures { index_errors: 1, ..well() }),
        (Kind::PoolRunningOut, Figures { pool_seconds: Some(ALERT_POOL_SECONDS - 1), ..well() }),
        (Kind::PoolRunningOut, Figures { pool_microtokens: 0, pool_seconds: None, ..well() }),
        (Kind::TreasuryRunningOut, Figures { treasury_seconds: Some(ALERT_TREASURY_SECONDS - 1), ..well() }),
    ];
    for (kind, figures) in cases {
        assert_eq!(kinds(&figures), [kind], "{figures:?}");
        let alert = &of(&figures)[0];
        assert!(alert.cause.ends_with('.') && alert.action.ends_with('.'), "{alert:?}");
    }
}

#[test]
fn few_refusals_and_few_among_many_are_no_spike() {
    let few = Figures { refused_lately: ALERT_REFUSED_MIN - 1, accepted_lately: 0, ..well() };
    let among_many = Figures { refused_lately: 10_000, accepted_lately: 10_000_000, ..well() };
    assert_eq!((kinds(&few), kinds(&among_many)), (vec![], vec![]));
    let endless = Figures { refused_lately: u64::MAX, accepted_lately: u64::MAX, ..well() };
    assert_eq!(kinds(&endless), [Kind::RefusalSpike]);
}

#[test]
fn the_most_urgent_comes_first() {
    let figures = Figures { silent: 3, overdue_seconds: 1_000, disk_full: true, ..well() };
    assert_eq!(kinds(&figures), [Kind::StuckHeight, Kind::DiskNearlyFull, Kind::SilentDevices]);
    assert!(of(&figures)[0].action.contains("disk"), "a full disk is why nothing goes on");
}

/// The names of our metrics in the rules.
fn named_metrics() -> Vec<&'static str> {
    let is_of_a_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = RULES.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = words.flat_map(|line| line.split(move |character| !is_of_a_name(character)));
    words.filter(|word| word.starts_with("lamppost_")).collect()
}

#[test]
fn every_metric_that_a_rule_names_is_exported() {
    let telemetry = Telemetry::new();
    Queue::ALL.into_iter().for_each(|queue| telemetry.queue_bound(queue, 1));
    let counts = Counts::default();
    telemetry.delays(&Recent { over: Duration::ZERO, counts, delay_half: None, delay_p99: None });
    telemetry.devices_by_status("silent", 0);
    let status = agreement_of_four();
    telemetry.agreement.show(&status, &Agreement::of(&status, 3, Vec::new(), 0));
    let exported = telemetry.render();
    let is_exported = |name: &str| {
        let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        exported.lines().any(of)
    };
    // Those of the link stand where there is one: its own tests prove them at both ends.
    let named: Vec<_> =
        named_metrics().into_iter().filter(|name| !name.starts_with("lamppost_link_")).collect();
    assert!(named.len() >= Kind::ALL.len());
    for name in named {
        assert!(is_exported(name), "{name} is no metric of the node");
    }
    assert!(!is_exported("lamppost_no_such_metric"));
}

/// How four validators agree, all of them well.
fn agreement_of_four() -> Status {
    let validators = ["city", "utility", "university", "operator"].map(|name| ValidatorStatus {
        name: name.to_owned(),
        is_self: name == "city",
        is_connected: name != "city",
        missed_proposals: 7,
        last_signed_height: Some(40),
    });
    Status {
        role: Role::Validator,
        name: "city".to_owned(),
        height: 41,
        round: 0,
        proposer: Some("utility".to_owned()),
        validators: validators.into(),
        last_block_unix_milliseconds: 0,
        stuck: None,
    }
}

#[test]
fn several_validators_are_shown_in_the_metrics_and_a_lone_one_shows_none() {
    let telemetry = Telemetry::new();
    assert!(!telemetry.render().contains("lamppost_consensus_"), "{}", telemetry.render());
    let status = agreement_of_four();
    let told = Agreement::of(&status, 3, Vec::new(), 9_000);
    telemetry.agreement.show(&status, &told);
    let stuck = Status { stuck: Some(Stuck::Disk), validators: status.validators[..2].to_vec(), ..status };
    telemetry.agreement.show(&stuck, &told);
    let text = telemetry.render();
    for line in [
        "lamppost_consensus_height{role=\"validator\"} 41",
        "lamppost_consensus_connected{role=\"validator\"} 1",
        "lamppost_last_block_seconds{role=\"validator\"} 9",
        "lamppost_consensus_stuck{cause=\"disk\"} 1",
        "lamppost_consensus_stuck{cause=\"no_quorum\"} 0",
        "lamppost_validator_connected{validator=\"utility\"} 1",
        "lamppost_validator_missed_proposals_total{validator=\"city\"} 7",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let gone = "lamppost_validator_connected{validator=\"operator\"}";
    assert!(!text.contains(gone), "who has left is not said of any more:\n{text}");
}

#[test]
fn what_is_wrong_with_the_agreement_comes_first() {
    let stuck = Status { stuck: Some(Stuck::Wal("broken".to_owned())), ..agreement_of_four() };
    let told = Agreement::of(&stuck, 3, vec!["utility".to_owned()], 60_000);
    let figures = Figures { agreement: Some(told), silent: 1, ..well() };
    assert_eq!(kinds(&figures), [Kind::StuckHeight, Kind::ValidatorMisbehaved, Kind::SilentDevices]);
    let mut missing = agreement_of_four();
    missing.validators[1].is_connected = false;
    let figures = Figures { agreement: Some(Agreement::of(&missing, 3, Vec::new(), 0)), ..well() };
    assert_eq!(kinds(&figures), [Kind::ValidatorsMissing]);
}

#[test]
fn every_alert_has_a_rule_and_a_gauge() {
    let exported = Telemetry::new().render();
    for kind in Kind::ALL {
        let label = format!("lamppost_alert{{kind=\"{}\"}}", kind.as_str());
        assert!(RULES.contains(&label), "{label} has no rule");
        assert!(exported.contains(&format!("{label} 0")), "{label} is not exported");
    }
}
