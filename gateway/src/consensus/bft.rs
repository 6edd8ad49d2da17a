//! Several validators agree on every block by the engine (Malachite): the only place that names it. What is agreed on is a
//! block's id; its bytes travel as parts. The engine decides nothing about blocks: whether one is right, this node's own
//! state says.

#[cfg(feature = "byzantine")]
pub mod byzantine;
pub mod checkpoints;
pub mod codec;
pub mod context;
pub mod engine;
pub mod judge;
pub mod links;
pub mod parts;
pub mod proposals;
pub mod record;
pub mod signing;
