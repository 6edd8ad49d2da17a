//! The topics that firmware images travel on. Everything there is retained: a board reads when it has time.
use core::fmt;

use crate::cose::network_is_valid;
use crate::manifest::{Version, board_is_valid};
use crate::topic::write_into;

/// `lamppost/1/{network}/firmware/{board}/manifest`, or `…/{version}/{index}` with one chunk of the image.
///
/// ```
/// use devices::FirmwareTopic;
/// let text = "lamppost/1/devnet/firmware/nucleo-f429zi/1.4.0/17";
/// let topic = FirmwareTopic::parse(text).unwrap();
/// assert!(matches!(topic, FirmwareTopic::Chunk { network: "devnet", board: "nucleo-f429zi", index: 17, .. }));
/// assert_eq!(topic.to_string(), text);
/// assert_eq!(FirmwareTopic::parse("lamppost/1/devnet/firmware/nucleo-f429zi/1.4.0/017"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirmwareTopic<'a> {
    /// The signed manifest of the newest image.
    Manifest {
        /// The network's id.
        network: &'a str,
        /// The board's name.
        board: &'a str,
    },
    /// A piece of an image, of [`crate::limits::FIRMWARE_CHUNK_BYTES`] but for the last.
    Chunk {
        /// The network's id.
        network: &'a str,
        /// The board's name.
        board: &'a str,
        /// The image's version.
        version: Version,
        /// Which piece, from 0.
        index: u32,
    },
}

impl<'a> FirmwareTopic<'a> {
    /// Reads a topic; `None` if it is none of these.
    pub fn parse(text: &'a str) -> Option<FirmwareTopic<'a>> {
        let (network, rest) = text.strip_prefix("lamppost/1/")?.split_once("/firmware/")?;
        let (board, rest) = rest.split_once('/')?;
        if !network_is_valid(network) || !board_is_valid(board) {
            return None;
        }
        if rest == "manifest" {
            return Some(FirmwareTopic::Manifest { network, board });
        }
        let (version, digits) = rest.split_once('/')?;
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_shortest = digits == "0" || !digits.starts_with('0');
        let index = digits.parse().ok().filter(|_| is_plain && is_shortest)?;
        Some(FirmwareTopic::Chunk { network, board, version: version.parse().ok()?, index })
    }

    /// Writes the topic into `out` ([`crate::limits::FIRMWARE_TOPIC_BYTES_MAX`] always suffice); `None` if it is too short.
    pub fn write<'b>(&self, out: &'b mut [u8]) -> Option<&'b str> {
        write_into(out, self)
    }
}

impl fmt::Display for FirmwareTopic<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest { network, board } => {
                write!(out, "lamppost/1/{network}/firmware/{board}/manifest")
            }
            Self::Chunk { network, board, version, index } => {
                write!(out, "lamppost/1/{network}/firmware/{board}/{version}/{index}")
            }
        }
    }
}
