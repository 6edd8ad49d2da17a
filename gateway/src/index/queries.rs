//! What the index is asked: blocks, ids, readings, statements, transfers.

use std::collections::BTreeSet;

use devices::{DeviceId, TransactionId};
use ledger::account::AccountId;
use ledger::statement::Statement;
use ledger::transfer::TransferRecord;

use super::{BlockPlace, Index, IndexError, device_epoch, prefix, records};
use crate::limits;

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

    /// Log indexes of a device's readings in a range of epochs, ascending; at most `limits::QUERY_ITEMS_MAX` and what
    /// one value holds.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn readings(&self, kid: DeviceId, from_epoch: u64, to_epoch: u64) -> Result<Vec<u64>, IndexError> {
        let mut found = BTreeSet::new();
        let from = device_epoch(kid, from_epoch);
        let to = [&device_epoch(kid, to_epoch)[..], &[0xff; 8]].concat();
        for item in self.readings.range(&from[..]..=&to[..]).values() {
            found.extend(records::decode_positions(&item.map_err(|error| self.failed(error))?));
            if found.len() >= limits::QUERY_ITEMS_MAX {
                break;
            }
        }
        for (_, positions) in self.buffered().readings.range((kid, from_epoch)..=(kid, to_epoch)) {
            found.extend(positions);
        }
        Ok(found.into_iter().collect())
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

    /// A device's statement of one epoch.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statement(&self, kid: DeviceId, epoch: u64) -> Result<Option<Statement>, IndexError> {
        let value = self.statements.get(device_epoch(kid, epoch)).map_err(|error| self.failed(error))?;
        value.map(|value| Statement::decode(&value).map_err(|_| self.damaged())).transpose()
    }

    /// A device's newest `most` statements, newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statements_of_device(&self, kid: DeviceId, most: usize) -> Result<Vec<Statement>, IndexError> {
        let newest = self.statements.scan_prefix(kid.as_bytes()).values().rev().take(most);
        newest
            .map(|item| {
                let value = item.map_err(|error| self.failed(error))?;
                Statement::decode(&value).map_err(|_| self.damaged())
            })
            .collect()
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

    /// The newest `most` statements that paid an account, newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statements_of_account(
        &self,
        account: AccountId,
        most: usize,
    ) -> Result<Vec<Statement>, IndexError> {
        let mut found = Vec::new();
        for item in self.payees.scan_prefix(account.as_bytes()).keys().rev().take(most) {
            let key = item.map_err(|error| self.failed(error))?;
            let epoch = records::u64_at(&key, 32).ok_or_else(|| self.damaged())?;
            let kid = key.get(40..).and_then(|kid| kid.try_into().ok()).map(DeviceId);
            found.extend(self.statement(kid.ok_or_else(|| self.damaged())?, epoch)?);
        }
        Ok(found)
    }

    /// An account's newest `most` transfers, newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn transfers(&self, account: AccountId, most: usize) -> Result<Vec<TransferRecord>, IndexError> {
        let mut found = Vec::new();
        for item in self.transfers.scan_prefix(account.as_bytes()).values().rev() {
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
