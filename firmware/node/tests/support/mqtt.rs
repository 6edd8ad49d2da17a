//! What a broker of a test reads and writes: MQTT packets, whole.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Reads one MQTT packet: its first byte and its body.
pub async fn read_packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((first, body))
}

/// A QoS 0 publication.
pub fn publication(topic: &str, payload: &[u8], retained: bool) -> Vec<u8> {
    let body_bytes = 2 + topic.len() + 1 + payload.len();
    let mut packet = vec![0x30 | u8::from(retained)];
    if body_bytes >= 128 {
        packet.push((body_bytes % 128) as u8 | 0x80);
    }
    packet.push(if body_bytes >= 128 { body_bytes / 128 } else { body_bytes } as u8);
    packet.extend([0, topic.len() as u8]);
    packet.extend_from_slice(topic.as_bytes());
    packet.push(0);
    packet.extend_from_slice(payload);
    packet
}
