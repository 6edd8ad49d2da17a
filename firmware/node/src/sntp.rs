//! The time protocol's packets (SNTP, RFC 5905 §14 and RFC 4330): one question, one answer, whole seconds. How they travel
//! is the board's.

/// Bytes of a question and of an answer.
pub const PACKET_BYTES: usize = 48;
/// The UDP port of time servers.
pub const PORT: u16 = 123;

/// Seconds from the time protocol's first second (1900) to Unix's (1970). The protocol's seconds begin anew in 2036; so does
/// the subtraction, which makes the two u32 agree until 2106.
const UNIX_OFFSET_SECONDS: u32 = 2_208_988_800;
const MODE_CLIENT_VERSION_4: u8 = 0b00_100_011;
const MODE_SERVER: u8 = 4;
const LEAP_UNKNOWN: u8 = 3;
const STRATUM_MAX: u8 = 15;
const ORIGINATE: usize = 24;
const RECEIVE: usize = 32;
const TRANSMIT: usize = 40;

/// Why an answer tells no time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerError {
    /// It is no answer of a time server.
    Malformed,
    /// It answers another question.
    NotAsked,
    /// The server says that it does not know the time, or wants to be left in peace.
    Unsynchronised,
}

impl core::fmt::Display for AnswerError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Self::Malformed => "it is no time server's answer",
            Self::NotAsked => "it answers another question",
            Self::Unsynchronised => "the time server does not know the time",
        })
    }
}

/// A question that only an answer to it repeats: `cookie` stands where a client says what time it is, which is nobody's
/// business.
pub fn question(cookie: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[0] = MODE_CLIENT_VERSION_4;
    packet[TRANSMIT..].copy_from_slice(&cookie.to_be_bytes());
    packet
}

/// The Unix seconds that an answer to the question of `cookie` tells, to the nearest.
///
/// # Errors
/// When it is no answer, or not to this question, or tells no time.
pub fn answer(packet: &[u8], cookie: u64) -> Result<u32, AnswerError> {
    let packet: &[u8; PACKET_BYTES] = packet.first_chunk().ok_or(AnswerError::Malformed)?;
    if packet[0] & 7 != MODE_SERVER {
        return Err(AnswerError::Malformed);
    }
    if packet[ORIGINATE..RECEIVE] != cookie.to_be_bytes() {
        return Err(AnswerError::NotAsked);
    }
    let seconds = u32::from_be_bytes([packet[40], packet[41], packet[42], packet[43]]);
    let is_known = packet[0] >> 6 != LEAP_UNKNOWN && (1..=STRATUM_MAX).contains(&packet[1]);
    if !is_known || packet[TRANSMIT..] == [0; 8] {
        return Err(AnswerError::Unsynchronised);
    }
    Ok(seconds.wrapping_sub(UNIX_OFFSET_SECONDS).saturating_add(u32::from(packet[44] >> 7)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's answer, as RFC 5905 lays it out.
    fn answered(cookie: u64, seconds: u32, fraction: u32) -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        (packet[0], packet[1]) = (0b00_100_100, 2);
        packet[24..32].copy_from_slice(&cookie.to_be_bytes());
        packet[40..44].copy_from_slice(&seconds.to_be_bytes());
        packet[44..48].copy_from_slice(&fraction.to_be_bytes());
        packet
    }

    #[test]
    fn seconds_since_1900_become_unix_seconds_also_after_2036() {
        // 1 January 2025 and 1 January 2040, 00:00 UTC.
        assert_eq!(answer(&answered(7, 3_944_678_400, 0), 7), Ok(1_735_689_600));
        assert_eq!(answer(&answered(7, 3_944_678_400, 0x8000_0000), 7), Ok(1_735_689_601));
        assert_eq!(answer(&answered(7, 123_010_304, 0), 7), Ok(2_208_988_800));
    }

    #[test]
    fn what_does_not_answer_this_question_tells_no_time() {
        let good = answered(7, 3_944_678_400, 0);
        assert_eq!(answer(&good, 8), Err(AnswerError::NotAsked));
        assert_eq!(answer(&good[..47], 7), Err(AnswerError::Malformed));
        assert_eq!(answer(&question(7), 7), Err(AnswerError::Malformed));
        for (place, byte) in [(0, 0b11_100_100), (1, 0), (1, 16)] {
            let mut packet = good;
            packet[place] = byte;
            assert_eq!(answer(&packet, 7), Err(AnswerError::Unsynchronised));
        }
        assert_eq!(answer(&answered(7, 0, 0), 7), Err(AnswerError::Unsynchronised));
    }
}
