//! Messages on a connection: four bytes of length, big-endian, and the message; bounded in bytes and in time.

use std::io;
use std::time::Duration;

use devices::cbor::{DecodeError, EncodeError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{error::Elapsed, timeout};

use crate::limits::LINK_MESSAGE_PATIENCE;

/// A connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The other side closed it, or the network did.
    #[error("the connection was lost: {0}")]
    Io(#[from] io::Error),
    /// Nothing came, or nothing was taken, for too long.
    #[error("the other side was silent for too long")]
    Silent(#[from] Elapsed),
    /// The other side announced a message longer than any.
    #[error("the other side announced a message of {bytes} bytes, more than {bytes_max}")]
    TooLong {
        /// Bytes that it announced.
        bytes: u32,
        /// Bytes that it may have.
        bytes_max: usize,
    },
    /// The other side said what is no message.
    #[error("the other side sent what is no message: {0}")]
    Malformed(#[from] DecodeError),
    /// A message of ours cannot be written.
    #[error("a message cannot be written: {0}")]
    Encode(#[from] EncodeError),
}

/// Reads one message's bytes; its first has to come within `patience`.
pub(super) async fn read(
    from: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
    patience: Duration,
) -> Result<Vec<u8>, WireError> {
    let mut length = [0; 4];
    timeout(patience, from.read_exact(&mut length)).await??;
    let bytes = u32::from_be_bytes(length);
    let length = usize::try_from(bytes).ok().filter(|length| *length <= bytes_max);
    let length = length.ok_or(WireError::TooLong { bytes, bytes_max })?;
    // What was announced is not believed: memory grows with what comes.
    let mut message = Vec::new();
    let mut rest = (&mut *from).take(length as u64);
    timeout(LINK_MESSAGE_PATIENCE, rest.read_to_end(&mut message)).await??;
    if message.len() < length {
        return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(message)
}

/// Writes one message's bytes and sees them off.
pub(super) async fn write(into: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Result<(), WireError> {
    let length = u32::try_from(message.len()).map_err(|_| EncodeError::OutOfRange)?;
    let written = async {
        into.write_all(&length.to_be_bytes()).await?;
        into.write_all(message).await?;
        into.flush().await
    };
    Ok(timeout(LINK_MESSAGE_PATIENCE, written).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn messages_come_as_they_were_written() {
        let (mut one, mut other) = tokio::io::duplex(64);
        let long = vec![5; 1_000];
        let writing = async {
            write(&mut one, b"first").await.unwrap();
            write(&mut one, &long).await.unwrap();
            drop(one);
        };
        let reading = async {
            assert_eq!(read(&mut other, 1_000, PATIENCE).await.unwrap(), b"first");
            assert_eq!(read(&mut other, 1_000, PATIENCE).await.unwrap(), long);
            assert!(matches!(read(&mut other, 1_000, PATIENCE).await, Err(WireError::Io(_))));
        };
        tokio::join!(writing, reading);
    }

    #[tokio::test]
    async fn a_length_beyond_the_bound_is_refused_before_anything_is_read() {
        let (mut one, mut other) = tokio::io::duplex(64);
        one.write_all(&1_001_u32.to_be_bytes()).await.unwrap();
        let refused = read(&mut other, 1_000, PATIENCE).await;
        assert!(matches!(refused, Err(WireError::TooLong { bytes: 1_001, bytes_max: 1_000 })));
    }

    #[tokio::test]
    async fn a_silent_side_is_not_waited_for_without_end() {
        let (one, mut other) = tokio::io::duplex(64);
        let waited = read(&mut other, 1_000, Duration::from_millis(1)).await;
        assert!(matches!(waited, Err(WireError::Silent(_))));
        drop(one);
    }
}
