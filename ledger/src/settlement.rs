//! An epoch's end: every device's statements, and what all of them come to.

use crate::cell::Cell;
use crate::copies::{Sender, originals};
use crate::encoding::{Read, Written, array_of, encoded, read_wide, write_wide};
use crate::factor::Disagreement;
use crate::neighbours::{Neighbour, disagreements};
use crate::quality::{Findings, Judgement};
use crate::registry::Device;
use crate::reward::{share_of, statement_lines};
use crate::series::Series;
use crate::state::State;
use crate::statement::{CellShare, PoolScale, Statement};
use crate::tally::Part;
use crate::tariff::{Quantity, Tariff};
use alloc::collections::BTreeMap;
use alloc::vec;
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

impl State {
    /// Writes the running epoch's statements and what they come to, and ends the tallies. Nothing is posted here: the
    /// block does that, and places the seal's index into the statements. `next_epoch` is the block's.
    ///
    /// # Panics
    /// When the shares come to more than the pool.
    pub(crate) fn settle(&mut self, height: u64, next_epoch: u64) -> Settled {
        let ends = self.constants.epoch_begins(self.epoch.saturating_add(1));
        let settled = self.settlement_at(ends, height, next_epoch.saturating_sub(1));
        let (statements, settlement) = &settled;
        for statement in statements {
            if let Some(device) = self.devices.get_mut(&statement.kid) {
                device.earned_microtokens =
                    device.earned_microtokens.saturating_add(statement.paid_microtokens);
            }
        }
        self.totals.paid_microtokens =
            self.totals.paid_microtokens.saturating_add(settlement.paid_microtokens.into());
        let tariff = self.tariffs.in_force();
        let next = self.tariffs.of_epoch(next_epoch).map_or(tariff, |version| &version.tariff);
        self.devices.values_mut().for_each(|device| device.tally.carry_over(tariff, next));
        settled
    }

    /// What the running epoch comes to if it ends at this time: a pure function of the state, of which both the epoch's
    /// end and the preview are made.
    pub(crate) fn settlement_at(&self, ends_unix_milliseconds: u64, height: u64, last_epoch: u64) -> Settled {
        let devices: Vec<(DeviceId, &Device)> = self
            .devices
            .iter()
            .filter(|(_, device)| !device.tally.is_empty())
            .map(|(k, d)| (*k, d))
            .collect();
        let judgements = judgements(self.tariff(), &devices, self.next_order());
        let mut statements: Vec<Statement> = devices
            .iter()
            .zip(&judgements)
            .flat_map(|((kid, device), judgements)| {
                self.statements_of(*kid, device, judgements, ends_unix_milliseconds, height)
            })
            .collect();
        let pool_microtokens = self.balance_microtokens(self.constants.pool);
        share_cells(&mut statements);
        share_pool(&mut statements, pool_microtokens);
        let settlement = self.sum_up(&statements, last_epoch, pool_microtokens);
        (statements, settlement)
    }

    /// A device's statements before any budget is looked at, one for each payee.
    fn statements_of(
        &self,
        kid: DeviceId,
        device: &Device,
        judgements: &[Judgement],
        ends_unix_milliseconds: u64,
        height: u64,
    ) -> Vec<Statement> {
        let tariff = self.tariff();
        let active_milliseconds = self.active_milliseconds(device, ends_unix_milliseconds);
        let findings = |place: u8| {
            let mut all = device.tally.series().iter().zip(judgements);
            let (series, judgement) = all.find(|(series, _)| series.place == place)?;
            let quantity = tariff.quantities.get(usize::from(place))?;
            Some(Findings { kid, tariff, quantity, series, active_milliseconds, judgement: *judgement })
        };
        let statement = |part: &Part| {
            let lines = statement_lines(part, findings);
            let due = lines.iter().try_fold(0_u64, |sum, line| sum.checked_add(line.amount_microtokens));
            Statement {
                kid,
                epoch: self.epoch,
                from_unix_milliseconds: self.constants.epoch_begins(self.epoch),
                to_unix_milliseconds: self.constants.epoch_begins(self.epoch.saturating_add(1)),
                owner: part.owner,
                payee: part.owner.unwrap_or_else(|| self.escrow(kid)),
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
                height,
                seal_index: 0,
            }
        };
        device.tally.parts().iter().map(statement).collect()
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

/// What each device's series look like beside the others, in the order of the tally's series. O(n log n).
fn judgements(tariff: &Tariff, devices: &[(DeviceId, &Device)], order: u32) -> Vec<Vec<Judgement>> {
    let mut found: Vec<Vec<Judgement>> =
        devices.iter().map(|(_, device)| vec![Judgement::default(); device.tally.series().len()]).collect();
    for (place, quantity) in (0_u8..).zip(&tariff.quantities) {
        let sent: Vec<(usize, usize, &Series)> = devices
            .iter()
            .enumerate()
            .filter_map(|(at, (_, device))| {
                let (which, series) =
                    device.tally.series().iter().enumerate().find(|(_, series)| series.place == place)?;
                Some((at, which, series))
            })
            .collect();
        let disagreements = disagreements_of(tariff, quantity, devices, &sent);
        let senders: Vec<Sender<'_>> = sent
            .iter()
            .filter_map(|(at, _, series)| {
                Some(Sender { kid: devices.get(*at)?.0, shingles: &series.shingles })
            })
            .collect();
        let judged = sent.iter().zip(disagreements).zip(originals(&senders, order));
        for (((at, which, _), disagreement), original) in judged {
            if let Some(judgement) = found.get_mut(*at).and_then(|all| all.get_mut(*which)) {
                *judgement = Judgement { disagreement, original };
            }
        }
    }
    found
}

/// What is wrong with each series by itself, or else beside its neighbours'.
fn disagreements_of(
    tariff: &Tariff,
    quantity: &Quantity,
    devices: &[(DeviceId, &Device)],
    sent: &[(usize, usize, &Series)],
) -> Vec<Option<Disagreement>> {
    let mut found: Vec<Option<Disagreement>> = sent
        .iter()
        .map(|(_, _, series)| series.texture.as_deref().zip(quantity.texture))
        .map(|judged| judged.and_then(|(texture, bounds)| texture.judge(bounds)))
        .collect();
    let Some(tolerance) = quantity.neighbours else { return found };
    let placed: Vec<(usize, Neighbour<'_>)> = sent
        .iter()
        .enumerate()
        .filter_map(|(which, (at, _, series))| {
            let cell = devices.get(*at)?.1.cell?;
            Some((which, Neighbour { cell, slots: series.slots.as_deref()? }))
        })
        .collect();
    let neighbours: Vec<Neighbour<'_>> = placed.iter().map(|(_, neighbour)| *neighbour).collect();
    let resolutions = tariff.neighbour_resolution_min..=tariff.neighbour_resolution;
    for ((which, _), disagreement) in placed.iter().zip(disagreements(&neighbours, tolerance, resolutions)) {
        if let Some(found) = found.get_mut(*which) {
            *found = found.or(disagreement);
        }
    }
    found
}

/// Cuts the dues of each cell whose devices are due more than its budget.
fn share_cells(statements: &mut [Statement]) {
    let mut cells: BTreeMap<Option<Cell>, (u128, u32, Option<DeviceId>)> = BTreeMap::new();
    for statement in &*statements {
        let (due, devices, last) = cells.entry(statement.cell_share.cell).or_default();
        *due = due.saturating_add(statement.due_microtokens.into());
        // A device's statements follow one another.
        if *last != Some(statement.kid) {
            (*devices, *last) = (devices.saturating_add(1), Some(statement.kid));
        }
    }
    for statement in statements {
        let share = &mut statement.cell_share;
        let (due_total, devices, _) = cells.get(&share.cell).copied().unwrap_or_default();
        (share.due_total_microtokens, share.devices) = (due_total, devices);
        let kept = share_of(statement.due_microtokens, due_total, share.budget_microtokens);
        share.withheld_microtokens = statement.due_microtokens.saturating_sub(kept);
    }
}

/// Pays what the cells left, all of it or each its share of the pool.
fn share_pool(statements: &mut [Statement], pool_microtokens: u64) {
    let after_cell = |statement: &Statement| {
        statement.due_microtokens.saturating_sub(statement.cell_share.withheld_microtokens)
    };
    let due_total =
        statements.iter().map(|statement| u128::from(after_cell(statement))).fold(0, u128::saturating_add);
    if due_total <= u128::from(pool_microtokens) {
        statements.iter_mut().for_each(|statement| statement.paid_microtokens = after_cell(statement));
        return;
    }
    for statement in statements {
        let due = after_cell(statement);
        statement.paid_microtokens = share_of(due, due_total, pool_microtokens);
        statement.pool_scale = Some(PoolScale {
            pool_microtokens,
            due_total_microtokens: due_total,
            withheld_microtokens: due.saturating_sub(statement.paid_microtokens),
        });
    }
}
