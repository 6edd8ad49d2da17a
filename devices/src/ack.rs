//! What a gateway tells a device: which envelopes are settled, and which one was refused.
use crate::cbor::{DecodeError, EncodeError, Reader, Writer};
use crate::limits::WINDOW;
use crate::refusal::Refusal;
use crate::sequence::Sequence;

/// The content of the `ack` topic: CBOR `[boot, count, window, log size]` (contract, MQTT).
///
/// ```
/// use devices::{Ack, Sequence};
/// let ack = Ack { highest: Sequence { boot: 1, count: 42 }, window: 0b101, log_size: 7 };
/// assert!(ack.settles(Sequence { boot: 1, count: 42 }) && !ack.settles(Sequence { boot: 1, count: 41 }));
/// let mut buffer = [0; devices::limits::ACK_BYTES_MAX];
/// let length = ack.encode(&mut buffer)?;
/// assert_eq!(Ack::decode(&buffer[..length])?, ack);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// The highest settled (boot, count).
    pub highest: Sequence,
    /// Bit i says that (boot, count - i) is settled.
    pub window: u64,
    /// Entries of the log when this was said.
    pub log_size: u64,
}

impl Ack {
    /// Whether `sequence` is settled: durable on the ledger, or refused for good. What lies below the window or belongs to
    /// an earlier boot is settled, because it would be refused as replayed.
    pub fn settles(&self, sequence: Sequence) -> bool {
        if sequence.boot != self.highest.boot {
            return sequence.boot < self.highest.boot;
        }
        match self.highest.count.checked_sub(sequence.count) {
            Some(distance) if distance < WINDOW => self.window >> distance & 1 == 1,
            Some(_) => true,
            None => false,
        }
    }

    /// Writes it into `out` ([`crate::limits::ACK_BYTES_MAX`] always suffice); returns the length.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut writer = Writer::new(out);
        writer.array_header(4)?;
        writer.unsigned(self.highest.boot.into())?;
        writer.unsigned(self.highest.count.into())?;
        writer.unsigned(self.window)?;
        writer.unsigned(self.log_size)?;
        Ok(writer.position())
    }

    /// Reads it, strictly.
    pub fn decode(bytes: &[u8]) -> Result<Ack, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.array_header()? != 4 {
            return Err(DecodeError::Unexpected);
        }
        let highest = Sequence { boot: reader.unsigned_32()?, count: reader.unsigned_32()? };
        let ack = Ack { highest, window: reader.unsigned()?, log_size: reader.unsigned()? };
        reader.end().map(|()| ack)
    }
}

/// The content of the `refused` topic: CBOR `[boot, count, reason]`; `[0, 0, "malformed"]` where nothing was decodable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefusedNotice {
    /// Which envelope was refused.
    pub sequence: Sequence,
    /// Why.
    pub reason: Refusal,
}

impl RefusedNotice {
    /// Writes it into `out` ([`crate::limits::REFUSED_NOTICE_BYTES_MAX`] always suffice); returns the length.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut writer = Writer::new(out);
        writer.array_header(3)?;
        writer.unsigned(self.sequence.boot.into())?;
        writer.unsigned(self.sequence.count.into())?;
        writer.text(self.reason.as_str())?;
        Ok(writer.position())
    }

    /// Reads it, strictly; a word that is no reason is out of range.
    pub fn decode(bytes: &[u8]) -> Result<RefusedNotice, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.array_header()? != 3 {
            return Err(DecodeError::Unexpected);
        }
        let sequence = Sequence { boot: reader.unsigned_32()?, count: reader.unsigned_32()? };
        let reason = reader.text()?.parse().map_err(|_| DecodeError::OutOfRange)?;
        reader.end().map(|()| RefusedNotice { sequence, reason })
    }
}
