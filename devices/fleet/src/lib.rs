//! Virtual devices: the firmware's own core on the host, with a simulated thermometer, EEPROM and weather.
//!
//! Invariants: what a virtual device decides (numbers, signs, keeps, sends again), `firmware/node` decides; here are only
//! a bus, a memory, a model of the weather, recordings and a connection. A (boot, count) is never used twice: the boot
//! counter lies in a file a device, or starts from the clock. Nothing here knows that a ledger exists. No float is ever
//! published. Every queue has its bound in [`limits`].

pub mod client;
pub mod clock;
pub mod eeprom;
pub mod group;
pub mod limits;
pub mod load;
pub mod replay;
pub mod run;
pub mod sensor;
pub mod thermometer;
pub mod weather;

pub use run::{FleetConfig, FleetError, FleetReport, run, seeds};
