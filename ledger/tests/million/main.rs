//! A million random instructions and envelopes, most of them right: after every block the books balance, nothing is
//! paid twice, what is refused leaves no trace, and the block executed again gives the same.

#[path = "../city/mod.rs"]
mod city;

mod books;
mod crowd;

use books::Books;
use city::genesis;
use crowd::Crowd;
use ledger::block::{Block, BlockResults};
use ledger::genesis::Genesis;
use ledger::instruction::InstructionName;
use ledger::replay::Trust;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::transaction::{Outcome, Refused};
use std::collections::BTreeMap;
use std::time::Instant;

const TRANSACTIONS: u64 = 1_000_000;
const SEED: u64 = 0x006d_696c_6c69_6f6e;
/// Six hours: the million spans some weeks, so that what is kept for a month is also forgotten.
const EPOCH_SECONDS: u64 = 6 * 3_600;
/// When it begins: an epoch's edge, Unix milliseconds.
const START: u64 = 83_334 * EPOCH_SECONDS * 1_000;
/// So little that it is empty now and then.
const POOL_MICROTOKENS: u64 = 10_000_000;
/// One of so many transactions is executed beside a copy of the state from before.
const TRACED_ONE_IN: u64 = 300;
/// One of so many settlements is followed by a snapshot that is restored.
const RESTORED_ONE_IN: u64 = 8;

/// What was asked and what came of it.
#[derive(Default)]
struct Counts {
    accepted: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    traced: u64,
    restored: u64,
    settlements: u64,
}

struct Run {
    state: State,
    /// The same ledger again, which knows nothing but the blocks.
    replayed: State,
    genesis: Genesis,
    crowd: Crowd,
    books: Books,
    counts: Counts,
    time: u64,
    asked: u64,
}

impl Run {
    fn begin() -> Run {
        let genesis = Genesis {
            pool_microtokens: POOL_MICROTOKENS,
            epoch_seconds: EPOCH_SECONDS,
            time_unix_milliseconds: START,
            ..genesis()
        };
        genesis.validate().expect("the genesis is valid");
        let (state, block, results) = State::genesis(&genesis);
        let (replayed, _) = State::replay_genesis(&genesis, &block).expect("block 0 follows from genesis");
        let mut books = Books::new(&genesis);
        books.close(&state, &results);
        let (crowd, counts) = (Crowd::new(SEED, &genesis), Counts::default());
        Run { state, replayed, genesis, crowd, books, counts, time: START, asked: 0 }
    }

    /// A block of some hundred transactions, some minutes after the last one.
    fn block(&mut self) {
        self.time += self.crowd.chance.below(50 * 60 * 1_000);
        let settles = self.time >= self.state.next_settlement_unix_milliseconds();
        let expected = settles.then(|| {
            let preview = self.state.preview_at(self.state.next_settlement_unix_milliseconds());
            (without_place(preview.statements()), *preview.settlement())
        });
        let many = (50 + self.crowd.chance.below(1_000)).min(TRANSACTIONS - self.asked);
        let mut builder = self.state.begin(self.time);
        for _ in 0..many {
            let transaction = self.crowd.next(builder.state(), self.time);
            if !builder.has_room(transaction.bytes().len()) {
                break;
            }
            self.asked += 1;
            let before = self.asked.is_multiple_of(TRACED_ONE_IN).then(|| builder.state().clone());
            match builder.execute(&transaction) {
                Ok(Outcome::Reading { .. }) => *self.counts.accepted.entry("reading").or_default() += 1,
                Ok(Outcome::Instruction { name, .. }) => {
                    *self.counts.accepted.entry(name.as_str()).or_default() += 1;
                }
                Err(refused) => {
                    *self.counts.refused.entry(refused.as_str()).or_default() += 1;
                    if let Some(before) = before {
                        self.counts.traced += 1;
                        leaves_no_trace(&before, builder.state(), &refused);
                    }
                }
            }
        }
        let (block, results) = builder.finish();
        self.books.close(&self.state, &results);
        if let (Some((statements, mut settlement)), Some(settled)) = (expected, results.settlement) {
            assert_eq!(statements, without_place(&results.statements), "the preview is the settlement");
            settlement.last_epoch = settled.last_epoch;
            assert_eq!(settlement, settled);
        }
        self.again(&block, &results);
    }

    /// The block is executed again by a state that has seen nothing but blocks.
    fn again(&mut self, block: &Block, results: &BlockResults) {
        let replayed = self.replayed.replay(block, Trust::OwnLog);
        assert_eq!(replayed.as_ref(), Ok(results), "a block executed again gives the same");
        if results.settlement.is_some() {
            assert_eq!(self.state, self.replayed);
            self.counts.settlements += 1;
            if self.counts.settlements.is_multiple_of(RESTORED_ONE_IN) {
                let restored = State::restore(&self.genesis, &self.state.snapshot());
                assert_eq!(restored.as_ref(), Ok(&self.state), "a snapshot holds the whole state");
                // It goes on from the snapshot, as a node does after a start.
                self.replayed = restored.expect("it was just compared");
                self.counts.restored += 1;
            }
        }
    }
}

/// A refused reading is counted by the block; nothing else may differ.
fn leaves_no_trace(before: &State, after: &State, refused: &Refused) {
    assert_eq!(before, after, "{}: what is refused leaves no trace", refused.as_str());
}

/// Statements as they are before the block has a place in the log.
fn without_place(statements: &[Statement]) -> Vec<Statement> {
    let nowhere = |statement: &Statement| Statement { height: 0, seal_index: 0, ..statement.clone() };
    statements.iter().map(nowhere).collect()
}

#[test]
fn a_million_random_transactions_keep_every_invariant() {
    let began = Instant::now();
    let mut run = Run::begin();
    while run.asked < TRANSACTIONS {
        run.block();
    }
    assert_eq!(run.state, run.replayed);
    let Counts { accepted, refused, traced, restored, settlements } = &run.counts;
    println!("{} transactions in {} blocks, {settlements} settlements", run.asked, run.state.height());
    println!("accepted: {accepted:?}");
    println!("refused: {refused:?}");
    println!("{}", run.books);
    println!("{traced} refusals compared, {restored} snapshots restored, {:.0?}", began.elapsed());
    let all: u64 = accepted.values().sum();
    assert!(all > TRANSACTIONS / 10 * 7, "most of what is asked is carried out: {all}");
    for name in InstructionName::ALL.into_iter().filter(|name| !name.is_of_validators()) {
        assert!(accepted.get(name.as_str()).is_some_and(|count| *count > 20), "{name} is carried out");
    }
    let reasons = ["replayed", "revoked", "too_old", "in_future", "unknown_device", "signature"];
    for reason in
        reasons.into_iter().chain(["insufficient_balance", "not_owner", "possession", "tariff_pending"])
    {
        assert!(refused.contains_key(reason), "something is refused as {reason}");
    }
    assert!(*traced > 200 && *restored > 3 && *settlements > 40);
    run.books.has_seen_everything();
}
