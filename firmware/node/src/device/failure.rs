//! Why a device cannot start, or has no envelope to send.

use devices::cose::SealError;

use crate::generation::GenerationError;
use crate::outbox::OutboxError;
use crate::sequence::SequenceError;

/// Why a device cannot start. It must not publish then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError<E> {
    /// There is no boot number.
    Sequence(SequenceError<E>),
    /// The outbox cannot be opened.
    Outbox(OutboxError<E>),
    /// It is not known which key is the device's.
    Generation(GenerationError<E>),
    /// The storage names a later key, but the identity page has no rotation root.
    NoSuchKey,
    /// What the owner commanded cannot be read.
    Orders(E),
}

impl<E: core::fmt::Debug> core::fmt::Display for StartError<E> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Sequence(error) => error.fmt(out),
            Self::Outbox(error) => error.fmt(out),
            Self::Generation(error) => error.fmt(out),
            Self::NoSuchKey => out.write_str("the key was changed, and the identity page knows no later one"),
            Self::Orders(_) => out.write_str("what was commanded cannot be read"),
        }
    }
}

/// Why there is no envelope to send, beside there being none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError<E> {
    /// The outbox cannot be read.
    Outbox(OutboxError<E>),
    /// The pack cannot be signed.
    Seal(SealError),
}
