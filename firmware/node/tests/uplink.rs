//! The MQTT session over a real socket, against a broker of a hundred lines that can be taken away.

#[path = "support/mqtt.rs"]
mod mqtt;
mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use mqtt::{publication, read_packet};
use node::uplink::{Backoff, SessionBuffers, keep_sampling, run_session};
use node::{Device, Settings};
use support::{Eeprom, Gateway, TestDevice, Thermometer, identity};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the broker does besides its duty.
#[derive(Clone, Copy, Default)]
struct Manners {
    /// Hangs up after so many publications, before it confirms or passes on the last.
    hangs_up_after: Option<u32>,
    /// Passes on nothing to the gateway, so that nothing is acknowledged.
    is_deaf: bool,
}

/// A broker with the gateway behind it.
struct Broker {
    gateway: Gateway,
    manners: Manners,
    sessions: u32,
    envelopes: Vec<Vec<u8>>,
    /// What the next session finds on its `down` topic: a whole packet.
    command: Option<Vec<u8>>,
}

fn ack_publication(gateway: &Gateway, topic: &str, retained: bool) -> Option<Vec<u8>> {
    let mut bytes = [0; 64];
    let length = gateway.ack()?.encode(&mut bytes).unwrap();
    Some(publication(topic, &bytes[..length], retained))
}

/// Serves one client until one of them hangs up.
async fn serve(mut stream: TcpStream, broker: Rc<RefCell<Broker>>) -> std::io::Result<()> {
    let ack_topic = format!("lamppost/1/devnet/dev/{}/ack", identity().kid());
    let manners = broker.borrow().manners;
    let mut published = 0;
    loop {
        let (first, body) = read_packet(&mut stream).await?;
        match first >> 4 {
            // CONNECT: no session present, success, no properties.
            1 => stream.write_all(&[0x20, 3, 0, 0, 0]).await?,
            // SUBSCRIBE: the three filters at QoS 1, then the retained acknowledgement and the retained command.
            8 => {
                broker.borrow_mut().sessions += 1;
                stream.write_all(&[0x90, 6, body[0], body[1], 0, 1, 1, 1]).await?;
                let retained = ack_publication(&broker.borrow().gateway, &ack_topic, true);
                stream.write_all(&retained.unwrap_or_default()).await?;
                let command = broker.borrow_mut().command.take();
                stream.write_all(&command.unwrap_or_default()).await?;
            }
            3 => {
                published += 1;
                if manners.hangs_up_after == Some(published) {
                    return Ok(());
                }
                let topic_bytes = usize::from(u16::from_be_bytes([body[0], body[1]]));
                let id = &body[2 + topic_bytes..][..2];
                let properties_bytes = usize::from(body[4 + topic_bytes]);
                let envelope = body[5 + topic_bytes + properties_bytes..].to_vec();
                stream.write_all(&[0x40, 2, id[0], id[1]]).await?;
                let answer = {
                    let mut broker = broker.borrow_mut();
                    if !manners.is_deaf {
                        broker.gateway.take(&envelope);
                    }
                    broker.envelopes.push(envelope);
                    ack_publication(&broker.gateway, &ack_topic, false)
                };
                if !manners.is_deaf {
                    stream.write_all(&answer.unwrap_or_default()).await?;
                }
            }
            // PINGREQ.
            12 => stream.write_all(&[0xd0, 0]).await?,
            14 => return Ok(()),
            other => panic!("the client sends a packet of type {other}"),
        }
    }
}

/// Listens until the returned handle is aborted, which takes the port and all sessions away.
async fn listen(listener: TcpListener, broker: Rc<RefCell<Broker>>) {
    let mut serving = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let broker = Rc::clone(&broker);
        serving.spawn_local(async move {
            // A session ends as sessions do.
            let _ = serve(stream, broker).await;
        });
    }
}

fn broker() -> Rc<RefCell<Broker>> {
    Rc::new(RefCell::new(Broker {
        gateway: Gateway::default(),
        manners: Manners::default(),
        sessions: 0,
        envelopes: Vec::new(),
        command: None,
    }))
}

/// A device that samples every 50 ms and keeps connecting to `port`.
async fn run(device: Rc<RefCell<TestDevice>>, port: u16) {
    let connecting = async {
        let mut buffers = SessionBuffers::new();
        let mut backoff = Backoff::new();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
                let mut stood = false;
                run_session(&device, FromTokio::new(stream), &mut buffers, &mut stood).await;
                if stood {
                    backoff.reset();
                }
            }
            backoff.wait(&device).await;
        }
    };
    tokio::select! {
        () = async { keep_sampling(&device).await; } => {}
        () = connecting => {}
    }
}

fn device(eeprom: &Eeprom) -> Rc<RefCell<TestDevice>> {
    let settings = Settings { sample_interval_milliseconds: 50, ..Settings::default() };
    let now = node::uplink::now_milliseconds();
    let device = Device::start(identity(), eeprom.clone(), Thermometer(2_000), settings, now).unwrap();
    Rc::new(RefCell::new(device))
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn readings_are_delivered_and_let_go_once_acknowledged() {
    on_one_thread(async {
        let broker = broker();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn_local(listen(listener, Rc::clone(&broker)));
        let device = device(&Eeprom::new());
        let running = spawn_local(run(Rc::clone(&device), port));
        until("ten settled", || device.borrow().counters().settled >= 10).await;
        running.abort();
        assert_eq!(broker.borrow().gateway.replayed, 0);
        assert_eq!(device.borrow().counters().lost, 0);
    });
}

#[test]
fn a_broker_that_hangs_up_again_and_again_loses_nothing() {
    on_one_thread(async {
        let broker = broker();
        broker.borrow_mut().manners.hangs_up_after = Some(4);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn_local(listen(listener, Rc::clone(&broker)));
        let device = device(&Eeprom::new());
        let running = spawn_local(run(Rc::clone(&device), port));
        until("five sessions", || broker.borrow().sessions >= 5).await;
        broker.borrow_mut().manners.hangs_up_after = None;
        until("nothing waits", || {
            let device = device.borrow();
            device.counters().kept > 20 && device.waiting() == 0
        })
        .await;
        running.abort();
        let accepted = broker.borrow().gateway.accepted.len();
        assert_eq!(accepted, device.borrow().counters().kept as usize);
    });
}

#[test]
fn a_broker_gone_and_a_reset_meanwhile_lose_nothing() {
    on_one_thread(async {
        let (broker, eeprom) = (broker(), Eeprom::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = spawn_local(listen(listener, Rc::clone(&broker)));
        let first = device(&eeprom);
        let running = spawn_local(run(Rc::clone(&first), address.port()));
        until("some settled", || first.borrow().counters().settled >= 3).await;

        serving.abort();
        let kept_before = first.borrow().counters().kept;
        until("some kept while the broker is gone", || first.borrow().counters().kept >= kept_before + 8)
            .await;
        running.abort();
        assert!(running.await.is_err());
        let kept_in_first = first.borrow().counters().kept;

        let second = device(&eeprom);
        assert!(second.borrow().waiting() >= 7);
        let running = spawn_local(run(Rc::clone(&second), address.port()));
        until("some kept after the reset", || second.borrow().counters().kept >= 5).await;
        let listener = TcpListener::bind(address).await.unwrap();
        spawn_local(listen(listener, Rc::clone(&broker)));
        until("nothing waits", || second.borrow().waiting() == 0).await;
        running.abort();
        let kept = kept_in_first + second.borrow().counters().kept;
        assert_eq!(broker.borrow().gateway.accepted.len(), kept as usize);
    });
}

#[test]
fn a_confirmation_of_the_broker_lets_nothing_go() {
    on_one_thread(async {
        let broker = broker();
        broker.borrow_mut().manners.is_deaf = true;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn_local(listen(listener, Rc::clone(&broker)));
        let device = device(&Eeprom::new());
        let running = spawn_local(run(Rc::clone(&device), port));
        until("the window is full", || broker.borrow().envelopes.len() >= 64).await;
        running.abort();
        assert_eq!(device.borrow().counters().settled, 0);
        assert_eq!(broker.borrow().envelopes.len(), 64, "and no more than the window was sent");
    });
}

#[test]
fn a_device_takes_its_owners_command_from_the_broker_and_connects_anew_under_another_key() {
    let owner = devices::SigningKey::from_seed([1; 32]);
    let account = *owner.public_key().thumbprint().as_bytes();
    let page = devices::IdentityPage::new("devnet", [7; 32], None).unwrap();
    let page = page.with_owner(account).with_rotation_root([9; 32]);
    let (old, new) = (page.signing_key().kid(), page.signing_key_of(1).unwrap().kid());
    let command = devices::Command { device: old, counter: 1, order: devices::Order::UseKey(1) };
    let mut bytes = [0; devices::limits::COMMAND_BYTES_MAX];
    let length = command.sign(&owner, "devnet", &mut bytes).unwrap();
    on_one_thread(async {
        let broker = broker();
        // Nothing is delivered to the gateway, which knows the old key alone.
        broker.borrow_mut().manners.is_deaf = true;
        let topic = format!("lamppost/1/devnet/dev/{old}/down");
        broker.borrow_mut().command = Some(publication(&topic, &bytes[..length], true));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn_local(listen(listener, Rc::clone(&broker)));
        let now = node::uplink::now_milliseconds();
        let identity = node::Identity::new(page.clone());
        let settings = Settings { sample_interval_milliseconds: 50, ..Settings::default() };
        let device = Device::start(identity, Eeprom::new(), Thermometer(2_000), settings, now).unwrap();
        let device = Rc::new(RefCell::new(device));
        let running = spawn_local(run(Rc::clone(&device), port));
        until("the key is in use", || device.borrow().identity().kid() == new).await;
        until("a second session", || broker.borrow().sessions >= 2).await;
        let of_the_new_key = |envelope: &Vec<u8>| {
            let reading = devices::SignedReading::decode(&envelope[..]).unwrap();
            reading.kid() == new
        };
        until("a reading under it", || broker.borrow().envelopes.iter().any(of_the_new_key)).await;
        running.abort();
    });
}
