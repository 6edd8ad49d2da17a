//! What a device says and who it is: the signed envelope, its bytes, its names and its verdicts.
//!
//! Invariants: no `std` and, unless the feature `alloc` or `batch` is on, no allocator. Nothing here knows that MQTT
//! sockets, files, clocks or ledgers exist; time and randomness are values handed in. No float is ever read or written.
//! One value has one encoding (RFC 8949 §4.2.1): what decodes re-encodes to the same bytes. Only verification builds a
//! [`VerifiedReading`] or a [`VerifiedInstruction`].
//!
//! ```
//! use devices::{Base, Decimal, Record, Sequence, SignedReading, SigningKey, Value};
//!
//! let key = SigningKey::from_seed([7; 32]);
//! let base = Base { version: Some(26), name: Some("pm2.5"), time: Some(1_800_000_000), unit: Some("ug/m3") };
//! let record = Record::of(Value::Number("12.53".parse::<Decimal>()?));
//! let mut pack = [0; 64];
//! let pack_bytes = devices::encode_pack(&base, &[record], &mut pack)?;
//! let mut envelope = [0; 256];
//! let bytes = devices::sign_reading(&key, "devnet", Sequence { boot: 1, count: 42 }, &pack[..pack_bytes], &mut envelope)?;
//!
//! let signed = SignedReading::decode(&envelope[..bytes]).map_err(|(refusal, _)| refusal)?;
//! let verified = signed.verify(&key.public_key(), "devnet").map_err(|(refusal, _)| refusal)?;
//! assert_eq!(verified.sequence(), Sequence { boot: 1, count: 42 });
//! assert_eq!(verified.pack().record_count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod ack;
#[cfg(feature = "batch")]
pub mod batch;
pub mod cbor;
pub mod checksum;
pub mod command;
pub mod configuration;
pub mod cose;
pub mod decimal;
pub mod firmware_topic;
pub mod gateway_batch;
mod hexadecimal;
pub mod identity;
pub mod identity_page;
pub mod instruction;
pub mod key_offer;
pub mod limits;
pub mod manifest;
pub mod possession;
pub mod reading;
pub mod refusal;
pub mod senml;
pub mod sequence;
pub mod sign_in;
pub mod signature;
pub mod topic;
pub mod unsigned_instruction;
pub mod zip215;

pub use ack::{Ack, RefusedNotice};
#[cfg(feature = "batch")]
pub use batch::verify_batch;
pub use command::{Command, Order, SignedCommand, VerifiedCommand};
pub use configuration::{Configuration, Threshold};
pub use cose::{ContentType, SealError, TransactionId, sign_instruction, sign_reading};
pub use decimal::Decimal;
pub use firmware_topic::FirmwareTopic;
pub use gateway_batch::{GatewayBatch, VerifiedGatewayBatch};
pub use identity::{DeviceId, KeyError, PublicKey, SigningKey, Thumbprint};
pub use identity_page::IdentityPage;
pub use instruction::{SignedInstruction, VerifiedInstruction};
pub use key_offer::KeyOffer;
pub use manifest::{Manifest, ManifestError};
pub use possession::Possession;
pub use reading::{SignedReading, VerifiedReading};
pub use refusal::Refusal;
pub use senml::{Base, Pack, Record, ResolvedRecord, Value, encode_pack};
pub use sequence::Sequence;
pub use sign_in::{SignInAnswer, VerifiedSignIn};
pub use topic::{Topic, TopicKind};
pub use unsigned_instruction::UnsignedInstruction;
pub use zip215::DecompressedKey;
