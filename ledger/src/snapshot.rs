//! The whole state in bytes, so that a start need not replay all history: deterministic CBOR and its SHA-256.

use crate::book::Book;
use crate::encoding::{Read, Written, array_of};
use crate::genesis::Genesis;
use crate::merkle::Frontier;
use crate::sharded::Sharded;
use crate::state::{Constants, State};
use crate::state_root::{
    read_account_state, read_device, read_totals, write_account_state, write_device, write_totals,
};
use crate::succession::Succession;
use crate::tariffs::{Tariffs, read_version, write_version};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use sha2::{Digest, Sha256};

/// Says what the bytes are.
const MAGIC: &str = "lamppost snapshot";
/// Grows with every change of the form.
const VERSION: u64 = 2;
/// The form of networks that began with several validators, which has these besides.
const VERSION_OF_SEVERAL: u64 = 3;
/// Bytes of a piece, and those of the item that fills it.
const PIECE_BYTES: usize = 256 * 1024;

/// Why a snapshot is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The hash at the end does not fit the bytes before it.
    #[error("the snapshot is damaged: its hash does not fit its bytes")]
    Damaged,
    /// Written by another version of the program.
    #[error(
        "the snapshot has format version {0}, this program reads {VERSION}, and {VERSION_OF_SEVERAL} of several validators"
    )]
    Version(u64),
    /// Another network's, or another genesis of it.
    #[error("the snapshot belongs to another genesis document")]
    Foreign,
    /// The bytes are no snapshot.
    #[error("the snapshot cannot be read: {0}")]
    Encoding(DecodeError),
    /// The parts do not fit together.
    #[error("the snapshot contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl From<DecodeError> for SnapshotError {
    fn from(error: DecodeError) -> Self {
        Self::Encoding(error)
    }
}

impl State {
    /// The state in bytes; equal states give equal bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.snapshot_in_pieces(|piece| bytes.extend_from_slice(piece));
        bytes
    }

    /// The same bytes piece by piece: those of a million devices need not all be in memory.
    pub fn snapshot_in_pieces(&self, mut each: impl FnMut(&[u8])) {
        let (mut hash, mut piece) = (Sha256::new(), Vec::with_capacity(PIECE_BYTES));
        let mut give = |piece: &mut Vec<u8>, bytes_min: usize| {
            if piece.len() >= bytes_min {
                hash.update(&piece);
                each(piece);
                piece.clear();
            }
        };
        append(&mut piece, |writer| self.write_beginning(writer));
        for (id, account) in self.accounts() {
            append(&mut piece, |writer| write_account_state(writer, id, account));
            give(&mut piece, PIECE_BYTES);
        }
        append(&mut piece, |writer| writer.array_header(self.devices.len()));
        for (kid, device) in self.devices() {
            append(&mut piece, |writer| write_device(writer, kid, device));
            give(&mut piece, PIECE_BYTES);
        }
        give(&mut piece, 0);
        each(&hash.finalize());
    }

    /// The state that [`Self::snapshot`] was taken of.
    ///
    /// # Errors
    /// When the bytes are damaged, of another version or network, or contradict themselves.
    pub fn restore(genesis: &Genesis, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (content, hash) = bytes.split_last_chunk::<32>().ok_or(SnapshotError::Damaged)?;
        if Sha256::digest(content)[..] != hash[..] {
            return Err(SnapshotError::Damaged);
        }
        let mut reader = Reader::new(content);
        let succession = Succession::of_genesis(genesis);
        array_of(&mut reader, form(&succession).1)?;
        if reader.text()? != MAGIC {
            return Err(SnapshotError::Contradiction("it does not begin as a snapshot does"));
        }
        match reader.unsigned()? {
            version if version == form(&succession).0 => {}
            other => return Err(SnapshotError::Version(other)),
        }
        let constants = Constants::of(genesis);
        if reader.byte_array()? != &constants.genesis_hash {
            return Err(SnapshotError::Foreign);
        }
        let state = read_state(&mut reader, constants, genesis)?;
        reader.end()?;
        Ok(state)
    }

    /// Everything before the accounts, and how many there are.
    fn write_beginning(&self, writer: &mut Writer<'_>) -> Written {
        let (version, items) = form(&self.succession);
        writer.array_header(items)?;
        writer.text(MAGIC)?;
        writer.unsigned(version)?;
        writer.bytes(&self.constants.genesis_hash)?;
        writer.unsigned(self.height)?;
        writer.unsigned(self.time_unix_milliseconds)?;
        writer.unsigned(self.epoch)?;
        writer.array_header(self.log.peaks().len().saturating_add(1))?;
        writer.unsigned(self.log.size())?;
        self.log.peaks().iter().try_for_each(|peak| writer.bytes(peak))?;
        writer.array_header(self.tariffs.versions().len())?;
        self.tariffs.versions().try_for_each(|version| write_version(writer, version))?;
        write_totals(writer, &self.totals)?;
        if !self.succession.is_lone() {
            self.succession.write(writer)?;
        }
        writer.array_header(self.book.shards().len())
    }
}

/// The form's version and its number of items.
fn form(succession: &Succession) -> (u64, usize) {
    if succession.is_lone() { (VERSION, 11) } else { (VERSION_OF_SEVERAL, 12) }
}

fn append(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>) -> Written) {
    write(&mut Writer::appending(bytes)).expect("a vector takes every 64-bit item");
}

fn read_state(
    reader: &mut Reader<'_>,
    constants: Constants,
    genesis: &Genesis,
) -> Result<State, SnapshotError> {
    let height = reader.unsigned()?;
    let time_unix_milliseconds = reader.unsigned()?;
    let epoch = reader.unsigned()?;
    if constants.epoch_at(time_unix_milliseconds) != epoch {
        return Err(SnapshotError::Contradiction("its epoch is not that of its time"));
    }
    let log = read_log(reader)?;
    let mut versions = BTreeMap::new();
    read_sorted(reader, read_version, |number, version| drop(versions.insert(number, version)))?;
    let tariffs = Tariffs::from_versions(versions, epoch)
        .ok_or(SnapshotError::Contradiction("its tariffs do not follow one another"))?;
    let totals = read_totals(reader)?;
    let mut succession = Succession::of_genesis(genesis);
    if !succession.is_lone() {
        succession = Succession::read(reader, genesis)?
            .filter(|succession| !succession.changes_with(epoch))
            .ok_or(SnapshotError::Contradiction("its validators did not come to be as it says"))?;
    }
    let mut accounts = Sharded::new();
    read_sorted(reader, read_account_state, |id, account| {
        accounts.insert(id, account);
    })?;
    let book = Book::from_accounts(constants.supply, constants.pool, accounts)
        .ok_or(SnapshotError::Contradiction("its accounts do not balance"))?;
    let mut devices = Sharded::new();
    read_sorted(reader, read_device, |kid, device| {
        devices.insert(kid, Arc::new(device));
    })?;
    let mut state = State {
        constants,
        height,
        time_unix_milliseconds,
        epoch,
        log,
        book,
        devices,
        owned: Sharded::new(),
        tariffs: Arc::new(tariffs),
        totals,
        succession: Arc::new(succession),
    };
    state.derive()?;
    Ok(state)
}

impl State {
    /// Recomputes what follows from the devices: who owns which.
    fn derive(&mut self) -> Result<(), SnapshotError> {
        for (kid, device) in self.devices.iter() {
            if !device.tally.is_of(self.tariffs.in_force()) {
                return Err(SnapshotError::Contradiction("a tally is not of its tariff"));
            }
            if let Some(owner) = device.owner() {
                Arc::make_mut(self.owned.or_default(owner)).insert(*kid);
            }
        }
        Ok(())
    }
}

fn read_log(reader: &mut Reader<'_>) -> Result<Frontier, SnapshotError> {
    let peaks = reader.array_header()?.saturating_sub(1);
    let size = reader.unsigned()?;
    let peaks = (0..peaks).map(|_| reader.byte_array().copied()).collect::<Read<Vec<_>>>()?;
    Frontier::from_parts(size, peaks)
        .ok_or(SnapshotError::Contradiction("its log has a wrong number of peaks"))
}

/// Reads an array of keyed items whose keys strictly increase.
fn read_sorted<'a, K: Ord + Copy, V>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Read<(K, V)>,
    mut put: impl FnMut(K, V),
) -> Result<(), SnapshotError> {
    let mut last = None;
    for _ in 0..reader.array_header()? {
        let (key, value) = read(reader)?;
        if last.replace(key).is_some_and(|last| last >= key) {
            return Err(SnapshotError::Contradiction("its items are not in order"));
        }
        put(key, value);
    }
    Ok(())
}
