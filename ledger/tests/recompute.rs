//! Statements reckoned again from their own counts: every settled one comes out the same, no altered one does.

mod city;

use city::{City, EPOCH, START, account, genesis, key, tariff, temperatures};
use ledger::genesis::Genesis;
use ledger::recompute::{Step, recompute};
use ledger::statement::Statement;
use ledger::tariff::Tariff;

/// Statements of an epoch in which four devices sent and pool and cells may have been short.
fn settled(tariff: &Tariff, pool_microtokens: u64) -> Vec<Statement> {
    let mut city = City::with(Genesis { tariff: tariff.clone(), pool_microtokens, ..genesis() });
    for seed in 1..5 {
        city.enrol(&key(seed), Some(account(&key(100 + seed))));
        city.one(START + 1_000, &temperatures(&key(seed), (1, 1), 5 + usize::from(seed))).unwrap();
    }
    city.block(START + EPOCH, &[]);
    city.last().statements.clone()
}

fn differing(statement: &Statement, tariff: &Tariff) -> Vec<Step> {
    recompute(statement, tariff).into_iter().filter(|step| !step.holds).collect()
}

#[test]
fn every_settled_statement_comes_out_the_same() {
    let whole = tariff();
    let short = Tariff { cell_budget_microtokens: 10_001, ..whole.clone() };
    for (tariff, pool) in [(&whole, 1_000_000), (&short, 1_000_000), (&whole, 9_999), (&short, 7)] {
        let statements = settled(tariff, pool);
        assert_eq!(statements.len(), 4);
        for statement in &statements {
            assert!(differing(statement, tariff).is_empty(), "{statement:?}");
        }
    }
}

/// Alters a statement.
type Alteration = fn(&mut Statement);

#[test]
fn no_altered_amount_or_count_comes_out_the_same() {
    let tariff = Tariff { cell_budget_microtokens: 10_001, ..tariff() };
    let statement = settled(&tariff, 9_000).remove(0);
    let alterations: [(&str, Alteration); 9] = [
        ("tariff", |altered| altered.tariff_version += 1),
        ("price", |altered| altered.lines[0].price_microtokens += 1),
        ("paid records", |altered| altered.lines[0].paid_records += 100),
        ("paid records × price", |altered| altered.lines[0].base_microtokens += 1),
        ("in thousandths", |altered| altered.lines[0].factors[1].permille -= 1),
        ("amount", |altered| altered.lines[0].amount_microtokens += 1),
        ("due", |altered| altered.due_microtokens += 1),
        ("leaves", |altered| altered.cell_share.withheld_microtokens += 1),
        ("paid", |altered| altered.paid_microtokens += 1),
    ];
    for (what, alter) in alterations {
        let mut altered = statement.clone();
        alter(&mut altered);
        let differing = differing(&altered, &tariff);
        assert!(differing.iter().any(|step| step.what.ends_with(what)), "{what}: {differing:?}");
    }
}

#[test]
fn a_statement_of_absurd_numbers_is_said_to_differ_and_breaks_nothing() {
    let tariff = tariff();
    let mut statement = settled(&tariff, 1_000_000).remove(0);
    statement.lines[0].price_microtokens = u64::MAX;
    statement.lines[0].factors[0].denominator = 0;
    statement.due_microtokens = u64::MAX;
    statement.cell_share.due_total_microtokens = 1;
    assert!(differing(&statement, &tariff).len() > 2);
}
