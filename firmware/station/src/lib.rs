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
use core::pin::pin;

use embassy_futures::join::join5;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage::Storage;
use log::{error, info, warn};
use node::uplink::{self, Backoff, SessionBuffers};
use node::{Birth, Device, Identity, Sensor, Settings, StartError, Vitals};
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

/// What only a board's own gate to its chip can do.
pub struct Gate<V, F, A> {
    /// Why the board started.
    pub birth: Birth,
    /// Measures what can be measured at any time.
    pub vitals: V,
    /// Starts the watchdog's period anew.
    pub feed_watchdog: F,
    /// Called again and again once this boot has sent something and the gateway has settled something: the firmware works.
    pub acknowledged: A,
}

/// Where a device lies: a variable of the task that runs it, and not of a future that is handed on by value, which would take
/// the stack for its copies for good.
pub type Place<S, P> = Option<RefCell<Device<S, P>>>;

/// Runs the device of `identity` in `place`. Its memory is static: a second call panics. Whoever hands in
/// `gate` has started the watchdog: where the device cannot start, it is never fed.
pub async fn run<S, P>(
    place: &mut Place<S, P>,
    stack: Stack<'static>,
    identity: Identity,
    storage: S,
    sensor: P,
    settings: Settings,
    gate: Gate<impl Fn() -> Vitals, impl FnMut(), impl FnMut()>,
) -> !
where
    S: Storage<Error: Debug>,
    P: Sensor,
{
    let (broker, time_server) = (identity.broker(), identity.time_server());
    let Gate { birth, vitals, mut feed_watchdog, mut acknowledged } = gate;
    let device = match start(place, identity, storage, sensor, settings, &birth) {
        Ok(device) => device,
        Err(failure) => {
            // Unfed, the watchdog resets the board: a bus that hung may answer then. Nothing is published meanwhile.
            error!("nothing will be published: {failure}");
            core::future::pending().await
        }
    };
    // Pinned where they are: joined by value, they would be copied by way of the stack, and take its room for good.
    let sampling = pin!(uplink::keep_sampling(device));
    let feeding = pin!(async {
        loop {
            if device.borrow().may_feed_watchdog(uplink::now_milliseconds()) {
                feed_watchdog();
            }
            let counters = *device.borrow().counters();
            if counters.sent > 0 && counters.settled > 0 {
                acknowledged();
            }
            Timer::after_secs(FEED_SECONDS).await;
        }
    });
    let connecting = pin!(async {
        match broker {
            Some(address) => keep_connected(device, stack, address).await,
            None => loop {
                error!("the identity page names no broker: readings are kept, and wait");
                device.borrow_mut().uplink_turned(uplink::now_milliseconds());
                Timer::after_secs(COMPLAINT_SECONDS).await;
            },
        }
    });
    let keeping_time = pin!(async {
        match time_server {
            Some(server) => time::keep_clock(device, stack, server).await,
            None => {
                warn!("the identity page names no time server: readings count when they arrive");
                core::future::pending().await
            }
        }
    });
    let measuring = pin!(async {
        loop {
            device.borrow_mut().set_vitals(vitals());
            Timer::after_secs(VITALS_SECONDS).await;
        }
    });
    join5(sampling, connecting, keeping_time, measuring, feeding).await.0
}

/// Starts the device and puts it into `place`.
///
/// Not inlined, and not returned by value: a device takes kilobytes, and what is needed to build it must not stay on the stack
/// for as long as it runs.
#[inline(never)]
fn start<'a, S, P>(
    place: &'a mut Place<S, P>,
    identity: Identity,
    storage: S,
    sensor: P,
    settings: Settings,
    birth: &Birth,
) -> Result<&'a RefCell<Device<S, P>>, StartError<S::Error>>
where
    S: Storage<Error: Debug>,
    P: Sensor,
{
    let mut device = Device::start(identity, storage, sensor, settings, uplink::now_milliseconds())?;
    device.introduce(uplink::now_milliseconds(), birth);
    Ok(place.insert(RefCell::new(device)))
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
