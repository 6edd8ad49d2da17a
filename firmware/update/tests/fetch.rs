//! A board visits a broker that keeps what the publisher left there: the image arrives, is verified, and is ready.

#[path = "../../node/tests/support/mqtt.rs"]
mod mqtt;
mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use embedded_io_adapters::tokio_1::FromTokio;
use mqtt::{publication, read_packet};
use support::{BOARD, Machine, TestUpdater, chunk, image, manifest, version};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use update::State;
use update::fetch::{Visit, VisitBuffers, VisitError, visit};

/// What is retained, by topic; and how many topics a client has at most asked for at once.
#[derive(Default)]
struct Broker {
    retained: BTreeMap<String, Vec<u8>>,
    subscriptions: Vec<String>,
    subscriptions_max: usize,
    /// Hangs up after so many more chunks.
    hangs_up_after: Option<u32>,
}

impl Broker {
    fn publish(&mut self, text: &str, image: &[u8]) {
        for index in 0..image.len().div_ceil(256) as u32 {
            let topic = format!("lamppost/1/devnet/firmware/{BOARD}/{text}/{index}");
            self.retained.insert(topic, chunk(image, index).to_vec());
        }
        self.retained.insert(format!("lamppost/1/devnet/firmware/{BOARD}/manifest"), manifest(text, image));
    }
}

/// Serves one client until one of them hangs up.
async fn serve(mut stream: TcpStream, broker: Rc<RefCell<Broker>>) -> std::io::Result<()> {
    broker.borrow_mut().subscriptions.clear();
    loop {
        let (first, body) = read_packet(&mut stream).await?;
        let topic = |start: usize| {
            let length = usize::from(u16::from_be_bytes([body[start], body[start + 1]]));
            String::from_utf8(body[start + 2..][..length].to_vec()).unwrap()
        };
        match first >> 4 {
            1 => stream.write_all(&[0x20, 3, 0, 0, 0]).await?,
            8 => {
                let topic = topic(3);
                let kept = {
                    let mut broker = broker.borrow_mut();
                    broker.subscriptions.push(topic.clone());
                    broker.subscriptions_max = broker.subscriptions_max.max(broker.subscriptions.len());
                    if let Some(left) = &mut broker.hangs_up_after {
                        let Some(fewer) = left.checked_sub(1) else { return Ok(()) };
                        *left = fewer;
                    }
                    broker.retained.get(&topic).map(|payload| publication(&topic, payload, true))
                };
                // What is retained may come before the confirmation.
                stream.write_all(&kept.unwrap_or_default()).await?;
                stream.write_all(&[0x90, 4, body[0], body[1], 0, 0]).await?;
            }
            10 => {
                let topic = topic(3);
                broker.borrow_mut().subscriptions.retain(|subscribed| *subscribed != topic);
                stream.write_all(&[0xb0, 4, body[0], body[1], 0, 0]).await?;
            }
            12 => stream.write_all(&[0xd0, 0]).await?,
            14 => return Ok(()),
            other => panic!("the client sends a packet of type {other}"),
        }
    }
}

/// One visit of `updater` to `broker`, over a real socket.
async fn visit_once(
    updater: &mut TestUpdater,
    broker: &Rc<RefCell<Broker>>,
) -> Result<Visit, VisitError<std::io::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Rc::clone(broker);
    let serving = spawn_local(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A session ends as sessions do.
        let _ = serve(stream, serving).await;
    });
    let stream = FromTokio::new(TcpStream::connect(address).await.unwrap());
    let outcome = visit(updater, "devnet", "lamppost-firmware", stream, &mut VisitBuffers::new()).await;
    serving.abort();
    outcome
}

fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn an_image_that_was_left_at_the_broker_arrives_and_is_ready() {
    on_one_thread(async {
        let machine = Machine::flashed(&image("1.0.0", 5_000));
        let (mut updater, _) = machine.boot(false);
        let broker = Rc::new(RefCell::new(Broker::default()));
        broker.borrow_mut().publish("1.1.0", &image("1.1.0", 5_100));
        assert!(matches!(visit_once(&mut updater, &broker).await, Ok(Visit::Ready)));
        assert_eq!(updater.state(), State::Ready { version: version("1.1.0") });
        assert_eq!(broker.borrow().subscriptions_max, 2, "the manifest, and one chunk at a time");
        assert!(updater.install().unwrap());
        machine.reset();
        assert_eq!(machine.running(), version("1.1.0"));
    });
}

#[test]
fn a_broker_that_hangs_up_again_and_again_brings_it_all_the_same() {
    on_one_thread(async {
        let machine = Machine::flashed(&image("1.0.0", 5_000));
        let broker = Rc::new(RefCell::new(Broker::default()));
        broker.borrow_mut().publish("1.1.0", &image("1.1.0", 6_000));
        let (mut updater, _) = machine.boot(false);
        let mut visits = 0;
        loop {
            broker.borrow_mut().hangs_up_after = Some(4);
            visits += 1;
            match visit_once(&mut updater, &broker).await {
                Ok(Visit::Ready) => break,
                Ok(Visit::NothingNew) => panic!("there is something"),
                Err(failure) => assert!(matches!(failure, VisitError::Mqtt(_)), "{failure}"),
            }
            assert!(visits < 20, "it does not get on");
        }
        assert!(visits > 5);
    });
}

#[test]
fn an_image_that_is_no_newer_and_one_of_a_stranger_are_not_fetched() {
    on_one_thread(async {
        let machine = Machine::flashed(&image("1.1.0", 5_000));
        let (mut updater, _) = machine.boot(false);
        let broker = Rc::new(RefCell::new(Broker::default()));
        broker.borrow_mut().publish("1.1.0", &image("1.1.0", 5_000));
        assert!(matches!(visit_once(&mut updater, &broker).await, Ok(Visit::NothingNew)));
        let stranger = devices::SigningKey::from_seed([6; 32]);
        let new = image("1.2.0", 5_000);
        broker.borrow_mut().retained.insert(
            format!("lamppost/1/devnet/firmware/{BOARD}/manifest"),
            support::manifest_for(BOARD, "1.2.0", &new, &stranger),
        );
        assert!(matches!(visit_once(&mut updater, &broker).await, Ok(Visit::NothingNew)));
        assert_eq!((updater.state(), broker.borrow().subscriptions_max), (State::Empty, 1));
        assert_eq!(machine.power.borrow().steps, 0, "nothing was written");
    });
}

#[test]
fn rubbish_from_the_broker_is_fetched_again_and_the_image_then_taken() {
    on_one_thread(async {
        let machine = Machine::flashed(&image("1.0.0", 5_000));
        let (mut updater, _) = machine.boot(false);
        let broker = Rc::new(RefCell::new(Broker::default()));
        let new = image("1.1.0", 700);
        broker.borrow_mut().publish("1.1.0", &new);
        let torn = format!("lamppost/1/devnet/firmware/{BOARD}/1.1.0/1");
        broker.borrow_mut().retained.insert(torn.clone(), vec![0x55; 256]);
        broker.borrow_mut().hangs_up_after = Some(5);
        assert!(visit_once(&mut updater, &broker).await.is_err());
        assert!(matches!(updater.state(), State::Receiving { .. }));
        broker.borrow_mut().retained.insert(torn, chunk(&new, 1).to_vec());
        broker.borrow_mut().hangs_up_after = None;
        let outcome = visit_once(&mut updater, &broker).await;
        assert!(matches!(outcome, Ok(Visit::Ready)), "{outcome:?}");
    });
}
