//! The quality rule put to the proof: faults in honest series are caught, honest series are left alone, and the
//! documentation's example is what the ledger pays.

use e2e::quality::fault::Family;
use e2e::quality::table::{Plan, Table};
use e2e::quality::trial::{self, Envelope, Trial};
use e2e::quality::{imagined, recorded};
use ledger::statement::Statement;
use ledger::statement_line::StatementLine;
use std::fs;

/// The sensor that is known not to follow the others.
const DOUBTFUL: [u32; 1] = [16_422];
/// Set to anything, this tries every fault on every device and every day.
const ALL: &str = "LAMPPOST_QUALITY_ALL";

/// What was measured and must not get worse, in thousandths: caught, by family.
fn assert_caught(table: &Table, floors: [(Family, u32); 5]) {
    for (family, floor) in floors {
        let caught = table.family(family);
        assert!(caught.permille() >= floor, "{}: {caught} were caught\n{table}", family.as_str());
    }
}

#[test]
fn faults_in_real_series_are_caught_and_honest_days_are_paid() {
    let Some(sensors) = recorded::sensors() else {
        println!("skipped: ../shared/data/abdn_2019-05.tar.xz, the recordings, is not there");
        return;
    };
    let all = std::env::var_os(ALL).is_some();
    let plan = Plan {
        sensors: &sensors,
        first_day_unix_seconds: recorded::FIRST_DAY_UNIX_SECONDS,
        doubtful: &DOUBTFUL,
        faulty_at_once: 3,
        rounds: if all { sensors.len().div_ceil(3) } else { 1 },
        days_apart: if all { 1 } else { 2 },
        seed: 20_190_501,
    };
    let table = plan.run();
    println!("{table}");
    assert_caught(
        &table,
        [
            (Family::Stuck, 990),
            (Family::Drifting, 790),
            (Family::Spiking, 990),
            (Family::Copied, 970),
            (Family::Fabricated, 970),
        ],
    );
    assert!(table.caught_permille() >= 950, "{table}");
    assert!(table.wrongly_cut.permille() <= 20, "{table}");
    assert!(table.bystanders_cut.permille() <= 5, "{table}");
}

#[test]
fn faults_in_imagined_series_are_caught_and_honest_days_are_paid() {
    let sensors = imagined::sensors(7, 9, 3);
    let plan = Plan {
        sensors: &sensors,
        first_day_unix_seconds: recorded::FIRST_DAY_UNIX_SECONDS,
        doubtful: &[],
        faulty_at_once: 2,
        rounds: 1,
        days_apart: 1,
        seed: 7,
    };
    let table = plan.run();
    assert_caught(
        &table,
        [
            (Family::Stuck, 1_000),
            (Family::Drifting, 1_000),
            (Family::Spiking, 1_000),
            (Family::Copied, 1_000),
            (Family::Fabricated, 960),
        ],
    );
    assert_eq!(table.wrongly_cut.hits, 0, "{table}");
    assert!(table.bystanders_cut.permille() <= 10, "{table}");
    assert_eq!(plan.run(), table, "one seed gives one table");
}

/// Two devices of one place whose cell may pay 900,000 micro-tokens. One sends all day; the other leaves out 36
/// intervals, has six fan failures, repeats one value sixteen times, and ten of its envelopes come two hours late.
fn example() -> Vec<Statement> {
    let mut sensors = imagined::sensors(5, 2, 1);
    sensors[1].position = sensors[0].position;
    let troubled = &mut sensors[0].days[0];
    troubled.drain(100..136);
    for reading in troubled.iter_mut().step_by(90).take(6) {
        reading.hundredths = [Some(199_990), Some(99_990)];
    }
    let held = troubled[400].hundredths;
    troubled[400..416].iter_mut().for_each(|reading| reading.hundredths = held);
    let mut tariff = trial::tariff();
    tariff.cell_budget_microtokens = 900_000;
    tariff.quantities[0].price_microtokens = 1_237;
    let mut trial = Trial::of(&sensors, recorded::FIRST_DAY_UNIX_SECONDS, tariff);
    let late = |(number, envelope): (usize, Envelope)| match number {
        10..20 => envelope.later(7_300),
        _ => envelope,
    };
    let troubled = trial.envelopes(sensors[0].number, 0, &sensors[0].days[0], 0);
    let troubled = troubled.into_iter().enumerate().map(late);
    let punctual = trial.envelopes(sensors[1].number, 0, &sensors[1].days[0], 0);
    let envelopes: Vec<Envelope> = troubled.chain(punctual).collect();
    trial.run(0, &envelopes.iter().collect::<Vec<_>>())
}

/// A line as the documentation's table has it.
fn rows(line: &StatementLine) -> Vec<String> {
    let (price, records) = (line.price_microtokens, line.paid_records);
    let base = format!("| base | {price} × {records} | | {} |", line.base_microtokens);
    let factors = line.factors.iter().map(|factor| {
        let (numerator, denominator) = (factor.numerator, factor.denominator);
        let (permille, amount) = (factor.permille, factor.amount_microtokens);
        format!("| {} | {numerator} ÷ {denominator} | {permille} | {amount} |", factor.name)
    });
    std::iter::once(base).chain(factors).collect()
}

#[test]
fn the_documented_example_is_paid_to_the_micro_token() {
    let path = xtask::process::root().join("ledger/docs/rewards.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let statements = example();
    let troubled = |statement: &&Statement| statement.lines[0].accepted_records == 540;
    let statement = statements.iter().find(troubled).expect("the troubled device's statement");
    let (due, share) = (statement.due_microtokens, &statement.cell_share);
    let (budget, all_due) = (share.budget_microtokens, share.due_total_microtokens);
    let shared = due - share.withheld_microtokens;
    let after = [
        format!("| due | both quantities | | {due} |"),
        format!("| cell | {due} × {budget} ÷ {all_due} | | {shared} |"),
        format!("| paid | the pool holds enough | | {} |", statement.paid_microtokens),
    ];
    let rows = statement.lines.iter().flat_map(rows).chain(after);
    let lacking: Vec<String> = rows.filter(|row| !page.contains(row)).collect();
    assert!(lacking.is_empty(), "the page lacks\n{}", lacking.join("\n"));
}
