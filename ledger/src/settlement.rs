//! An epoch's end: every device's statement, and the rules of the registry.

use crate::account::AccountId;
use crate::instruction::InstructionRefusal;
use crate::registry::Position;
use crate::reward::{share_of_pool, statement_lines};
use crate::state::State;
use crate::statement::Statement;
use crate::tally::Tally;
use alloc::vec::Vec;
use devices::identity::{DeviceId, PublicKey};

impl State {
    /// Writes the running epoch's statements and clears the tallies. Nothing is posted here: the block does that, and
    /// places the seal's index into the statements.
    ///
    /// # Panics
    /// When the tallies do not add up to the running sum, or the shares to more than the pool.
    pub(crate) fn settle(&mut self, height: u64) -> Vec<Statement> {
        let pool_microtokens = self.balance_microtokens(self.constants.pool);
        let sent = self.devices.iter().filter(|(_, device)| device.tally.envelopes > 0);
        let kids: Vec<DeviceId> = sent.map(|(kid, _)| *kid).collect();
        let mut statements: Vec<Statement> =
            kids.into_iter().filter_map(|kid| self.close(kid, height)).collect();
        let sum = |amount: fn(&Statement) -> u64, statements: &[Statement]| {
            statements.iter().map(|statement| u128::from(amount(statement))).fold(0, u128::saturating_add)
        };
        let due_total = sum(|statement| statement.due_microtokens, &statements);
        assert_eq!(due_total, self.due_total_microtokens, "the tallies must add up to the running sum");
        for statement in &mut statements {
            let (paid, scale) = share_of_pool(statement.due_microtokens, due_total, pool_microtokens);
            (statement.paid_microtokens, statement.pool_scale) = (paid, scale);
            if let Some(device) = self.devices.get_mut(&statement.kid) {
                device.earned_microtokens = device.earned_microtokens.saturating_add(paid);
            }
        }
        let paid_total = sum(|statement| statement.paid_microtokens, &statements);
        assert!(paid_total <= u128::from(pool_microtokens), "payouts must never exceed the pool");
        self.totals.paid_microtokens = self.totals.paid_microtokens.saturating_add(paid_total);
        self.due_total_microtokens = 0;
        statements
    }

    /// One device's statement, before the pool is looked at; its tally is emptied.
    fn close(&mut self, kid: DeviceId, height: u64) -> Option<Statement> {
        let (epoch, escrow) = (self.epoch, self.escrow(kid));
        let device = self.devices.get_mut(&kid)?;
        let tally = core::mem::take(&mut device.tally);
        let Tally { envelopes, .. } = tally;
        let lines = statement_lines(&self.tariff, &tally);
        let due = lines.iter().try_fold(0_u64, |sum, line| sum.checked_add(line.amount_microtokens));
        Some(Statement {
            kid,
            epoch,
            from_unix_milliseconds: self.constants.epoch_begins(epoch),
            to_unix_milliseconds: self.constants.epoch_begins(epoch.saturating_add(1)),
            owner: device.owner,
            payee: device.owner.unwrap_or(escrow),
            tariff_version: self.tariff.version,
            envelopes,
            lines,
            due_microtokens: due.expect("the tariff's bounds keep a device's due within a u64"),
            pool_scale: None,
            paid_microtokens: 0,
            height,
            seal_index: 0,
        })
    }

    /// Whether `account` may enrol this device here, in order of precedence.
    pub(crate) fn check_enrolment(
        &self,
        account: AccountId,
        public_key: &PublicKey,
        owner: Option<AccountId>,
        position: Option<Position>,
    ) -> Result<(), InstructionRefusal> {
        if account != self.constants.operator {
            return Err(InstructionRefusal::NotOperator);
        }
        if self.devices.contains_key(&public_key.kid()) {
            return Err(InstructionRefusal::AlreadyEnrolled);
        }
        if owner.is_some_and(|owner| owner == self.constants.pool || owner == self.constants.supply) {
            return Err(InstructionRefusal::OwnerNotAllowed);
        }
        match position {
            Some(position) if !position.is_on_earth() => Err(InstructionRefusal::PositionOutOfRange),
            Some(position) if position.is_null_island() => Err(InstructionRefusal::PositionUnset),
            _ => Ok(()),
        }
    }
}
