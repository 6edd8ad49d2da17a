//! The link between gateways and validators: how transactions come to those who decide, and decided blocks come back.
//!
//! A gateway is no validator. It connects to each validator by mutual TLS 1.3, submits signed batches that it keeps in a
//! durable outbox until they are final, and follows decided blocks with their certificates. Nothing here knows what a
//! transaction means, and nobody is believed: a validator verifies what a gateway submits, a gateway's host verifies
//! every certificate. `gateway/docs/link.md` has the protocol for outsiders.

pub mod batch;
pub mod blocks;
pub mod client;
mod connection;
pub mod door;
pub mod figures;
mod following;
mod judge;
pub mod message;
mod pump;
mod quota;
pub mod store;
mod submitter;
#[cfg(test)]
mod tests;
pub mod tls;
mod visit;
mod wire;
