//! The pure state machine of the ledger.
//!
//! Invariants: nothing here knows the time, a file, a socket, a thread or a random number; what a block does follows
//! from the state before it and from its bytes. Only what was verified is executed, by type. Money is u64
//! micro-tokens, never a float, and every sum is checked: debits equal credits, the balances' sum is the supply, and no
//! epoch pays more than the pool held. Nothing here knows that MQTT, HTTP or sled exist.
//!
//! A block is made with [`state::State::begin`] and [`execute::BlockBuilder`], replayed with [`state::State::replay`];
//! what outsiders verify is in [`document`], which knows [`receipt`], [`state_proof`] and [`consistency`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic, clippy::indexing_slicing)]

extern crate alloc;

pub mod account;
pub mod approval;
pub mod block;
pub mod book;
pub mod cell;
pub mod certificate;
pub mod checkpoint;
mod closing;
pub mod consistency;
mod copies;
pub mod document;
mod encoding;
pub mod evidence;
pub mod execute;
pub mod factor;
pub mod genesis;
pub mod handovers;
pub mod instruction;
mod instruction_refusal;
mod instructions;
mod judging;
pub mod limits;
pub mod merkle;
mod neighbours;
pub mod note;
pub mod ownership;
pub mod preview;
pub mod proof_text;
pub mod proven;
pub mod pruned;
mod quality;
pub mod receipt;
pub mod recompute;
pub mod registry;
pub mod replay;
pub mod reward;
mod series;
pub mod settlement;
mod sharded;
mod shares;
mod signed_96;
pub mod snapshot;
mod span;
pub mod state;
pub mod state_leaf;
pub mod state_proof;
mod state_root;
pub mod statement;
pub mod statement_line;
pub mod steps;
pub mod succession;
pub mod tally;
pub mod tariff;
pub mod tariffs;
mod texture;
pub mod tiles;
pub mod token;
pub mod transaction;
pub mod transfer;
pub mod trial;
mod validator_instructions;
pub mod validators;
pub mod validators_leaf;
pub mod vote;
pub mod window;
pub mod workers;
