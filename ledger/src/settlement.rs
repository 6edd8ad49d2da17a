//! An epoch's end: every device's statements, and what all of them come to.

use crate::encoding::{Read, Written, array_of, encoded, read_wide, write_wide};
use crate::judging::Judgements;
use crate::quality::{Findings, Judgement};
use crate::registry::Device;
use crate::reward::statement_lines;
use crate::sharded::Shard;
use crate::shares::share;
use crate::state::State;
use crate::statement::{CellShare, Statement};
use crate::tally::Part;
use crate::tariff::Tariff;
use crate::workers::{Workers, in_parts, ranges};
use alloc::sync::Arc;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::DeviceId;

/// What the statements of an epoch come to: due − withheld by cells − withheld by the pool = paid, and
/// paid + remainder = the pool before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The first epoch that was closed; the statements are this one's.
    pub first_epoch: u64,
    /// The last epoch that was closed; those after the first had no readings.
    pub last_epoch: u64,
    /// The price list.
    pub tariff_version: u32,
    /// How many statements there are.
    pub statements: u64,
    /// What the pool held before.
    pub pool_before_microtokens: u64,
    /// What all lines come to.
    pub due_microtokens: u128,
    /// What the cells' budgets withheld.
    pub withheld_by_cells_microtokens: u128,
    /// What the pool did not hold, and what rounding its shares down left in it.
    pub withheld_by_pool_microtokens: u128,
    /// What was paid.
    pub paid_microtokens: u64,
    /// What the pool holds after.
    pub remainder_microtokens: u64,
}

impl Settlement {
    /// The settlement in deterministic CBOR; the seal's results root is over it too.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 11)?;
        if reader.text()? != "settlement" {
            return Err(DecodeError::Unexpected);
        }
        Ok(Self {
            first_epoch: reader.unsigned()?,
            last_epoch: reader.unsigned()?,
            tariff_version: reader.unsigned_32()?,
            statements: reader.unsigned()?,
            pool_before_microtokens: reader.unsigned()?,
            due_microtokens: read_wide(reader)?,
            withheld_by_cells_microtokens: read_wide(reader)?,
            withheld_by_pool_microtokens: read_wide(reader)?,
            paid_microtokens: reader.unsigned()?,
            remainder_microtokens: reader.unsigned()?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(11)?;
        writer.text("settlement")?;
        writer.unsigned(self.first_epoch)?;
        writer.unsigned(self.last_epoch)?;
        writer.unsigned(self.tariff_version.into())?;
        writer.unsigned(self.statements)?;
        writer.unsigned(self.pool_before_microtokens)?;
        write_wide(writer, self.due_microtokens)?;
        write_wide(writer, self.withheld_by_cells_microtokens)?;
        write_wide(writer, self.withheld_by_pool_microtokens)?;
        writer.unsigned(self.paid_microtokens)?;
        writer.unsigned(self.remainder_microtokens)
    }
}

/// Statements before the block that closes the epoch has a seal, in the order of kids, and what they come to.
pub(crate) type Settled = (Vec<Statement>, Settlement);

/// Devices below which hands are not worth sharing the work.
const PART_MIN: usize = 1_024;

impl State {
    /// Writes the running epoch's statements and what they come to, and ends the tallies. Nothing is posted here: the
    /// block does that, and places the seal's index into the statements. `next_epoch` is the block's.
    ///
    /// # Panics
    /// When the shares come to more than the pool.
    pub(crate) fn settle(&mut self, height: u64, next_epoch: u64, workers: &dyn Workers) -> Settled {
        let ends = self.constants.epoch_begins(self.epoch.saturating_add(1));
        let settled = self.settlement_at(ends, height, next_epoch.saturating_sub(1), workers);
        let (statements, settlement) = &settled;
        self.totals.paid_microtokens =
            self.totals.paid_microtokens.saturating_add(settlement.paid_microtokens.into());
        let tariff = self.tariffs.in_force();
        let next = self.tariffs.of_epoch(next_epoch).map_or(tariff, |version| &version.tariff);
        in_parts(workers, self.devices.parts_mut(workers), |part| {
            // Statements and devices both stand in the order of kids.
            let first = part.iter().find_map(|shard| shard.first_key_value()).map(|(kid, _)| *kid);
            let begins = statements.partition_point(|statement| Some(statement.kid) < first);
            let mut rest = statements.get(begins..).unwrap_or_default();
            for (kid, device) in part.iter_mut().flat_map(|shard| Arc::make_mut(shard).iter_mut()) {
                // Of whom nothing is known there is no statement, and nothing to end.
                if device.tally.is_empty() {
                    continue;
                }
                let device = Arc::make_mut(device);
                while let Some((statement, after)) = rest.split_first().filter(|(one, _)| one.kid == *kid) {
                    device.earned_microtokens =
                        device.earned_microtokens.saturating_add(statement.paid_microtokens);
                    rest = after;
                }
                device.tally.carry_over(tariff, next);
            }
        });
        settled
    }

    /// What the running epoch comes to if it ends at this time: a pure function of the state, of which both the epoch's
    /// end and the preview are made.
    pub(crate) fn settlement_at(
        &self,
        ends_unix_milliseconds: u64,
        height: u64,
        last_epoch: u64,
        workers: &dyn Workers,
    ) -> Settled {
        let devices = in_parts(workers, self.devices.parts(workers), counted).concat();
        let judgements = Judgements::of(self.tariff(), &devices, self.next_order(), workers);
        let closing = Closing { state: self, tariff: self.tariff(), ends_unix_milliseconds, height };
        let written = in_parts(workers, ranges(workers, devices.len(), PART_MIN), |range| {
            let mut statements = Vec::with_capacity(range.len());
            for (at, (kid, device)) in range.clone().zip(devices.get(range).unwrap_or_default()) {
                closing.write_statements(*kid, device, |place| judgements.get(at, place), &mut statements);
            }
            statements
        });
        let mut statements = joined(written);
        let pool_microtokens = self.balance_microtokens(self.constants.pool);
        share(&mut statements, pool_microtokens, workers);
        let settlement = self.sum_up(&statements, last_epoch, pool_microtokens);
        (statements, settlement)
    }

    /// How much of the epoch, up to its end or this time, a device was in service.
    fn active_milliseconds(&self, device: &Device, ends_unix_milliseconds: u64) -> u64 {
        let begins = self.constants.epoch_begins(self.epoch).max(device.active_from_unix_milliseconds);
        let until = device.active_until_unix_milliseconds().unwrap_or(u64::MAX);
        until.min(ends_unix_milliseconds).saturating_sub(begins)
    }

    fn sum_up(&self, statements: &[Statement], last_epoch: u64, pool_microtokens: u64) -> Settlement {
        let sum = |amount: fn(&Statement) -> u64| {
            statements.iter().map(|statement| u128::from(amount(statement))).fold(0, u128::saturating_add)
        };
        let by_pool =
            |statement: &Statement| statement.pool_scale.map_or(0, |scale| scale.withheld_microtokens);
        let paid = u64::try_from(sum(|statement| statement.paid_microtokens)).ok();
        let remainder = paid.and_then(|paid| pool_microtokens.checked_sub(paid));
        Settlement {
            first_epoch: self.epoch,
            last_epoch,
            tariff_version: self.tariff().version,
            statements: u64::try_from(statements.len()).unwrap_or(u64::MAX),
            pool_before_microtokens: pool_microtokens,
            due_microtokens: sum(|statement| statement.due_microtokens),
            withheld_by_cells_microtokens: sum(|statement| statement.cell_share.withheld_microtokens),
            withheld_by_pool_microtokens: sum(by_pool),
            paid_microtokens: paid.expect("payouts must never exceed the pool"),
            remainder_microtokens: remainder.expect("payouts must never exceed the pool"),
        }
    }
}

/// Those of whom something is known in this epoch or from the one before.
fn counted(part: &[Shard<DeviceId, Arc<Device>>]) -> Vec<(DeviceId, &Device)> {
    let devices = part.iter().flat_map(|shard| shard.iter()).filter(|(_, device)| !device.tally.is_empty());
    devices.map(|(kid, device)| (*kid, &**device)).collect()
}

/// All parts in their order; the first one grows, so that the least is moved.
fn joined<T>(parts: Vec<Vec<T>>) -> Vec<T> {
    let length = parts.iter().map(Vec::len).sum::<usize>();
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    all.reserve_exact(length.saturating_sub(all.len()));
    parts.for_each(|mut part| all.append(&mut part));
    all
}

/// What all statements of an epoch have in common.
struct Closing<'s> {
    state: &'s State,
    tariff: &'s Tariff,
    ends_unix_milliseconds: u64,
    height: u64,
}

impl Closing<'_> {
    /// A device's statements before any budget is looked at, one for each payee.
    fn write_statements(
        &self,
        kid: DeviceId,
        device: &Device,
        judgement: impl Fn(u8) -> Judgement,
        statements: &mut Vec<Statement>,
    ) {
        let (state, tariff) = (self.state, self.tariff);
        let active_milliseconds = state.active_milliseconds(device, self.ends_unix_milliseconds);
        let findings = |place: u8| {
            let series = device.tally.series().iter().find(|series| series.place == place)?;
            let quantity = tariff.quantities.get(usize::from(place))?;
            Some(Findings { kid, tariff, quantity, series, active_milliseconds, judgement: judgement(place) })
        };
        let statement = |part: &Part| {
            let lines = statement_lines(part, findings);
            let due = lines.iter().try_fold(0_u64, |sum, line| sum.checked_add(line.amount_microtokens));
            Statement {
                kid,
                epoch: state.epoch,
                from_unix_milliseconds: state.constants.epoch_begins(state.epoch),
                to_unix_milliseconds: state.constants.epoch_begins(state.epoch.saturating_add(1)),
                owner: part.owner,
                payee: part.owner.unwrap_or_else(|| state.escrow(kid)),
                tariff_version: tariff.version,
                envelopes: part.envelopes,
                lines,
                due_microtokens: due.expect("the tariff's bounds keep a device's due within a u64"),
                cell_share: CellShare {
                    cell: device.cell.map(|cell| cell.parent(tariff.cell_resolution)),
                    budget_microtokens: tariff.cell_budget_microtokens,
                    devices: 0,
                    due_total_microtokens: 0,
                    withheld_microtokens: 0,
                },
                pool_scale: None,
                paid_microtokens: 0,
                height: self.height,
                seal_index: 0,
            }
        };
        statements.extend(device.tally.parts().iter().map(statement));
    }
}
