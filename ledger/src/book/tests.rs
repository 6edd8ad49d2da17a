//! What no transaction can bring about: a book that is wrong. The block that would seal it is never made.

use crate::account::AccountId;
use crate::execute::BlockBuilder;
use crate::genesis::Genesis;
use crate::state::State;
use crate::transfer::{Transfer, TransferReason};
use devices::identity::SigningKey;

const NOW: u64 = 1_800_000_000_000;

fn state() -> State {
    let [validator, operator, treasury] =
        [1, 2, 3].map(|seed| SigningKey::from_seed([seed; 32]).public_key());
    let genesis = Genesis::devnet("devnet", "lamppost/devnet", validator, operator, treasury, 60, NOW);
    State::genesis(&genesis.expect("a devnet")).0
}

/// Makes the next block after `tamper` has got at the state, as a broken program or broken memory would.
fn block_after(time: u64, tamper: impl FnOnce(&mut State)) {
    let mut state = state();
    tamper(&mut state);
    let _never = state.begin(time).finish();
}

/// The pool's account, which exists from genesis on.
fn pool(state: &mut State) -> &mut crate::account::Account {
    let pool = state.constants.pool;
    state.book.accounts.get_mut(&pool).expect("genesis posts to the pool")
}

#[test]
fn an_honest_state_makes_blocks() {
    block_after(NOW, |_| {});
    block_after(NOW + 60_000, |_| {});
}

#[test]
#[should_panic(expected = "debits must equal credits")]
fn a_credit_without_a_debit_stops_the_node() {
    block_after(NOW, |state| state.book.credits_posted += 1);
}

#[test]
#[should_panic(expected = "the balances' sum must be the supply")]
fn a_token_from_nowhere_stops_the_node() {
    block_after(NOW, |state| state.book.held += 1);
}

#[test]
#[should_panic(expected = "the running sums must be those of the accounts")]
fn an_account_that_was_tampered_with_stops_the_node_at_the_epochs_end() {
    block_after(NOW + 60_000, |state| pool(state).credits_posted += 1);
}

#[test]
#[should_panic(expected = "a balance never exceeds the supply")]
fn a_balance_beyond_a_u64_stops_the_node() {
    block_after(NOW + 60_000, |state| pool(state).credits_posted = u128::MAX);
}

#[test]
#[should_panic(expected = "a correction takes back at most what was paid")]
fn rewards_below_zero_stop_the_node() {
    let mut state = state();
    let (pool, holder) = (state.constants.pool, AccountId::from_bytes([7; 32]));
    let reason = TransferReason::Reward { kid: SigningKey::from_seed([9; 32]).kid(), epoch: 0 };
    let reward = Transfer { debit: pool, credit: holder, amount_microtokens: 5, reason };
    state.book.post(&reward).expect("the pool holds it");
    state.book.accounts.get_mut(&holder).expect("it was paid").rewards_microtokens = 4;
    let reason = TransferReason::Correct { entry_index: 0, why: "why".into() };
    let back = Transfer { debit: holder, credit: pool, amount_microtokens: 5, reason };
    // The book refuses it when asked; whoever goes past the question is stopped.
    assert!(state.book.check(&back).is_err());
    state.book.note_rewards(&back);
}

#[test]
fn a_block_that_cannot_be_posted_leaves_the_book_as_it_was() {
    let mut state = state();
    let before = state.book.clone();
    let (pool, supply) = (state.constants.pool, state.constants.supply);
    let transfer = |debit, credit, amount_microtokens| Transfer {
        debit,
        credit,
        amount_microtokens,
        reason: TransferReason::Transfer { memo: None },
    };
    let mut builder = BlockBuilder::begin(&mut state, NOW, &crate::workers::Sequential);
    for refused in [
        transfer(pool, supply, 1),
        transfer(pool, pool, 1),
        transfer(pool, AccountId::from_bytes([7; 32]), u64::MAX),
        transfer(supply, pool, u64::MAX),
        transfer(AccountId::from_bytes([7; 32]), pool, 0),
    ] {
        assert!(builder.post(refused, 0).is_err());
    }
    let _block = builder.finish();
    assert_eq!(state.book, before);
}
