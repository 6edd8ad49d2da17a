//! Asks a time server what time it is, whenever the device wants to know (SNTP over UDP).

use core::cell::RefCell;
use core::fmt::Debug;
use core::net::SocketAddrV4;

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_storage::Storage;
use log::warn;
use node::sntp::{self, PACKET_BYTES};
use node::{Device, Sensor, uplink};

const ANSWER_MILLISECONDS_MAX: u64 = 3_000;
/// Milliseconds until the address is looked for again, where there is none yet.
const ADDRESS_MILLISECONDS: u64 = 1_000;
/// Answers that may wait: the one that is waited for, and one that came late.
const PACKETS: usize = 2;

/// Keeps the device's clock right, for ever.
pub async fn keep_clock<S, P>(
    device: &RefCell<Device<S, P>>,
    stack: Stack<'static>,
    server: SocketAddrV4,
) -> !
where
    S: Storage<Error: Debug>,
    P: Sensor,
{
    loop {
        let due = device.borrow().ask_time_at_milliseconds();
        Timer::at(Instant::from_millis(due)).await;
        if !stack.is_config_up() {
            Timer::after_millis(ADDRESS_MILLISECONDS).await;
            continue;
        }
        // Nobody who does not see the question can guess what stands in it: the kid is public, the moment is not.
        let kid = u64::from_be_bytes(*device.borrow().identity().kid().as_bytes());
        let cookie = kid ^ Instant::now().as_ticks().rotate_left(32);
        let answer = ask(stack, server, cookie).await;
        let now = uplink::now_milliseconds();
        let mut device = device.borrow_mut();
        match answer {
            Some(unix_seconds) => {
                device.time_answered(now, unix_seconds);
            }
            None => device.time_unanswered(now),
        }
    }
}

/// One question, and the Unix seconds of its answer.
async fn ask(stack: Stack<'static>, server: SocketAddrV4, cookie: u64) -> Option<u32> {
    let (mut received, mut sent) = ([0; PACKETS * PACKET_BYTES], [0; PACKET_BYTES]);
    let (mut received_metadata, mut sent_metadata) =
        ([PacketMetadata::EMPTY; PACKETS], [PacketMetadata::EMPTY]);
    let mut socket =
        UdpSocket::new(stack, &mut received_metadata, &mut received, &mut sent_metadata, &mut sent);
    // Port 0 is any that is free.
    if socket.bind(0).is_err() || socket.send_to(&sntp::question(cookie), server).await.is_err() {
        warn!("the time server at {server} cannot be asked");
        return None;
    }
    let answered = async {
        let mut packet = [0; PACKET_BYTES];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut packet).await else { continue };
            match sntp::answer(&packet[..length], cookie) {
                Ok(unix_seconds) => return unix_seconds,
                Err(failure) => warn!("{from} says something else than the time: {failure}"),
            }
        }
    };
    let answered = with_timeout(Duration::from_millis(ANSWER_MILLISECONDS_MAX), answered).await;
    if answered.is_err() {
        warn!("the time server at {server} does not answer");
    }
    answered.ok()
}
