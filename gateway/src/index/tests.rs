//! The index's claims: what was put is found, also after a restart, after merging, and when put twice.

use ledger::account::AccountId;
use ledger::statement::CellShare;
use ledger::transfer::{Transfer, TransferReason};

use super::*;
use crate::figures;
use crate::log::Position;

const DEVICE: DeviceId = DeviceId([3; 8]);

fn id(number: u64) -> TransactionId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..16].copy_from_slice(&number.to_be_bytes());
    TransactionId(bytes)
}

fn of(genesis: u8) -> Of {
    Of { genesis_hash: [genesis; 32], first_height: 0 }
}

/// A block with ids, one reading of the device and one transfer.
fn block(height: u64, entries: u32) -> BlockEntry {
    let first_index = height * u64::from(entries);
    let ids = (first_index..first_index + u64::from(entries)).map(|index| (id(index), index)).collect();
    let place = BlockPlace {
        height,
        position: Position { segment: 1, offset: height * 100 },
        first_index,
        entries,
        time_unix_milliseconds: height * 1_000,
    };
    let transfer = Transfer {
        debit: AccountId::from_bytes([1; 32]),
        credit: AccountId::from_bytes([2; 32]),
        amount_microtokens: height + 1,
        reason: TransferReason::Issue,
    };
    let record =
        TransferRecord { transfer, height, time_unix_milliseconds: height * 1_000, entry_index: first_index };
    BlockEntry {
        place,
        ids,
        readings: vec![(DEVICE, first_index)],
        firmware: vec![(DEVICE, "1.4.2".to_owned())],
        confirmed: vec![(DEVICE, height)],
        statements: Vec::new(),
        transfers: vec![record],
        settlement: None,
    }
}

fn put(index: &Index, height: u64, entries: u32) {
    index.put(&block(height, entries)).unwrap();
}

#[test]
fn blocks_ids_readings_and_transfers_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&directory.path().join("index"), of(1)).unwrap();
    assert_eq!(index.flushed_height().unwrap(), None);
    for height in 0..20 {
        put(&index, height, 4);
    }
    assert_eq!(index.block_of(41).unwrap().unwrap().height, 10);
    assert_eq!(index.block_of(80).unwrap(), None);
    assert_eq!(index.find(&id(41)).unwrap(), [41]);
    assert!(index.find(&id(80)).unwrap().is_empty());
    let all: Vec<u64> = (0..20).map(|height| height * 4).collect();
    assert_eq!(index.readings(DEVICE, 0..u64::MAX, 100).unwrap(), all);
    assert_eq!(index.readings(DEVICE, all[7]..all[9], 100).unwrap(), all[7..9]);
    assert_eq!(index.readings(DEVICE, all[7]..u64::MAX, 2).unwrap(), all[7..9], "the cap comes last");
    assert_eq!(index.last_readings(DEVICE, 3).unwrap(), all[17..]);
    let amounts = |heights, most| {
        let found = index.transfers(AccountId::from_bytes([2; 32]), heights, most).unwrap();
        found.iter().map(|record| record.transfer.amount_microtokens).collect::<Vec<_>>()
    };
    assert_eq!(amounts(0..u64::MAX, 2), [20, 19]);
    assert_eq!(amounts(3..6, 100), [6, 5, 4]);
    assert_eq!(amounts(3..6, 2), [6, 5], "the range is taken before the cap");
}

#[test]
fn a_moment_leads_to_the_first_block_of_it_or_after() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&directory.path().join("index"), of(1)).unwrap();
    assert_eq!((index.height_at(5).unwrap(), index.first_index_at(5).unwrap()), (0, u64::MAX));
    for height in 0..20 {
        put(&index, height, 4);
    }
    for (time, height) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (19_000, 19)] {
        assert_eq!(index.height_at(time).unwrap(), height, "{time}");
        assert_eq!(index.first_index_at(time).unwrap(), height * 4, "{time}");
    }
    assert_eq!((index.height_at(19_001).unwrap(), index.first_index_at(19_001).unwrap()), (20, u64::MAX));
}

/// The statement of a device for one payee and epoch.
fn statement(payee: AccountId, epoch: u64) -> Statement {
    Statement {
        kid: DEVICE,
        epoch,
        from_unix_milliseconds: epoch * 60_000,
        to_unix_milliseconds: (epoch + 1) * 60_000,
        owner: Some(payee),
        payee,
        tariff_version: 1,
        envelopes: 1,
        lines: Vec::new(),
        due_microtokens: epoch,
        cell_share: CellShare {
            cell: None,
            budget_microtokens: 1,
            devices: 1,
            due_total_microtokens: epoch.into(),
            withheld_microtokens: 0,
        },
        pool_scale: None,
        paid_microtokens: epoch,
        height: epoch,
        seal_index: epoch,
    }
}

#[test]
fn a_device_that_changed_hands_has_a_statement_for_each_owner_of_the_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&directory.path().join("index"), of(1)).unwrap();
    let (seller, buyer) = (AccountId::from_bytes([8; 32]), AccountId::from_bytes([9; 32]));
    let all = [statement(seller, 3), statement(seller, 4), statement(buyer, 4), statement(buyer, 5)];
    for (height, statements) in (3..).zip([vec![all[0].clone()], all[1..3].to_vec(), vec![all[3].clone()]]) {
        index.put(&BlockEntry { statements, ..block(height, 1) }).unwrap();
    }
    let of_device = |epochs| index.statements_of_device(DEVICE, epochs, 10).unwrap();
    assert_eq!(of_device(4..5), [all[2].clone(), all[1].clone()]);
    assert_eq!(of_device(0..u64::MAX).len(), 4);
    assert_eq!(of_device(5..u64::MAX), [all[3].clone()]);
    let of_account = |account, epochs| index.statements_of_account(account, epochs, 10).unwrap();
    assert_eq!(of_account(seller, 0..u64::MAX), [all[1].clone(), all[0].clone()]);
    assert_eq!(of_account(buyer, 0..5), [all[2].clone()]);
    assert_eq!(index.statement_count(DEVICE).unwrap(), 4);
}

/// Statements of many devices and owners over three days, several values of them a block.
fn days_of_statements() -> Vec<BlockEntry> {
    let half_days = 6_u64;
    let of_epoch = |epoch: u64| {
        let count = 10 + epoch * 7;
        let one = move |number: u64| Statement {
            kid: DeviceId([u8::try_from(number % 9).unwrap(); 8]),
            to_unix_milliseconds: figures::begin_of(100) + (epoch + 1) * 43_200_000,
            paid_microtokens: number * number + epoch,
            ..statement(AccountId::from_bytes([u8::try_from(number % 5).unwrap(); 32]), epoch)
        };
        (0..count).map(one).collect()
    };
    (0..half_days).map(|epoch| BlockEntry { statements: of_epoch(epoch), ..block(epoch * 3, 2) }).collect()
}

/// What the blocks' statements come to by the plain way.
fn plain_days(blocks: &[BlockEntry], is_of: impl Fn(&Statement) -> bool) -> Vec<Day> {
    let statements = blocks.iter().flat_map(|block| &block.statements);
    summed(statements.filter(|one| is_of(one)).map(Day::of).collect())
}

fn assert_days_are_those_of_the_statements(index: &Index, blocks: &[BlockEntry]) {
    for number in 0..10 {
        let (kid, payee) = (DeviceId([number; 8]), AccountId::from_bytes([number; 32]));
        let by_device = plain_days(blocks, |one| one.kid == kid);
        assert_eq!(index.days_of_device(kid, 0..u32::MAX).unwrap(), by_device);
        assert_eq!(index.days_of_device(kid, 101..102).unwrap(), by_device.get(1..2).unwrap_or_default());
        let by_payee = plain_days(blocks, |one| one.payee == payee);
        assert_eq!(index.days_of_account(&payee, 0..u32::MAX).unwrap(), by_payee);
        let statements = index.statements_of_account(payee, 0..u64::MAX, usize::MAX).unwrap();
        assert_eq!(summed(statements.iter().map(Day::of).collect()), by_payee, "the same statements");
    }
    assert_eq!(index.days_of_network(0..u32::MAX).unwrap(), plain_days(blocks, |_| true));
}

#[test]
fn the_sums_of_days_are_those_of_the_statements_also_after_a_restart_and_a_rebuild() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    let blocks = days_of_statements();
    let index = Index::open(&path, of(1)).unwrap();
    blocks.iter().for_each(|block| index.put(block).unwrap());
    assert!(blocks[5].statements.len() > 2 * limits::INDEX_STATEMENTS_PER_VALUE);
    assert_days_are_those_of_the_statements(&index, &blocks);
    index.flush(blocks[5].place.height, &[]).unwrap();
    drop(index);
    let index = Index::open(&path, of(1)).unwrap();
    blocks[3..].iter().for_each(|block| index.put(block).unwrap());
    assert_days_are_those_of_the_statements(&index, &blocks);
    index.mark_for_rebuild();
    drop(index);
    let index = Index::open(&path, of(1)).unwrap();
    assert!(index.days_of_network(0..u32::MAX).unwrap().is_empty());
    for block in &blocks {
        index.put(block).unwrap();
        index.flush(block.place.height, &[]).unwrap();
    }
    assert_days_are_those_of_the_statements(&index, &blocks);
}

#[test]
fn what_was_flushed_is_there_after_a_restart_and_putting_it_again_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    let index = Index::open(&path, of(1)).unwrap();
    for height in 0..6 {
        put(&index, height, 3);
    }
    index.flush(5, &[(DEVICE, [1, 0, 0, 0, 2, 0, 0, 0])]).unwrap();
    drop(index);
    let index = Index::open(&path, of(1)).unwrap();
    assert_eq!(index.flushed_height().unwrap(), Some(5));
    assert_eq!(index.refused().unwrap()[&DEVICE], [1, 0, 0, 0, 2, 0, 0, 0]);
    for height in 2..6 {
        put(&index, height, 3);
    }
    assert_eq!(index.find(&id(10)).unwrap(), [10]);
    assert_eq!(index.readings(DEVICE, 0..u64::MAX, 100).unwrap(), [0, 3, 6, 9, 12, 15]);
    assert_eq!(index.transfers(AccountId::from_bytes([1; 32]), 0..u64::MAX, 100).unwrap().len(), 6);
}

#[test]
fn what_waits_for_the_index_is_found_and_a_flush_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&directory.path().join("index"), of(1)).unwrap();
    for height in 0..4 {
        put(&index, height, 3);
    }
    for height in 4..8 {
        index.enqueue(block(height, 3));
    }
    assert_eq!(index.behind(), 12);
    assert_eq!(index.block(6).unwrap().unwrap().first_index, 18);
    assert_eq!(index.block_of(19).unwrap().unwrap().height, 6);
    assert_eq!(index.find(&id(19)).unwrap(), [19]);
    assert_eq!(index.readings(DEVICE, 9..u64::MAX, 3).unwrap(), [9, 12, 15]);
    assert_eq!(index.last_readings(DEVICE, 2).unwrap(), [18, 21]);
    assert_eq!((index.height_at(7_000).unwrap(), index.height_at(7_001).unwrap()), (7, 8));
    thread::scope(|scope| {
        let flushed = scope.spawn(|| index.flush(7, &[]));
        let found = scope.spawn(|| index.transfer_count(AccountId::from_bytes([1; 32])));
        let serving = scope.spawn(|| index.serve(|put| put.unwrap()));
        flushed.join().unwrap().unwrap();
        assert_eq!(found.join().unwrap().unwrap(), 8, "transfers are waited for");
        index.close();
        serving.join().unwrap();
    });
    assert_eq!((index.behind(), index.flushed_height().unwrap()), (0, Some(7)));
    assert_eq!(index.find(&id(19)).unwrap(), [19]);
    assert_eq!(index.readings(DEVICE, 0..u64::MAX, 100).unwrap().len(), 8);
    assert!(index.flush(8, &[]).is_err(), "no such block was durable");
}

#[test]
fn an_index_that_is_foreign_damaged_or_marked_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    let index = Index::open(&path, of(1)).unwrap();
    put(&index, 0, 2);
    index.flush(0, &[]).unwrap();
    drop(index);
    let foreign = Index::open(&path, of(2)).unwrap();
    assert_eq!(foreign.flushed_height().unwrap(), None);
    put(&foreign, 0, 2);
    foreign.flush(0, &[]).unwrap();
    foreign.mark_for_rebuild();
    drop(foreign);
    let marked = Index::open(&path, of(2)).unwrap();
    assert_eq!(marked.flushed_height().unwrap(), None);
    drop(marked);
    for entry in fs::read_dir(&path).unwrap() {
        let file = entry.unwrap().path();
        if file.is_file() {
            fs::write(file, b"not sled").unwrap();
        }
    }
    let damaged = Index::open(&path, of(2)).unwrap();
    assert_eq!(damaged.flushed_height().unwrap(), None);
}
