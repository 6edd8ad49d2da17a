//! What one device earned for one payee in one epoch and why: lines that sum to the exact amount.

use crate::account::AccountId;
use crate::cell::Cell;
use crate::encoding::{
    Read, Written, array_of, decoded, encoded, read_account, read_option, read_wide, write_account,
    write_option, write_wide,
};
use crate::statement_line::StatementLine;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::DeviceId;

/// A device's statement for an epoch and one payee; a device that changed hands has one for each of its owners. Its
/// lines' amounts sum to `due_microtokens`; less what the cell's budget and the pool did not hold, that is
/// `paid_microtokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The device.
    pub kid: DeviceId,
    /// The epoch.
    pub epoch: u64,
    /// When it began, Unix milliseconds.
    pub from_unix_milliseconds: u64,
    /// When it ended, Unix milliseconds; not part of it.
    pub to_unix_milliseconds: u64,
    /// Who owned the device when these records were taken.
    pub owner: Option<AccountId>,
    /// Who was paid: the owner, or the device's escrow account.
    pub payee: AccountId,
    /// The price list.
    pub tariff_version: u32,
    /// Accepted envelopes.
    pub envelopes: u32,
    /// One for each quantity that was sent.
    pub lines: Vec<StatementLine>,
    /// Sum of the lines.
    pub due_microtokens: u64,
    /// How the due compares with the budget of the device's cell.
    pub cell_share: CellShare,
    /// Present when the pool held less than all devices were due after their cells' budgets.
    pub pool_scale: Option<PoolScale>,
    /// What was posted.
    pub paid_microtokens: u64,
    /// The block that settled.
    pub height: u64,
    /// Index of its seal in the log.
    pub seal_index: u64,
}

/// The budget that all devices of a cell share. Where they are due more than it together, each gets
/// floor(due × budget ÷ due of all).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellShare {
    /// The H3 cell of the tariff's resolution; devices without a position share one budget of their own.
    pub cell: Option<Cell>,
    /// What the cell's devices are paid together, at most.
    pub budget_microtokens: u64,
    /// Devices of the cell that sent anything.
    pub devices: u32,
    /// What all of them were due.
    pub due_total_microtokens: u128,
    /// What this statement's due was cut by; zero where the budget holds.
    pub withheld_microtokens: u64,
}

impl CellShare {
    /// Why the due was cut; `None` when it was not.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        (self.withheld_microtokens > 0).then_some("cell_budget")
    }
}

impl fmt::Display for CellShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cell {
            Some(cell) => write!(f, "the {} devices of cell {cell}", self.devices)?,
            None => write!(f, "the {} devices without a position", self.devices)?,
        }
        let (due, budget) = (self.due_total_microtokens, self.budget_microtokens);
        write!(f, " were due {due} micro-tokens together and share a budget of {budget}")
    }
}

/// What all devices were due together, and what the pool held instead. Each gets floor(due × pool ÷ due of all), of
/// what its cell's budget left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolScale {
    /// What the pool held.
    pub pool_microtokens: u64,
    /// What all devices were due after their cells' budgets.
    pub due_total_microtokens: u128,
    /// What this statement's due was cut by.
    pub withheld_microtokens: u64,
}

impl PoolScale {
    /// Why the due was cut.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        "pool"
    }
}

impl fmt::Display for PoolScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pool, due) = (self.pool_microtokens, self.due_total_microtokens);
        write!(f, "the pool held {pool} of the {due} micro-tokens that all devices were due")
    }
}

impl Statement {
    /// The statement in deterministic CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decoded(bytes, Self::read)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(16)?;
        writer.text("statement")?;
        writer.bytes(self.kid.as_bytes())?;
        writer.unsigned(self.epoch)?;
        writer.unsigned(self.from_unix_milliseconds)?;
        writer.unsigned(self.to_unix_milliseconds)?;
        write_option(writer, self.owner, write_account)?;
        write_account(writer, self.payee)?;
        writer.unsigned(self.tariff_version.into())?;
        writer.unsigned(self.envelopes.into())?;
        writer.array_header(self.lines.len())?;
        self.lines.iter().try_for_each(|line| line.write(writer))?;
        writer.unsigned(self.due_microtokens)?;
        self.cell_share.write(writer)?;
        write_option(writer, self.pool_scale, |writer, scale| scale.write(writer))?;
        writer.unsigned(self.paid_microtokens)?;
        writer.unsigned(self.height)?;
        writer.unsigned(self.seal_index)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 16)?;
        if reader.text()? != "statement" {
            return Err(DecodeError::Unexpected);
        }
        Ok(Self {
            kid: DeviceId(*reader.byte_array()?),
            epoch: reader.unsigned()?,
            from_unix_milliseconds: reader.unsigned()?,
            to_unix_milliseconds: reader.unsigned()?,
            owner: read_option(reader, read_account)?,
            payee: read_account(reader)?,
            tariff_version: reader.unsigned_32()?,
            envelopes: reader.unsigned_32()?,
            lines: {
                let lines = reader.array_header()?;
                (0..lines).map(|_| StatementLine::read(reader)).collect::<Read<_>>()?
            },
            due_microtokens: reader.unsigned()?,
            cell_share: CellShare::read(reader)?,
            pool_scale: read_option(reader, PoolScale::read)?,
            paid_microtokens: reader.unsigned()?,
            height: reader.unsigned()?,
            seal_index: reader.unsigned()?,
        })
    }
}

impl CellShare {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(5)?;
        write_option(writer, self.cell, |writer, cell| writer.unsigned(cell.index()))?;
        writer.unsigned(self.budget_microtokens)?;
        writer.unsigned(self.devices.into())?;
        write_wide(writer, self.due_total_microtokens)?;
        writer.unsigned(self.withheld_microtokens)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 5)?;
        Ok(Self {
            cell: read_option(reader, |reader| Cell::from_index(reader.unsigned()?))?,
            budget_microtokens: reader.unsigned()?,
            devices: reader.unsigned_32()?,
            due_total_microtokens: read_wide(reader)?,
            withheld_microtokens: reader.unsigned()?,
        })
    }
}

impl PoolScale {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(3)?;
        writer.unsigned(self.pool_microtokens)?;
        write_wide(writer, self.due_total_microtokens)?;
        writer.unsigned(self.withheld_microtokens)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 3)?;
        Ok(Self {
            pool_microtokens: reader.unsigned()?,
            due_total_microtokens: read_wide(reader)?,
            withheld_microtokens: reader.unsigned()?,
        })
    }
}
