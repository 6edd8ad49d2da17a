//! Bookkeeping beside the ledger's own: everything that must hold after a block, from nothing but public answers.

use devices::identity::DeviceId;
use devices::sequence::Sequence;
use ledger::account::AccountId;
use ledger::block::BlockResults;
use ledger::genesis::Genesis;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::transaction::Outcome;
use ledger::transfer::TransferReason;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// What the history so far amounts to.
pub struct Books {
    supply: AccountId,
    pool: AccountId,
    balances: BTreeMap<AccountId, i128>,
    accepted: HashSet<(DeviceId, u32, u32)>,
    earned: BTreeMap<DeviceId, u128>,
    records: u64,
    paid: u128,
    statements: u64,
    cut_by_cell: u64,
    cut_by_pool: u64,
    cut_by_factor: u64,
    settled_twice_by_one_device: u64,
}

impl Books {
    /// Empty books.
    pub fn new(genesis: &Genesis) -> Books {
        Books {
            supply: AccountId::supply(&genesis.network),
            pool: AccountId::pool(&genesis.network),
            balances: BTreeMap::new(),
            accepted: HashSet::new(),
            earned: BTreeMap::new(),
            records: 0,
            paid: 0,
            statements: 0,
            cut_by_cell: 0,
            cut_by_pool: 0,
            cut_by_factor: 0,
            settled_twice_by_one_device: 0,
        }
    }

    /// Takes a block's results in, and compares all of the state with all of history.
    pub fn close(&mut self, state: &State, results: &BlockResults) {
        for outcome in &results.outcomes {
            if let Outcome::Reading { kid, sequence: Sequence { boot, count }, records, .. } = outcome {
                assert!(self.accepted.insert((*kid, *boot, *count)), "{kid}: {boot}, {count} counts twice");
                self.records += u64::from(*records);
            }
        }
        // Settled first: the pool's balance is still that of the block before.
        self.settle(results);
        let mut rewards = 0;
        for record in &results.transfers {
            let transfer = &record.transfer;
            let amount = i128::from(transfer.amount_microtokens);
            assert!(amount > 0 && transfer.debit != transfer.credit);
            *self.balances.entry(transfer.debit).or_default() -= amount;
            *self.balances.entry(transfer.credit).or_default() += amount;
            if matches!(transfer.reason, TransferReason::Reward { .. }) {
                rewards += u128::from(transfer.amount_microtokens);
            }
        }
        let paid: u128 = results.statements.iter().map(|it| u128::from(it.paid_microtokens)).sum();
        assert_eq!(paid, rewards, "each statement is one transfer");
        self.compare(state);
    }

    /// Debits equal credits; every balance is that of its history; all together are the supply.
    fn compare(&self, state: &State) {
        let (mut debits, mut credits, mut held, mut accounts) = (0_u128, 0_u128, 0_i128, 0);
        for (id, account) in state.accounts() {
            debits += account.debits_posted;
            credits += account.credits_posted;
            let expected = self.balances.get(&id).copied().unwrap_or(0);
            if id == self.supply {
                assert_eq!(expected, -i128::from(state.issued_microtokens()));
                continue;
            }
            assert!(account.rewards_microtokens <= account.credits_posted);
            assert_eq!(i128::from(account.balance()), expected, "{id}");
            held += expected;
            accounts += usize::from(expected != 0);
        }
        assert_eq!(debits, credits, "debits equal credits");
        assert_eq!(held, i128::from(state.issued_microtokens()), "the supply is the sum of balances");
        let others = self.balances.iter().filter(|(id, balance)| **id != self.supply && **balance != 0);
        assert_eq!(others.count(), accounts, "no balance outside the accounts");
        let totals = state.totals();
        assert_eq!((totals.envelopes, totals.records), (self.accepted.len() as u64, self.records));
        assert_eq!(totals.paid_microtokens, self.paid);
        for (kid, device) in state.devices() {
            let earned = self.earned.get(&kid).copied().unwrap_or(0);
            assert_eq!(u128::from(device.earned_microtokens), earned, "{kid}");
        }
    }

    fn settle(&mut self, results: &BlockResults) {
        let Some(settlement) = &results.settlement else {
            assert!(results.statements.is_empty());
            return;
        };
        let pool = self.balances.get(&self.pool).copied().unwrap_or(0);
        assert_eq!(i128::from(settlement.pool_before_microtokens), pool);
        let sum = |amount: fn(&Statement) -> u64| -> u128 {
            results.statements.iter().map(|statement| u128::from(amount(statement))).sum()
        };
        let paid = sum(|it| it.paid_microtokens);
        assert_eq!(u128::from(settlement.paid_microtokens), paid);
        assert_eq!(
            paid + u128::from(settlement.remainder_microtokens),
            u128::from(settlement.pool_before_microtokens),
            "statements and remainder are the pool before"
        );
        assert_eq!(settlement.due_microtokens, sum(|it| it.due_microtokens));
        assert_eq!(
            settlement.due_microtokens
                - settlement.withheld_by_cells_microtokens
                - settlement.withheld_by_pool_microtokens,
            paid
        );
        let mut cells = BTreeMap::new();
        let mut devices = BTreeMap::new();
        for statement in &results.statements {
            self.statements += 1;
            self.multiplies_out(statement);
            let left = statement.due_microtokens - statement.cell_share.withheld_microtokens;
            let (sum, budget) =
                cells.entry(statement.cell_share.cell.map(|cell| cell.index())).or_insert((0_u128, 0));
            *sum += u128::from(left);
            *budget = statement.cell_share.budget_microtokens;
            *devices.entry(statement.kid).or_insert(0_u64) += 1;
            *self.earned.entry(statement.kid).or_default() += u128::from(statement.paid_microtokens);
        }
        for (cell, (sum, budget)) in cells {
            assert!(sum <= u128::from(budget), "cell {cell:?} gets more than its budget");
        }
        self.settled_twice_by_one_device += devices.values().filter(|count| **count > 1).count() as u64;
        self.paid += paid;
    }

    /// Anyone can compute a statement's amount from its lines, and everything that was cut has a reason.
    fn multiplies_out(&mut self, statement: &Statement) {
        let mut due = 0;
        for line in &statement.lines {
            let base = line.price_microtokens * u64::from(line.paid_records);
            assert_eq!(line.base_microtokens, base);
            assert!(line.paid_records == line.accepted_records || line.reason.is_some(), "{line:?}");
            let mut amount = base;
            for factor in &line.factors {
                let share = 1_000 * u128::from(factor.numerator) / u128::from(factor.denominator);
                assert_eq!(u128::from(factor.permille), share.min(1_000), "{line:?}");
                amount = u64::try_from(u128::from(amount) * u128::from(factor.permille) / 1_000).unwrap();
                assert_eq!(factor.amount_microtokens, amount, "{line:?}");
                assert_eq!(factor.cut.is_some(), factor.permille < 1_000, "{line:?}");
                self.cut_by_factor += u64::from(factor.cut.is_some());
            }
            assert_eq!(line.amount_microtokens, amount, "{line:?}");
            assert!(amount > 0 || has_reason(line), "a zero without a reason: {line:?}");
            due += amount;
        }
        assert_eq!(statement.due_microtokens, due);
        let by_cell = statement.cell_share.withheld_microtokens;
        let by_pool = statement.pool_scale.map_or(0, |scale| scale.withheld_microtokens);
        assert_eq!(statement.paid_microtokens, due - by_cell - by_pool);
        assert_eq!(statement.cell_share.reason().is_some(), by_cell > 0);
        self.cut_by_cell += u64::from(by_cell > 0);
        self.cut_by_pool += u64::from(by_pool > 0);
    }

    /// A run in which a rule was never met proves nothing of it.
    pub fn has_seen_everything(&self) {
        assert!(self.paid > 0);
        let cuts = [self.cut_by_cell, self.cut_by_pool, self.cut_by_factor, self.settled_twice_by_one_device];
        assert!(cuts.iter().all(|cut| *cut > 0), "{self}");
    }
}

fn has_reason(line: &ledger::statement_line::StatementLine) -> bool {
    line.reason.is_some() || line.price_microtokens == 0 || line.factors.iter().any(|it| it.cut.is_some())
}

impl fmt::Display for Books {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} records, {} statements ({} cut by a cell, {} by the pool, {} factors below one, {} of a device with \
             two payees), {} micro-tokens paid",
            self.records,
            self.statements,
            self.cut_by_cell,
            self.cut_by_pool,
            self.cut_by_factor,
            self.settled_twice_by_one_device,
            self.paid
        )
    }
}
