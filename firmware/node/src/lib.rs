//! The firmware's portable core: samples, numbers, signs, keeps and delivers readings.
//!
//! Invariants: no `std`, no allocator, no `unsafe`. No board's name stands here, and no network stack's: a board brings
//! its sensors, an EEPROM (`embedded_storage::Storage`), a time driver and an open connection. Nothing is published under a
//! number that may have been used before. A reading leaves the outbox only when the `ack` topic settles it. Every bound
//! stands in [`limits`].
//!
//! # Embedding it
//! On a board, or on a host with few devices: put a [`Device`] into a `RefCell` and run [`uplink::keep_sampling`] beside
//! a loop that opens a connection and hands it to [`uplink::run_session`]; any executor will do, on one thread. A host
//! turns on the feature `std` for the clock.
//!
//! On a host with many devices, or with an MQTT client of its own: drive [`Device`] directly. It does no network I/O:
//!
//! ```
//! use devices::{Ack, Decimal, IdentityPage, Sequence};
//! use node::{Device, Fault, Identity, Memory, Records, Report, Sensor, Settings, sequence};
//!
//! struct Model;
//! impl Sensor for Model {
//!     fn name(&self) -> &'static str {
//!         "model"
//!     }
//!     fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
//!         records.add("temp", "Cel", Decimal::from(21u32));
//!         Ok(())
//!     }
//! }
//!
//! let identity = Identity::new(IdentityPage::new("devnet", [7; 32], None)?);
//! let mut memory = Memory::<8192>::new();
//! // A storage that dies with its program needs boot numbers from somewhere: Unix seconds, for instance.
//! sequence::preset(&mut memory, 1_800_000_000).map_err(|error| error.to_string())?;
//! let mut device = Device::start(identity, memory, Model, Settings::default(), 0).map_err(|error| error.to_string())?;
//! device.session_opened(0); // connected, and subscribed to `ack` and `refused`
//! assert!(matches!(device.sample_if_due(0), Some(Report::Kept(_))));
//!
//! let mut envelope = [0; 1024];
//! let later = node::limits::ACK_GRACE_MILLISECONDS; // no retained ack came
//! let outgoing = device.next_to_send(later, &mut envelope).unwrap().unwrap();
//! // publish envelope[..outgoing.envelope_bytes] with QoS 1, then:
//! device.sent(later, &outgoing);
//! assert_eq!(device.waiting(), 1);
//! device.acknowledged(later + 40, &Ack { highest: outgoing.sequence, window: 1, log_size: 1 });
//! assert_eq!(device.waiting(), 0);
//! // … and again at device.wake_at_milliseconds(), or when a message comes.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

pub mod clock;
pub mod command;
pub mod compact;
pub mod condition;
pub mod delivery;
pub mod device;
pub mod generation;
pub mod health;
pub mod limits;
pub mod memory;
pub mod name;
pub mod orders;
pub mod outbox;
pub mod pack;
pub mod provision;
pub mod reporter;
pub mod sampler;
pub mod sequence;
pub mod settings;
pub mod slot;
pub mod sntp;
pub mod threshold;
pub mod uplink;
pub mod watch;

pub use device::{Counters, Device, Outgoing, Report, SendError, StartError};
pub use health::{Birth, LastWords, Reset, Vitals};
pub use memory::Memory;
pub use name::Name;
pub use provision::Identity;
pub use sampler::{Fault, Records, Sensor};
pub use settings::Settings;
pub use threshold::{Threshold, Thresholds};
