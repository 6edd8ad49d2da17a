//! The gateway: MQTT in, a durable ledger, HTTP out. The binary `lamppost` is a thin shell around this library.
//!
//! Invariants: what is pure (`admit`, `verify`, `batch`, `node`, `effects`, `figures`, `alerts`) names no clock, file or socket. Each effect has one
//! file: `log` and `rows` write, only `index` knows sled, only `mqtt` knows rumqttc, only `broker` knows rumqttd, only
//! `http` knows axum, only `clock` reads the time or asks for randomness. Nothing is acknowledged before its block is
//! on the disk, and whatever is read is durable. Every queue has a number in `limits`.

pub mod admit;
pub mod alerts;
pub mod audit;
pub mod backup;
pub mod batch;
pub mod broker;
pub mod cells;
#[cfg(feature = "bft")]
pub mod children;
pub mod city;
pub mod client;
pub mod clock;
pub mod commander;
pub mod commands;
#[cfg(feature = "bft")]
pub mod configuration;
pub mod consensus;
pub mod data_dir;
pub mod descriptors;
pub mod disk;
pub mod dry_run;
pub mod effects;
pub mod events;
pub mod figures;
pub mod firmware;
pub mod host;
pub mod http;
pub mod index;
pub mod key_cache;
pub mod keys;
pub mod leaves;
pub mod limits;
pub mod link;
pub mod log;
pub mod mqtt;
pub mod node;
pub mod outbox;
pub mod own_map;
pub mod priority;
pub mod proofs;
pub mod prune;
pub mod pulse;
pub mod reads;
pub mod refusals;
pub mod room;
pub mod rows;
pub mod running;
pub mod senml_json;
pub mod shared;
pub mod sign_in;
pub mod snapshot;
pub mod standing;
pub mod storage;
pub mod stored;
pub mod telemetry;
pub mod verify;
pub mod window;
pub mod workers;
