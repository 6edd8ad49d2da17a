//! What the end-to-end tests share: the product as a process, people's tools beside it, and patience with a deadline.
//!
//! Nothing here calls the gateway or the ledger: a claim of the whole is proved through the binary, the wire and the
//! pages, as somebody outside would. Only processes that were started here are ended, by their handle.

pub mod broker;
pub mod mqtt;
pub mod node;
pub mod page;
pub mod program;
pub mod python;
pub mod sensor;
pub mod small_disk;
pub mod wait;
