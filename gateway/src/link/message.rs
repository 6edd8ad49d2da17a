//! What gateways and validators say to each other: arrays of a word and its arguments in deterministic CBOR. Pure.

use devices::cbor::{DecodeError, EncodeError, Reader, Writer};

use crate::limits::{
    FRAME_BYTES_MAX, LINK_BATCH_BYTES_MAX, LINK_CERTIFICATE_BYTES_MAX, LINK_CHECKPOINT_BYTES_MAX,
};

/// Why a validator did not take a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The gateway has sent more envelopes than it may.
    OverQuota,
    /// There is no room.
    Full,
    /// Another batch with this sequence was taken lately.
    Stale,
    /// Its signature does not hold, or its transactions are not those that were signed for.
    Malformed,
    /// It is not this gateway's.
    NotAdmitted,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 5] =
        [Reason::OverQuota, Reason::Full, Reason::Stale, Reason::Malformed, Reason::NotAdmitted];

    /// The word on the wire and in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::OverQuota => "over_quota",
            Reason::Full => "full",
            Reason::Stale => "stale",
            Reason::Malformed => "malformed",
            Reason::NotAdmitted => "not_admitted",
        }
    }

    /// Its place in [`Reason::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What a gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToValidator {
    /// A signed batch, as `batch` encodes it.
    Submit(Vec<u8>),
    /// Decided blocks are wanted from this height on, and checkpoints.
    Follow {
        /// Height of the first block.
        from_height: u64,
    },
    /// The gateway is there and has nothing else to say.
    Alive,
}

/// What a validator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToGateway {
    /// The batch is in this validator's memory. That is no promise: only a block is.
    Taken {
        /// The batch.
        sequence: u64,
    },
    /// The batch was not taken.
    Refused {
        /// The batch.
        sequence: u64,
        /// Why.
        reason: Reason,
        /// When it may be submitted here again.
        retry_after_milliseconds: u64,
    },
    /// A decided block.
    Block {
        /// Its height.
        height: u64,
        /// The payload of its frame in the block log.
        payload: Vec<u8>,
        /// The signatures of those who decided it.
        certificate: Vec<u8>,
    },
    /// The next block that was asked for was pruned here.
    Absent {
        /// Its height.
        height: u64,
    },
    /// A checkpoint with the signatures of a quorum.
    Checkpoint(String),
    /// The last block that is durable here.
    Tip {
        /// Its height.
        height: u64,
    },
}

impl ToValidator {
    /// Its bytes.
    ///
    /// # Errors
    /// None that a vector gives.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let mut writer = Writer::appending(&mut bytes);
        match self {
            ToValidator::Submit(batch) => {
                open(&mut writer, "submit", 1)?;
                writer.bytes(batch)?;
            }
            ToValidator::Follow { from_height } => {
                open(&mut writer, "follow", 1)?;
                writer.unsigned(*from_height)?;
            }
            ToValidator::Alive => open(&mut writer, "alive", 0)?,
        }
        Ok(bytes)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are no message in its one encoding, or something in it is too long.
    pub fn decode(bytes: &[u8]) -> Result<ToValidator, DecodeError> {
        let mut reader = Reader::new(bytes);
        let message = match (reader.array_header()?, reader.text()?) {
            (2, "submit") => ToValidator::Submit(bounded(&mut reader, LINK_BATCH_BYTES_MAX)?),
            (2, "follow") => ToValidator::Follow { from_height: reader.unsigned()? },
            (1, "alive") => ToValidator::Alive,
            _ => return Err(DecodeError::Unexpected),
        };
        reader.end()?;
        Ok(message)
    }
}

impl ToGateway {
    /// Its bytes.
    ///
    /// # Errors
    /// None that a vector gives.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let mut writer = Writer::appending(&mut bytes);
        match self {
            ToGateway::Taken { sequence } => {
                open(&mut writer, "taken", 1)?;
                writer.unsigned(*sequence)?;
            }
            ToGateway::Refused { sequence, reason, retry_after_milliseconds } => {
                open(&mut writer, "refused", 3)?;
                writer.unsigned(*sequence)?;
                writer.text(reason.as_str())?;
                writer.unsigned(*retry_after_milliseconds)?;
            }
            ToGateway::Block { height, payload, certificate } => {
                open(&mut writer, "block", 3)?;
                writer.unsigned(*height)?;
                writer.bytes(payload)?;
                writer.bytes(certificate)?;
            }
            ToGateway::Absent { height } => {
                open(&mut writer, "absent", 1)?;
                writer.unsigned(*height)?;
            }
            ToGateway::Checkpoint(note) => {
                open(&mut writer, "checkpoint", 1)?;
                writer.text(note)?;
            }
            ToGateway::Tip { height } => {
                open(&mut writer, "tip", 1)?;
                writer.unsigned(*height)?;
            }
        }
        Ok(bytes)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are no message in its one encoding, or something in it is too long.
    pub fn decode(bytes: &[u8]) -> Result<ToGateway, DecodeError> {
        let mut reader = Reader::new(bytes);
        let message = match (reader.array_header()?, reader.text()?) {
            (2, "taken") => ToGateway::Taken { sequence: reader.unsigned()? },
            (4, "refused") => ToGateway::Refused {
                sequence: reader.unsigned()?,
                reason: reason(reader.text()?)?,
                retry_after_milliseconds: reader.unsigned()?,
            },
            (4, "block") => ToGateway::Block {
                height: reader.unsigned()?,
                payload: bounded(&mut reader, FRAME_BYTES_MAX)?,
                certificate: bounded(&mut reader, LINK_CERTIFICATE_BYTES_MAX)?,
            },
            (2, "absent") => ToGateway::Absent { height: reader.unsigned()? },
            (2, "checkpoint") => {
                let note = reader.text()?;
                if note.len() > LINK_CHECKPOINT_BYTES_MAX {
                    return Err(DecodeError::OutOfRange);
                }
                ToGateway::Checkpoint(note.to_owned())
            }
            (2, "tip") => ToGateway::Tip { height: reader.unsigned()? },
            _ => return Err(DecodeError::Unexpected),
        };
        reader.end()?;
        Ok(message)
    }
}

fn open(writer: &mut Writer<'_>, word: &str, arguments: usize) -> Result<(), EncodeError> {
    writer.array_header(1 + arguments)?;
    writer.text(word)
}

fn bounded(reader: &mut Reader<'_>, bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let bytes = reader.bytes()?;
    if bytes.len() <= bytes_max { Ok(bytes.to_vec()) } else { Err(DecodeError::OutOfRange) }
}

fn reason(word: &str) -> Result<Reason, DecodeError> {
    Reason::ALL.into_iter().find(|reason| reason.as_str() == word).ok_or(DecodeError::Unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{LINK_TO_GATEWAY_BYTES_MAX, LINK_TO_VALIDATOR_BYTES_MAX};
    use proptest::prelude::*;

    fn to_validator() -> impl Strategy<Value = ToValidator> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300).prop_map(ToValidator::Submit),
            any::<u64>().prop_map(|from_height| ToValidator::Follow { from_height }),
            Just(ToValidator::Alive),
        ]
    }

    fn to_gateway() -> impl Strategy<Value = ToGateway> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            any::<u64>().prop_map(|sequence| ToGateway::Taken { sequence }),
            (any::<u64>(), 0..5_usize, any::<u64>()).prop_map(
                |(sequence, reason, retry_after_milliseconds)| {
                    ToGateway::Refused { sequence, reason: Reason::ALL[reason], retry_after_milliseconds }
                }
            ),
            (any::<u64>(), bytes(), bytes()).prop_map(|(height, payload, certificate)| ToGateway::Block {
                height,
                payload,
                certificate
            }),
            any::<u64>().prop_map(|height| ToGateway::Absent { height }),
            ".{0,80}".prop_map(ToGateway::Checkpoint),
            any::<u64>().prop_map(|height| ToGateway::Tip { height }),
        ]
    }

    #[test]
    fn the_largest_messages_fit_their_bounds_and_larger_ones_are_refused() {
        let submit = |bytes| ToValidator::Submit(vec![1; bytes]).encode().unwrap();
        assert!(submit(LINK_BATCH_BYTES_MAX).len() <= LINK_TO_VALIDATOR_BYTES_MAX);
        assert_eq!(ToValidator::decode(&submit(LINK_BATCH_BYTES_MAX + 1)), Err(DecodeError::OutOfRange));
        let block = |payload, certificate| {
            let (payload, certificate) = (vec![1; payload], vec![2; certificate]);
            ToGateway::Block { height: u64::MAX, payload, certificate }.encode().unwrap()
        };
        assert!(block(FRAME_BYTES_MAX, LINK_CERTIFICATE_BYTES_MAX).len() <= LINK_TO_GATEWAY_BYTES_MAX);
        for (payload, certificate) in [(FRAME_BYTES_MAX + 1, 0), (0, LINK_CERTIFICATE_BYTES_MAX + 1)] {
            assert_eq!(ToGateway::decode(&block(payload, certificate)), Err(DecodeError::OutOfRange));
        }
        let note = ToGateway::Checkpoint("n".repeat(LINK_CHECKPOINT_BYTES_MAX + 1)).encode().unwrap();
        assert_eq!(ToGateway::decode(&note), Err(DecodeError::OutOfRange));
    }

    #[test]
    fn a_message_is_written_as_the_page_says() {
        // By hand, from RFC 8949.
        assert_eq!(ToValidator::Follow { from_height: 500 }.encode().unwrap(), b"\x82\x66follow\x19\x01\xf4");
        let refused = ToGateway::Refused { sequence: 7, reason: Reason::Full, retry_after_milliseconds: 250 };
        assert_eq!(refused.encode().unwrap(), b"\x84\x67refused\x07\x64full\x18\xfa");
    }

    proptest! {
        #[test]
        fn what_a_gateway_says_has_one_encoding(message in to_validator()) {
            let bytes = message.encode().unwrap();
            prop_assert_eq!(ToValidator::decode(&bytes), Ok(message));
            prop_assert!(ToValidator::decode(&[&bytes[..], &[0]].concat()).is_err());
        }

        #[test]
        fn what_a_validator_says_has_one_encoding(message in to_gateway()) {
            let bytes = message.encode().unwrap();
            prop_assert_eq!(ToGateway::decode(&bytes), Ok(message));
            prop_assert!(ToGateway::decode(&[&bytes[..], &[0]].concat()).is_err());
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(message) = ToValidator::decode(&bytes) {
                prop_assert_eq!(message.encode().unwrap(), bytes.clone());
            }
            if let Ok(message) = ToGateway::decode(&bytes) {
                prop_assert_eq!(message.encode().unwrap(), bytes);
            }
        }
    }
}
