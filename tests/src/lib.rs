//! What the end-to-end tests share: the product as a process, people's tools beside it, and patience with a deadline.
//!
//! A claim of the whole is proved through the binary, the wire and the pages, as somebody outside would: what starts
//! the product calls nothing of the gateway, and of the ledger only the names that people type and read (account ids,
//! instructions, tile paths). Only processes that were started here are ended, by their handle.

pub mod broker;
pub mod browser;
pub mod chance;
pub mod crash;
pub mod golang;
pub mod liar;
pub mod mqtt;
pub mod network;
pub mod node;
pub mod page;
pub mod people;
pub mod pictures;
pub mod program;
pub mod python;
pub mod quality;
pub mod replayed;
pub mod sensor;
pub mod small_disk;
pub mod time_server;
pub mod wait;
