//! The topics of the contract, written and read. Nothing here knows how they travel.
use core::fmt::{self, Write};

use crate::cose::network_is_valid;
use crate::identity::DeviceId;

/// What a device's topic is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TopicKind {
    /// Envelopes, from the device.
    Up,
    /// Acknowledgements, to the device; retained.
    Ack,
    /// Refusal notices, to the device.
    Refused,
    /// The owner's commands, to the device; retained.
    Down,
    /// The device's answer to `rotate_key`: its next key, from the device.
    Proof,
}

impl TopicKind {
    /// All kinds.
    pub const ALL: [TopicKind; 5] =
        [TopicKind::Up, TopicKind::Ack, TopicKind::Refused, TopicKind::Down, TopicKind::Proof];

    /// The topic's last level.
    pub const fn as_str(self) -> &'static str {
        match self {
            TopicKind::Up => "up",
            TopicKind::Ack => "ack",
            TopicKind::Refused => "refused",
            TopicKind::Down => "down",
            TopicKind::Proof => "proof",
        }
    }
}

/// `lamppost/1/{network}/dev/{kid}/{kind}`
///
/// ```
/// use devices::{Topic, TopicKind};
/// let text = "lamppost/1/devnet/dev/be5de2f4bcdc383a/up";
/// let topic = Topic::parse(text).unwrap();
/// assert_eq!((topic.network, topic.kind), ("devnet", TopicKind::Up));
/// assert_eq!(topic.to_string(), text);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Topic<'a> {
    /// The network's id.
    pub network: &'a str,
    /// The device.
    pub kid: DeviceId,
    /// What the topic is for.
    pub kind: TopicKind,
}

impl<'a> Topic<'a> {
    /// Reads a topic; `None` if it is none of ours.
    pub fn parse(text: &'a str) -> Option<Topic<'a>> {
        let (network, rest) = text.strip_prefix("lamppost/1/")?.split_once("/dev/")?;
        let (kid, kind) = rest.split_once('/')?;
        let kind = TopicKind::ALL.into_iter().find(|it| it.as_str() == kind)?;
        network_is_valid(network).then_some(Topic { network, kid: kid.parse().ok()?, kind })
    }

    /// Writes the topic into `out` ([`crate::limits::TOPIC_BYTES_MAX`] always suffice); `None` if it is too short.
    pub fn write<'b>(&self, out: &'b mut [u8]) -> Option<&'b str> {
        write_into(out, self)
    }
}

impl fmt::Display for Topic<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "lamppost/1/{}/dev/{}/{}", self.network, self.kid, self.kind.as_str())
    }
}

/// The filter that matches every device's topic of one kind: `lamppost/1/{network}/dev/+/{kind}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicFilter<'a> {
    /// The network's id.
    pub network: &'a str,
    /// What the topics are for.
    pub kind: TopicKind,
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "lamppost/1/{}/dev/+/{}", self.network, self.kind.as_str())
    }
}

/// Writes a text into `out`; `None` where it does not fit.
pub(crate) fn write_into<'b>(out: &'b mut [u8], shown: &dyn fmt::Display) -> Option<&'b str> {
    let mut text = Text { out, written: 0 };
    write!(text, "{shown}").ok()?;
    let Text { out, written } = text;
    core::str::from_utf8(&out[..written]).ok()
}

struct Text<'a> {
    out: &'a mut [u8],
    written: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.written + text.len();
        self.out.get_mut(self.written..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.written = end;
        Ok(())
    }
}
