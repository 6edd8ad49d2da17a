//! What the index is asked: blocks, ids, readings, statements, transfers.

use std::ops::Range;

use devices::{DeviceId, TransactionId};
use ledger::account::AccountId;
use ledger::settlement::Settlement;
use ledger::statement::Statement;
use ledger::transfer::TransferRecord;

use super::runs::Runs;
use super::{BlockPlace, Index, IndexError, prefix, records};
use crate::figures::Day;
use crate::limits;

impl Index {
    /// Where the block of a height lies.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn block(&self, height: u64) -> Result<Option<BlockPlace>, IndexError> {
        if let Some(place) = self.feed.place(|place| place.height == height) {
            return Ok(Some(place));
        }
        let value = self.blocks.get(height.to_be_bytes()).map_err(|error| self.failed(error))?;
        value.map(|value| BlockPlace::decode(height, &value).ok_or_else(|| self.damaged())).transpose()
    }

    /// The block that holds the entry at a log index.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn block_of(&self, index: u64) -> Result<Option<BlockPlace>, IndexError> {
        let holds = |place: &BlockPlace| {
            index.checked_sub(place.first_index).is_some_and(|offset| offset < u64::from(place.entries))
        };
        if let Some(place) = self.feed.place(holds) {
            return Ok(Some(place));
        }
        let found = self.firsts.range(..=index.to_be_bytes()).next_back().transpose();
        let Some((_, height)) = found.map_err(|error| self.failed(error))? else { return Ok(None) };
        let height = records::u64_at(&height, 0).ok_or_else(|| self.damaged())?;
        Ok(self.block(height)?.filter(holds))
    }

    /// Log indexes at which an entry with this id's prefix stands; the caller compares the whole id.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn find(&self, id: &TransactionId) -> Result<Vec<u64>, IndexError> {
        // The queue before the runs, because blocks go from the one to the other.
        let waiting = self.feed.waiting();
        let ids = waiting.iter().flat_map(|block| &block.ids);
        let mut found: Vec<u64> = ids.filter(|(of, _)| of == id).map(|(_, index)| *index).collect();
        let all = self.ids.last(&prefix(id.as_bytes()), 0..u64::MAX, usize::MAX);
        found.extend(all.map_err(|error| self.failed(error))?.into_iter().rev());
        Ok(found)
    }

    /// The first height whose block's time is at `unix_milliseconds` or later; one above the last where none is.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn height_at(&self, unix_milliseconds: u64) -> Result<u64, IndexError> {
        let waiting = self.feed.last_height();
        let last = self.blocks.last().map_err(|error| self.failed(error))?;
        let last = waiting.or(last.and_then(|(key, _)| records::u64_at(&key, 0)));
        let end = last.map_or(0, |last| last.saturating_add(1));
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

    /// Log indexes of a device's first `most` readings within a range of log indexes, ascending.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn readings(&self, kid: DeviceId, indexes: Range<u64>, most: usize) -> Result<Vec<u64>, IndexError> {
        let waiting = self.waiting_readings(kid, &indexes);
        let mut found =
            self.readings.first(kid.as_bytes(), indexes, most).map_err(|error| self.failed(error))?;
        found.extend(waiting);
        // What is on its way from the queue to the runs is found in both.
        found.sort_unstable();
        found.dedup();
        found.truncate(most);
        Ok(found)
    }

    /// Log indexes of a device's newest `most` readings, ascending.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn last_readings(&self, kid: DeviceId, most: usize) -> Result<Vec<u64>, IndexError> {
        let waiting = self.waiting_readings(kid, &(0..u64::MAX));
        let found = self.readings.last(kid.as_bytes(), 0..u64::MAX, most);
        let mut found = found.map_err(|error| self.failed(error))?;
        found.extend(waiting);
        found.sort_unstable();
        found.dedup();
        Ok(found.split_off(found.len().saturating_sub(most)))
    }

    fn waiting_readings(&self, kid: DeviceId, indexes: &Range<u64>) -> Vec<u64> {
        let waiting = self.feed.waiting();
        let readings = waiting.iter().flat_map(|block| &block.readings);
        readings
            .filter(|(of, index)| *of == kid && indexes.contains(index))
            .map(|(_, index)| *index)
            .collect()
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
        let is_of = |statement: &Statement| statement.kid == kid;
        self.newest_statements(&self.statements_by_device, kid.as_bytes(), epochs, most, is_of)
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
        let is_of = |statement: &Statement| statement.payee == account;
        self.newest_statements(&self.statements_by_payee, &prefix(account.as_bytes()), epochs, most, is_of)
    }

    fn newest_statements(
        &self,
        runs: &Runs,
        key: &[u8; 8],
        epochs: Range<u64>,
        most: usize,
        is_of: impl Fn(&Statement) -> bool,
    ) -> Result<Vec<Statement>, IndexError> {
        self.feed.wait_for_postings();
        let whole = epochs.start == 0 && epochs.end == u64::MAX;
        // Later blocks settle later epochs, so halving finds where the range ends.
        let most_ordinals = if whole { most } else { usize::MAX };
        let ordinals = runs.last(key, 0..u64::MAX, most_ordinals).map_err(|error| self.failed(error))?;
        let mut end = ordinals.len();
        let mut from = if whole { end } else { 0 };
        while from < end {
            let middle = from.midpoint(end);
            if self.statement(ordinals[middle])?.epoch < epochs.end {
                from = middle + 1
            } else {
                end = middle
            }
        }
        let mut found = Vec::new();
        for ordinal in ordinals[..end].iter().rev() {
            let statement = self.statement(*ordinal)?;
            if statement.epoch < epochs.start || found.len() >= most {
                break;
            }
            if is_of(&statement) {
                found.push(statement);
            }
        }
        Ok(found)
    }

    fn statement(&self, ordinal: u64) -> Result<Statement, IndexError> {
        let bytes = self.one_of_many(&self.statements, ordinal, limits::INDEX_STATEMENTS_PER_VALUE)?;
        Statement::decode(&bytes).map_err(|_| self.damaged())
    }

    fn transfer(&self, ordinal: u64) -> Result<TransferRecord, IndexError> {
        let bytes = self.one_of_many(&self.transfers, ordinal, limits::INDEX_TRANSFERS_PER_VALUE)?;
        TransferRecord::decode(&bytes).map_err(|_| self.damaged())
    }

    /// The item with this ordinal in a tree whose values hold so many each.
    fn one_of_many(&self, tree: &sled::Tree, ordinal: u64, per_value: usize) -> Result<Vec<u8>, IndexError> {
        let (height, number) = records::height_and_number(ordinal);
        let value_number = u32::try_from(number / per_value).map_err(|_| self.damaged())?;
        let value = tree.get(records::value_key(height, value_number)).map_err(|error| self.failed(error))?;
        let value = value.ok_or_else(|| self.damaged())?;
        let items = records::decode_list(&value).ok_or_else(|| self.damaged())?;
        items.get(number % per_value).map(|item| item.to_vec()).ok_or_else(|| self.damaged())
    }

    /// The settlement that closed an epoch, with the height of its block.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn settlement(&self, epoch: u64) -> Result<Option<(u64, Settlement)>, IndexError> {
        self.feed.wait_for_postings();
        // A settlement stands under its last epoch; those between its first and last had no readings.
        let found = self.settlements.range(epoch.to_be_bytes()..).values().next().transpose();
        let Some(value) = found.map_err(|error| self.failed(error))? else { return Ok(None) };
        let (height, settlement) = records::decode_settlement(&value).ok_or_else(|| self.damaged())?;
        Ok((settlement.first_epoch <= epoch).then_some((height, settlement)))
    }

    /// The newest `most` settlements with the heights of their blocks, newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn last_settlements(&self, most: usize) -> Result<Vec<(u64, Settlement)>, IndexError> {
        self.feed.wait_for_postings();
        let newest = self.settlements.iter().values().rev().take(most);
        newest
            .map(|value| {
                let value = value.map_err(|error| self.failed(error))?;
                records::decode_settlement(&value).ok_or_else(|| self.damaged())
            })
            .collect()
    }

    /// How many statements a device has.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statement_count(&self, kid: DeviceId) -> Result<u64, IndexError> {
        self.feed.wait_for_postings();
        self.statements_by_device.count(kid.as_bytes()).map_err(|error| self.failed(error))
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
        self.feed.wait_for_postings();
        let ordinals = records::ordinals(heights.start).start..records::ordinals(heights.end).start;
        let found = self.transfers_by_account.last(&prefix(account.as_bytes()), ordinals, most);
        let mut found = found.map_err(|error| self.failed(error))?;
        found.reverse();
        self.transfers_of(account, &found)
    }

    /// An account's transfers in one block, in the order of execution.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn transfers_at(&self, account: AccountId, height: u64) -> Result<Vec<TransferRecord>, IndexError> {
        self.feed.wait_for_postings();
        let key = prefix(account.as_bytes());
        let found = self.transfers_by_account.first(&key, records::ordinals(height), usize::MAX);
        self.transfers_of(account, &found.map_err(|error| self.failed(error))?)
    }

    fn transfers_of(&self, account: AccountId, ordinals: &[u64]) -> Result<Vec<TransferRecord>, IndexError> {
        let mut found = Vec::with_capacity(ordinals.len());
        for ordinal in ordinals {
            let record = self.transfer(*ordinal)?;
            if record.transfer.debit == account || record.transfer.credit == account {
                found.push(record);
            }
        }
        Ok(found)
    }

    /// The first `most` corrections of the entry at a log index, oldest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn corrections_of(&self, index: u64, most: usize) -> Result<Vec<TransferRecord>, IndexError> {
        self.feed.wait_for_postings();
        let records = self.corrections.scan_prefix(index.to_be_bytes()).values().take(most);
        records
            .map(|item| {
                let value = item.map_err(|error| self.failed(error))?;
                TransferRecord::decode(&value).map_err(|_| self.damaged())
            })
            .collect()
    }

    /// What the statements that paid an account come to by UTC day, ascending; only days with something.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn days_of_account(&self, account: &AccountId, days: Range<u32>) -> Result<Vec<Day>, IndexError> {
        self.feed.wait_for_postings();
        self.days_of_payees.of(account.as_bytes(), &days).map_err(|error| self.failed(error))
    }

    /// What a device's statements come to by UTC day, ascending; only days with something.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn days_of_device(&self, device: DeviceId, days: Range<u32>) -> Result<Vec<Day>, IndexError> {
        self.feed.wait_for_postings();
        self.days_of_devices.of(device.as_bytes(), &days).map_err(|error| self.failed(error))
    }

    /// What all statements come to by UTC day, ascending; only days with something, and only as far as the index has come:
    /// whoever asks whether it is behind must not wait for it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn days_of_network(&self, days: Range<u32>) -> Result<Vec<Day>, IndexError> {
        self.days_of_all.of(&[], &days).map_err(|error| self.failed(error))
    }

    /// The counter of the command that a device said last that it took, as far as the index has come.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn confirmed_of(&self, device: DeviceId) -> Result<Option<u64>, IndexError> {
        let counter = self.confirmed.get(device.as_bytes()).map_err(|error| self.failed(error))?;
        Ok(counter.and_then(|counter| counter.as_ref().try_into().ok()).map(u64::from_be_bytes))
    }

    /// The version of its firmware that a device named last, as far as the index has come.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn firmware_of(&self, device: DeviceId) -> Result<Option<String>, IndexError> {
        self.firmware.of(device).map_err(|error| self.failed(error))
    }

    /// How many devices named each version of their firmware last, the most common first, as far as the index has come.
    pub fn firmware_counts(&self) -> Vec<(String, u64)> {
        self.firmware.counts()
    }

    /// How many transfers an account has.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn transfer_count(&self, account: AccountId) -> Result<u64, IndexError> {
        self.feed.wait_for_postings();
        self.transfers_by_account.count(&prefix(account.as_bytes())).map_err(|error| self.failed(error))
    }
}
