//! The link between gateways and validators: how transactions come to those who decide, and decided blocks come back.
//!
//! A gateway is no validator. It connects to each validator by mutual TLS 1.3, submits signed batches that it keeps in a
//! durable outbox until they are final, and follows decided blocks with their certificates. Nothing here knows what a
//! transaction means, and nobody is believed: a validator verifies what a gateway submits, a gateway's host verifies
//! every certificate. `gateway/docs/link.md` has the protocol for outsiders.
//!
//! What is said is read and written by every build; only one with the feature `bft` speaks it.

pub mod batch;
#[cfg(feature = "bft")]
pub mod blocks;
#[cfg(feature = "bft")]
pub mod client;
#[cfg(feature = "bft")]
mod connection;
#[cfg(feature = "bft")]
pub mod door;
#[cfg(feature = "bft")]
pub mod figures;
#[cfg(feature = "bft")]
mod following;
#[cfg(feature = "bft")]
mod judge;
pub mod message;
#[cfg(feature = "bft")]
mod pump;
#[cfg(feature = "bft")]
mod quota;
#[cfg(feature = "bft")]
pub mod store;
#[cfg(feature = "bft")]
mod submitter;
#[cfg(all(test, feature = "bft"))]
mod tests;
#[cfg(feature = "bft")]
pub mod tls;
#[cfg(feature = "bft")]
mod visit;
#[cfg(feature = "bft")]
mod wire;
