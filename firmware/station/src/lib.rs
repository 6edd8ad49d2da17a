//! What every board with embassy's network stack does for ever: sample, stay connected, feed the watchdog.
//!
//! Invariants: no `std`, no allocator, no `unsafe`. No chip's and no board's name stands here: network stack, storage,
//! sensor and watchdog are handed in by the board, which has wired and started them. The watchdog is fed only while the
//! device lets it be, and never where the device could not start.
#![no_std]

mod lament;
mod time;

pub use lament::lament;

use core::cell::RefCell;
use core::fmt::Debug;
use core::net::SocketAddrV4;

use embassy_futures::join::join5;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage::Storage;
use log::{error, info, warn};
use node::uplink::{self, Backoff, SessionBuffers};
use node::{Birth, Device, Identity, Sensor, Settings, Vitals};
use static_cell::StaticCell;

/// Sockets that the board's network stack needs room for: DHCP's, the broker's, the time server's.
pub const SOCKETS: usize = 3;

const CONNECT_MILLISECONDS_MAX: u64 = 5_000;
/// A broker that says nothing for so long, though MQTT asks every 15 seconds, is gone.
const SOCKET_SILENCE_SECONDS_MAX: u64 = 30;
const SOCKET_RECEIVE_BYTES: usize = 1024;
const SOCKET_TRANSMIT_BYTES: usize = 2048;
const FEED_SECONDS: u64 = 1;
const COMPLAINT_SECONDS: u64 = 10;
const VITALS_SECONDS: u64 = 60;

/// Runs the device of `identity`. Its memory is static: a second call panics. Whoever hands in `feed_watchdog` has started
/// the watchdog: where the device cannot start, it is never fed. `birth` is why the board started, `vitals` measures what
/// its gate can measure.
pub async fn run<S, P>(
    stack: Stack<'static>,
    identity: Identity,
    storage: S,
    sensor: P,
    settings: Settings,
    birth: Birth,
    vitals: impl Fn() -> Vitals,
    mut feed_watchdog: impl FnMut(),
) -> !
where
    S: Storage<Error: Debug>,
    P: Sensor,
{
    let (broker, time_server) = (identity.broker(), identity.time_server());
    let device = match Device::start(identity, storage, sensor, settings, uplink::now_milliseconds()) {
        Ok(device) => RefCell::new(device),
        Err(failure) => {
            // Unfed, the watchdog resets the board: a bus that hung may answer then. Nothing is published meanwhile.
            error!("nothing will be published: {failure}");
            core::future::pending().await
        }
    };
    device.borrow_mut().introduce(uplink::now_milliseconds(), &birth);
    let feeding = async {
        loop {
            if device.borrow().may_feed_watchdog(uplink::now_milliseconds()) {
                feed_watchdog();
            }
            Timer::after_secs(FEED_SECONDS).await;
        }
    };
    let connecting = async {
        match broker {
            Some(address) => keep_connected(&device, stack, address).await,
            None => loop {
                error!("the identity page names no broker: readings are kept, and wait");
                device.borrow_mut().uplink_turned(uplink::now_milliseconds());
                Timer::after_secs(COMPLAINT_SECONDS).await;
            },
        }
    };
    let keeping_time = async {
        match time_server {
            Some(server) => time::keep_clock(&device, stack, server).await,
            None => {
                warn!("the identity page names no time server: readings count when they arrive");
                core::future::pending().await
            }
        }
    };
    let measuring = async {
        loop {
            device.borrow_mut().set_vitals(vitals());
            Timer::after_secs(VITALS_SECONDS).await;
        }
    };
    join5(uplink::keep_sampling(&device), connecting, keeping_time, measuring, feeding).await.0
}

/// One session after the other, for ever.
async fn keep_connected<S, P>(
    device: &RefCell<Device<S, P>>,
    stack: Stack<'static>,
    broker: SocketAddrV4,
) -> !
where
    S: Storage<Error: Debug>,
    P: Sensor,
{
    static BUFFERS: StaticCell<SessionBuffers> = StaticCell::new();
    static SOCKET: StaticCell<([u8; SOCKET_RECEIVE_BYTES], [u8; SOCKET_TRANSMIT_BYTES])> = StaticCell::new();
    let buffers = BUFFERS.init_with(SessionBuffers::new);
    let (receive, transmit) = SOCKET.init_with(|| ([0; SOCKET_RECEIVE_BYTES], [0; SOCKET_TRANSMIT_BYTES]));
    let limit = Duration::from_millis(CONNECT_MILLISECONDS_MAX);
    let mut backoff = Backoff::new();
    loop {
        if with_timeout(limit, stack.wait_config_up()).await.is_err() {
            warn!("{}", if stack.is_link_up() { "no address from DHCP yet" } else { "no Ethernet link" });
            backoff.wait(device).await;
            continue;
        }
        if let Some(configuration) = stack.config_v4() {
            info!("address {}, connecting to {broker}", configuration.address);
        }
        let mut socket = TcpSocket::new(stack, receive, transmit);
        socket.set_timeout(Some(Duration::from_secs(SOCKET_SILENCE_SECONDS_MAX)));
        match with_timeout(limit, socket.connect(broker)).await {
            Ok(Ok(())) => {
                let mut stood = false;
                let end = uplink::run_session(device, socket, buffers, &mut stood).await;
                warn!("the session ended: {end}");
                if stood {
                    backoff.reset();
                }
            }
            Ok(Err(failure)) => warn!("no connection to the broker at {broker}: {failure:?}"),
            Err(_) => warn!("no connection to the broker at {broker}: no answer"),
        }
        device.borrow_mut().link_failed();
        backoff.wait(device).await;
    }
}
