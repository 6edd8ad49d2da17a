//! The root over everything that the state is: one leaf for the network, one for its validators where it began with
//! several, one for each version of the tariff, one for each account and one for each device, in this order and sorted by version or id, so that a balance can be proven as an
//! entry can.

use crate::account::{Account, AccountId};
use crate::block::StateRoot;
use crate::encoding::{
    Read, Written, array_of, encoded_into, read_account, read_option, read_wide, write_account, write_option,
    write_wide,
};
use crate::instruction::{read_key, read_kid, read_position, write_position};
use crate::merkle::{Frontier, leaf_hash};
use crate::ownership::Ownership;
use crate::registry::{Device, Rare, Retirement};
use crate::sharded::{HashedKey, Sharded};
use crate::span::Span;
use crate::state::{State, Totals};
use crate::state_leaf::NetworkLeaf;
use crate::tally::{read_tally, write_tally};
use crate::tariffs::write_version;
use crate::transaction::{read_refused, write_refused};
use crate::validators_leaf::write_validators;
use crate::window::Window;
use crate::workers::{Sequential, Workers, in_parts, worth};
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::DeviceId;
use devices::sequence::Sequence;

impl State {
    /// The number of the state's leaves and the Merkle root over them.
    #[must_use]
    pub fn state_root(&self) -> StateRoot {
        self.state_root_with(&Sequential)
    }

    /// The same, with all the hands there are.
    #[must_use]
    pub fn state_root_with(&self, workers: &dyn Workers) -> StateRoot {
        let mut tree = Frontier::new();
        let mut leaf = Vec::new();
        encoded_into(&mut leaf, |writer| self.write_network(writer));
        tree.append(leaf_hash(&leaf));
        if !self.succession.is_lone() {
            encoded_into(&mut leaf, |writer| write_validators(writer, &self.succession));
            tree.append(leaf_hash(&leaf));
        }
        for version in self.tariffs.versions() {
            encoded_into(&mut leaf, |writer| write_version(writer, version));
            tree.append(leaf_hash(&leaf));
        }
        hash_shards(&mut tree, workers, self.book.shards(), write_account_state);
        hash_shards(&mut tree, workers, &self.devices, |writer, kid, device| {
            write_device(writer, kid, device)
        });
        StateRoot { leaves: tree.size(), hash: tree.root() }
    }

    /// Calls `each` with the encoding of every leaf, in the tree's order: the network, its validators, the tariffs, the accounts, the
    /// devices.
    pub fn for_each_leaf(&self, mut each: impl FnMut(&[u8])) {
        let mut leaf = Vec::new();
        encoded_into(&mut leaf, |writer| self.write_network(writer));
        each(&leaf);
        if !self.succession.is_lone() {
            encoded_into(&mut leaf, |writer| write_validators(writer, &self.succession));
            each(&leaf);
        }
        for version in self.tariffs.versions() {
            encoded_into(&mut leaf, |writer| write_version(writer, version));
            each(&leaf);
        }
        for (id, account) in self.accounts() {
            encoded_into(&mut leaf, |writer| write_account_state(writer, id, account));
            each(&leaf);
        }
        for (kid, device) in self.devices() {
            encoded_into(&mut leaf, |writer| write_device(writer, kid, device));
            each(&leaf);
        }
    }

    fn write_network(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(7)?;
        writer.text("network")?;
        writer.bytes(&self.constants.genesis_hash)?;
        writer.unsigned(self.height)?;
        writer.unsigned(self.time_unix_milliseconds)?;
        writer.unsigned(self.epoch)?;
        writer.unsigned(self.tariff().version.into())?;
        write_totals(writer, &self.totals)
    }
}

/// Appends one leaf for each item to the tree.
fn hash_shards<K: HashedKey + Send + Sync, V: Clone + Send + Sync>(
    tree: &mut Frontier,
    workers: &dyn Workers,
    items: &Sharded<K, V>,
    write: impl Fn(&mut Writer<'_>, K, &V) -> Written + Sync,
) {
    let workers = worth(workers, items.len());
    let mut begins = tree.size();
    let mut parts = Vec::new();
    for part in items.parts(workers) {
        parts.push((begins, part));
        let leaves: usize = part.iter().map(|shard| shard.len()).sum();
        begins = begins.saturating_add(u64::try_from(leaves).unwrap_or(u64::MAX));
    }
    let spans = in_parts(workers, parts, |(begins, part)| {
        let (mut span, mut leaf) = (Span::beginning_at(begins), Vec::new());
        for (key, item) in part.iter().flat_map(|shard| shard.iter()) {
            encoded_into(&mut leaf, |writer| write(writer, *key, item));
            span.append(leaf_hash(&leaf));
        }
        span
    });
    spans.into_iter().for_each(|span| span.extend(tree));
}

pub(crate) fn read_network(reader: &mut Reader<'_>) -> Read<NetworkLeaf> {
    array_of(reader, 7)?;
    expect_word(reader, "network")?;
    Ok(NetworkLeaf {
        genesis_hash: *reader.byte_array()?,
        height: reader.unsigned()?,
        time_unix_milliseconds: reader.unsigned()?,
        epoch: reader.unsigned()?,
        tariff_version: reader.unsigned_32()?,
        totals: read_totals(reader)?,
    })
}

pub(crate) fn write_totals(writer: &mut Writer<'_>, totals: &Totals) -> Written {
    writer.array_header(5)?;
    writer.unsigned(totals.envelopes)?;
    writer.unsigned(totals.records)?;
    writer.unsigned(totals.instructions)?;
    write_refused(writer, &totals.refused)?;
    write_wide(writer, totals.paid_microtokens)
}

pub(crate) fn read_totals(reader: &mut Reader<'_>) -> Read<Totals> {
    array_of(reader, 5)?;
    Ok(Totals {
        envelopes: reader.unsigned()?,
        records: reader.unsigned()?,
        instructions: reader.unsigned()?,
        refused: read_refused(reader)?,
        paid_microtokens: read_wide(reader)?,
    })
}

pub(crate) fn write_account_state(writer: &mut Writer<'_>, id: AccountId, account: &Account) -> Written {
    writer.array_header(7)?;
    writer.text("account")?;
    write_account(writer, id)?;
    write_wide(writer, account.debits_posted)?;
    write_wide(writer, account.credits_posted)?;
    write_option(writer, account.key.as_ref(), |writer, key| writer.bytes(key.as_bytes()))?;
    writer.unsigned(account.counter)?;
    write_wide(writer, account.rewards_microtokens)
}

pub(crate) fn read_account_state(reader: &mut Reader<'_>) -> Read<(AccountId, Account)> {
    array_of(reader, 7)?;
    expect_word(reader, "account")?;
    let id = read_account(reader)?;
    let debits_posted = read_wide(reader)?;
    let credits_posted = read_wide(reader)?;
    let key = read_option(reader, read_key)?;
    let counter = reader.unsigned()?;
    let rewards_microtokens = read_wide(reader)?;
    Ok((id, Account { debits_posted, credits_posted, key, counter, rewards_microtokens }))
}

pub(crate) fn write_device(writer: &mut Writer<'_>, kid: DeviceId, device: &Device) -> Written {
    writer.array_header(16)?;
    writer.text("device")?;
    writer.bytes(kid.as_bytes())?;
    writer.bytes(device.public_key.as_bytes())?;
    device.ownership.write(writer)?;
    write_option(writer, device.offered_to(), write_account)?;
    write_option(writer, device.position, write_position)?;
    writer.unsigned(device.enrolled_height)?;
    writer.unsigned(device.active_from_unix_milliseconds)?;
    write_option(writer, device.replaces(), |writer, kid| writer.bytes(kid.as_bytes()))?;
    write_option(writer, device.retirement(), |writer, retirement| {
        writer.array_header(2)?;
        writer.unsigned(retirement.unix_milliseconds)?;
        write_option(writer, retirement.replaced_by, |writer, kid| writer.bytes(kid.as_bytes()))
    })?;
    write_option(writer, device.window.highest(), |writer, highest| {
        writer.array_header(2)?;
        writer.bytes(&highest.to_cti())?;
        writer.unsigned(device.window.bits())
    })?;
    writer.unsigned(device.accepted_envelopes)?;
    writer.unsigned(device.accepted_records)?;
    write_option(writer, device.last_accepted_unix_milliseconds, |writer, time| writer.unsigned(time))?;
    writer.unsigned(device.earned_microtokens)?;
    write_tally(writer, &device.tally)
}

pub(crate) fn read_device(reader: &mut Reader<'_>) -> Read<(DeviceId, Device)> {
    array_of(reader, 16)?;
    expect_word(reader, "device")?;
    let kid = DeviceId(*reader.byte_array()?);
    let public_key = read_key(reader)?;
    if public_key.kid() != kid {
        return Err(DecodeError::OutOfRange);
    }
    let ownership = Ownership::read(reader)?;
    let offered_to = read_option(reader, read_account)?;
    let position = read_option(reader, read_position)?;
    let mut device =
        Device::enrolled(public_key, ownership, position, reader.unsigned()?, reader.unsigned()?);
    let replaces = read_option(reader, read_kid)?;
    let retirement = read_option(reader, |reader| {
        array_of(reader, 2)?;
        let unix_milliseconds = reader.unsigned()?;
        Ok(Retirement { unix_milliseconds, replaced_by: read_option(reader, read_kid)? })
    })?;
    device.change(|rare| *rare = Rare { offered_to, replaces, retirement });
    device.window = read_option(reader, read_window)?.unwrap_or_default();
    device.accepted_envelopes = reader.unsigned()?;
    device.accepted_records = reader.unsigned()?;
    device.last_accepted_unix_milliseconds = read_option(reader, Reader::unsigned)?;
    device.earned_microtokens = reader.unsigned()?;
    device.tally = read_tally(reader)?;
    Ok((kid, device))
}

fn read_window(reader: &mut Reader<'_>) -> Read<Window> {
    array_of(reader, 2)?;
    let highest = Sequence::from_cti(*reader.byte_array()?);
    Window::from_parts(Some(highest), reader.unsigned()?).ok_or(DecodeError::OutOfRange)
}

fn expect_word(reader: &mut Reader<'_>, word: &str) -> Read<()> {
    if reader.text()? == word { Ok(()) } else { Err(DecodeError::Unexpected) }
}
