//! What the index is asked: blocks, ids, readings, statements, transfers.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use devices::{DeviceId, TransactionId};
use ledger::account::AccountId;
use ledger::settlement::Settlement;
use ledger::statement::Statement;
use ledger::transfer::TransferRecord;

use super::{BlockPlace, Index, IndexError, device_epoch, prefix, records};

impl Index {
    /// Where the block of a height lies.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn block(&self, height: u64) -> Result<Option<BlockPlace>, IndexError> {
        let value = self.blocks.get(height.to_be_bytes()).map_err(|error| self.failed(error))?;
        value.map(|value| BlockPlace::decode(height, &value).ok_or_else(|| self.damaged())).transpose()
    }

    /// The block that holds the entry at a log index.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn block_of(&self, index: u64) -> Result<Option<BlockPlace>, IndexError> {
        let found = self.firsts.range(..=index.to_be_bytes()).next_back().transpose();
        let Some((_, height)) = found.map_err(|error| self.failed(error))? else { return Ok(None) };
        let height = records::u64_at(&height, 0).ok_or_else(|| self.damaged())?;
        let place = self.block(height)?;
        Ok(place.filter(|place| index - place.first_index < u64::from(place.entries)))
    }

    /// Log indexes at which an entry with this id's prefix stands; the caller compares the whole id.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn find(&self, id: &TransactionId) -> Result<Vec<u64>, IndexError> {
        let prefix = prefix(id);
        let mut found = Vec::new();
        for item in self.recent_ids.iter().values().rev() {
            found.extend(records::find_ids(&item.map_err(|error| self.failed(error))?, &prefix));
        }
        let runs = self.buffered().runs;
        for run in (0..runs).rev() {
            let from = run.to_be_bytes();
            let to = [&from[..], &prefix].concat();
            let item = self.id_runs.range(&from[..]..=&to[..]).next_back().transpose();
            if let Some((_, ids)) = item.map_err(|error| self.failed(error))? {
                found.extend(records::find_ids(&ids, &prefix));
            }
        }
        Ok(found)
    }

    /// The first height whose block's time is at `unix_milliseconds` or later; one above the last where none is.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn height_at(&self, unix_milliseconds: u64) -> Result<u64, IndexError> {
        let last = self.blocks.last().map_err(|error| self.failed(error))?;
        let end = last.and_then(|(key, _)| records::u64_at(&key, 0)).map_or(0, |last| last.saturating_add(1));
        // Block times never decrease with the height, so halving finds the place.
        let (mut from, mut to) = (0, end);
        while from < to {
            let middle = from + (to - from) / 2;
            let earlier =
                self.block(middle)?.is_none_or(|place| place.time_unix_milliseconds < unix_milliseconds);
            if earlier { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }

    /// The log index at which the blocks of `unix_milliseconds` and later begin; `u64::MAX` where none is.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn first_index_at(&self, unix_milliseconds: u64) -> Result<u64, IndexError> {
        let height = self.height_at(unix_milliseconds)?;
        Ok(self.block(height)?.map_or(u64::MAX, |place| place.first_index))
    }

    /// Log indexes of a device's first `most` readings within a range of epochs and one of log indexes, ascending.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn readings(
        &self,
        kid: DeviceId,
        epochs: RangeInclusive<u64>,
        indexes: Range<u64>,
        most: usize,
    ) -> Result<Vec<u64>, IndexError> {
        let mut found = BTreeSet::new();
        let from = device_epoch(kid, *epochs.start());
        let to = [&device_epoch(kid, *epochs.end())[..], &[0xff; 8]].concat();
        for item in self.readings.range(&from[..]..=&to[..]).values() {
            let positions = records::decode_positions(&item.map_err(|error| self.failed(error))?);
            found.extend(positions.into_iter().filter(|index| indexes.contains(index)));
            if found.len() >= most {
                break;
            }
        }
        for (_, positions) in self.buffered().readings.range((kid, *epochs.start())..=(kid, *epochs.end())) {
            found.extend(positions.iter().filter(|index| indexes.contains(index)));
        }
        Ok(found.into_iter().take(most).collect())
    }

    /// Log indexes of a device's newest `most` readings, ascending.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn last_readings(&self, kid: DeviceId, most: usize) -> Result<Vec<u64>, IndexError> {
        let mut found = BTreeSet::new();
        for (_, positions) in self.buffered().readings.range((kid, 0)..=(kid, u64::MAX)) {
            found.extend(positions);
        }
        for item in self.readings.scan_prefix(kid.as_bytes()).values().rev() {
            if found.len() >= most {
                break;
            }
            found.extend(records::decode_positions(&item.map_err(|error| self.failed(error))?));
        }
        let skip = found.len().saturating_sub(most);
        Ok(found.into_iter().skip(skip).collect())
    }

    /// A device's newest `most` statements of a range of epochs, newest first. An epoch in which it changed hands has
    /// one for each owner.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statements_of_device(
        &self,
        kid: DeviceId,
        epochs: Range<u64>,
        most: usize,
    ) -> Result<Vec<Statement>, IndexError> {
        let (from, to) = (device_epoch(kid, epochs.start), device_epoch(kid, epochs.end));
        let newest = self.statements.range(from..to).values().rev().take(most);
        newest
            .map(|item| {
                let value = item.map_err(|error| self.failed(error))?;
                Statement::decode(&value).map_err(|_| self.damaged())
            })
            .collect()
    }

    /// The settlement that closed an epoch, with the height of its block.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn settlement(&self, epoch: u64) -> Result<Option<(u64, Settlement)>, IndexError> {
        // A settlement stands under its last epoch; those between its first and last had no readings.
        let found = self.settlements.range(epoch.to_be_bytes()..).values().next().transpose();
        let Some(value) = found.map_err(|error| self.failed(error))? else { return Ok(None) };
        let (height, settlement) = records::decode_settlement(&value).ok_or_else(|| self.damaged())?;
        Ok((settlement.first_epoch <= epoch).then_some((height, settlement)))
    }

    /// How many statements a device has.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statement_count(&self, kid: DeviceId) -> Result<u64, IndexError> {
        let mut count = 0;
        for key in self.statements.scan_prefix(kid.as_bytes()).keys() {
            key.map_err(|error| self.failed(error))?;
            count += 1;
        }
        Ok(count)
    }

    /// The newest `most` statements of a range of epochs that paid an account, newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statements_of_account(
        &self,
        account: AccountId,
        epochs: Range<u64>,
        most: usize,
    ) -> Result<Vec<Statement>, IndexError> {
        let mut found = Vec::new();
        for item in self.payees.range(of_account(account, &epochs)).keys().rev().take(most) {
            let key = item.map_err(|error| self.failed(error))?;
            // The payee, the epoch and the device: the other tree's key in another order.
            let (Some((payee, epoch_and_kid)), 48) = (key.split_first_chunk::<32>(), key.len()) else {
                return Err(self.damaged());
            };
            let (epoch, kid) = epoch_and_kid.split_at(8);
            let statement = self.statements.get([kid, epoch, payee].concat());
            let statement = statement.map_err(|error| self.failed(error))?.ok_or_else(|| self.damaged())?;
            found.push(Statement::decode(&statement).map_err(|_| self.damaged())?);
        }
        Ok(found)
    }

    /// An account's newest `most` transfers of a range of heights, newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn transfers(
        &self,
        account: AccountId,
        heights: Range<u64>,
        most: usize,
    ) -> Result<Vec<TransferRecord>, IndexError> {
        let mut found = Vec::new();
        for item in self.transfers.range(of_account(account, &heights)).values().rev() {
            let value = item.map_err(|error| self.failed(error))?;
            let records = records::decode_list(&value).ok_or_else(|| self.damaged())?;
            for record in records.into_iter().rev() {
                if found.len() >= most {
                    return Ok(found);
                }
                found.push(TransferRecord::decode(record).map_err(|_| self.damaged())?);
            }
        }
        Ok(found)
    }

    /// An account's transfers in one block, in the order of execution.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn transfers_at(&self, account: AccountId, height: u64) -> Result<Vec<TransferRecord>, IndexError> {
        let mut found = Vec::new();
        let prefix = [&account.as_bytes()[..], &height.to_be_bytes()].concat();
        for item in self.transfers.scan_prefix(prefix).values() {
            let value = item.map_err(|error| self.failed(error))?;
            for record in records::decode_list(&value).ok_or_else(|| self.damaged())? {
                found.push(TransferRecord::decode(record).map_err(|_| self.damaged())?);
            }
        }
        Ok(found)
    }

    /// The first `most` corrections of the entry at a log index, oldest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn corrections_of(&self, index: u64, most: usize) -> Result<Vec<TransferRecord>, IndexError> {
        let records = self.corrections.scan_prefix(index.to_be_bytes()).values().take(most);
        records
            .map(|item| {
                let value = item.map_err(|error| self.failed(error))?;
                TransferRecord::decode(&value).map_err(|_| self.damaged())
            })
            .collect()
    }

    /// How many transfers an account has.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn transfer_count(&self, account: AccountId) -> Result<u64, IndexError> {
        let mut count = 0;
        for item in self.transfers.scan_prefix(account.as_bytes()).values() {
            let value = item.map_err(|error| self.failed(error))?;
            count += records::decode_list(&value).ok_or_else(|| self.damaged())?.len() as u64;
        }
        Ok(count)
    }
}

/// The keys that begin with an account and then a number within a range.
fn of_account(account: AccountId, numbers: &Range<u64>) -> Range<Vec<u8>> {
    let key = |number: u64| [&account.as_bytes()[..], &number.to_be_bytes()].concat();
    key(numbers.start)..key(numbers.end)
}
