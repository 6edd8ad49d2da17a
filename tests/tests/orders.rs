//! An owner commands a device over the air: by the program, through node and broker, to the firmware's own core.

use devices::{Ack, Decimal, IdentityPage, RefusedNotice, Topic, TopicKind};
use e2e::mqtt;
use e2e::node::{Node, Up};
use e2e::people::Person;
use e2e::program;
use e2e::wait;
use node::{Device, Fault, Identity, Memory, Records, Sensor, Settings, sequence};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the device listens before it looks again whether something is to be done.
const TURN: Duration = Duration::from_millis(20);

/// Every sample shows another value, so that a value that is paid twice is seen.
struct Counting(u32);

impl Sensor for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        self.0 += 1;
        records.add("temp", "Cel", Decimal::from(self.0));
        Ok(())
    }
}

type Core = Device<Memory<16_384>, Counting>;

/// A device of the firmware's core on the node's own broker.
struct OnTheWire {
    core: Core,
    began: Instant,
}

impl OnTheWire {
    fn new(page: IdentityPage) -> OnTheWire {
        let mut memory = Memory::new();
        sequence::preset(&mut memory, 1_800_000_000).expect("memory takes it");
        let settings = Settings { sample_interval_milliseconds: 100, ..Settings::default() };
        let core = Device::start(Identity::new(page), memory, Counting(0), settings, 0);
        OnTheWire { core: core.map_err(|why| why.to_string()).expect("it starts"), began: Instant::now() }
    }

    fn kid(&self) -> String {
        self.core.identity().kid().to_string()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("a test is short")
    }

    fn topic(&self, kind: TopicKind) -> String {
        let identity = self.core.identity();
        Topic { network: identity.network(), kid: identity.kid(), kind }.to_string()
    }

    /// Lives until somebody has what they wanted of it; connects anew under another key.
    fn live_until(&mut self, node: &Node, is_done: &AtomicBool) {
        while !is_done.load(Ordering::SeqCst) {
            let kid = self.kid();
            let topics = [TopicKind::Ack, TopicKind::Refused, TopicKind::Down].map(|kind| self.topic(kind));
            let broker = node.mqtt.strip_prefix("mqtt://").unwrap_or(&node.mqtt);
            let client = mqtt::Device::connect(broker, &format!("lamppost-{kid}"), &topics);
            self.core.session_opened(self.now());
            while self.kid() == kid && !is_done.load(Ordering::SeqCst) {
                self.turn(&client);
            }
            self.core.session_closed();
        }
    }

    fn turn(&mut self, client: &mqtt::Device) {
        let mut out = [0; 1024];
        self.core.sample_if_due(self.now());
        if let Some(length) = self.core.key_to_offer(self.now(), &mut out).expect("a key can be offered") {
            assert!(client.publish(&self.topic(TopicKind::Proof), &out[..length]));
            self.core.key_offered();
        }
        while let Some(outgoing) = self.core.next_to_send(self.now(), &mut out).expect("memory answers") {
            assert!(client.publish(&self.topic(TopicKind::Up), &out[..outgoing.envelope_bytes]));
            self.core.sent(self.now(), &outgoing);
        }
        let Some((topic, payload)) = client.next(TURN) else { return };
        match Topic::parse(&topic).map(|topic| topic.kind) {
            Some(TopicKind::Ack) => {
                self.core.acknowledged(self.now(), &Ack::decode(&payload).expect("an ack"));
            }
            Some(TopicKind::Refused) => {
                self.core.refused(&RefusedNotice::decode(&payload).expect("a notice"));
            }
            Some(TopicKind::Down) => self.core.commanded(self.now(), &payload),
            _ => panic!("a device hears {topic}"),
        }
    }
}

/// A device that `provision` has made and enrolled for `owner`.
fn provisioned(node: &Node, owner: &Person) -> OnTheWire {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("identity.bin");
    let file = file.to_str().expect("a temporary path is text");
    let operator = Person::of(node, "operator");
    let account = owner.account.as_str();
    operator.does(node, &["device", "provision", "--out", file, "--owner", account, "--enrol"]).success();
    let page = std::fs::read(file).expect("the page was written");
    OnTheWire::new(IdentityPage::decode(&page).expect("what was written is a page"))
}

/// Runs `work` beside the device, which lives meanwhile.
fn beside<T: Send>(device: &mut OnTheWire, node: &Node, work: impl FnOnce() -> T + Send) -> T {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            is_done.store(true, Ordering::SeqCst);
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        device.live_until(node, &is_done);
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn is_confirmed(node: &Node, kid: &str) -> bool {
    node.json(&format!("/api/v1/devices/{kid}/commands"))["confirmed"] == true
}

#[test]
fn a_configuration_reaches_the_device_and_its_confirmation_the_owner() {
    let node = Up::new().devices(0).start();
    let owner = Person::new();
    let mut device = provisioned(&node, &owner);
    let kid = device.kid();
    let stranger = Person::new();
    beside(&mut device, &node, || {
        let configure = ["device", "configure", &kid, "--interval", "1", "--batch", "0"];
        stranger.does(&node, &configure).refusal();
        let threshold = [&configure[..], &["--threshold", "temp:below=-5,above=45.5"]].concat();
        owner.does(&node, &threshold).success();
        wait::until_true("the device confirms", wait::SHORT, || is_confirmed(&node, &kid));
    });
    let settings = device.core.settings();
    assert_eq!((settings.sample_interval_milliseconds, settings.batch_interval_milliseconds), (1_000, 0));
    let heat = settings.thresholds[0].expect("a threshold");
    assert_eq!((heat.name(), heat.above().map(|above| above.to_string())), ("temp", Some("45.5".to_owned())));
}

#[test]
fn a_device_handed_over_takes_the_buyers_commands_alone() {
    let node = Up::new().devices(0).start();
    let (seller, buyer) = (Person::new(), Person::new());
    let mut device = provisioned(&node, &seller);
    let kid = device.kid();
    beside(&mut device, &node, || {
        seller.does(&node, &["device", "obey", &kid, "--account", &buyer.account]).success();
        wait::until_true("the device is handed over", wait::SHORT, || is_confirmed(&node, &kid));
        // The ledger still says that it is the seller's: the node carries the command, and the device refuses it.
        seller.does(&node, &["device", "configure", &kid, "--interval", "7", "--batch", "0"]).success();
        seller.does(&node, &["device", "transfer", &kid, "--to", &buyer.account]).success();
        buyer.does(&node, &["device", "accept", &kid]).success();
        buyer.does(&node, &["device", "configure", &kid, "--interval", "9", "--batch", "0"]).success();
        wait::until_true("the device confirms", wait::SHORT, || is_confirmed(&node, &kid));
    });
    assert_eq!(device.core.settings().sample_interval_milliseconds, 9_000);
}

#[test]
fn a_key_changed_over_the_air_loses_no_reading_and_has_none_paid_twice() {
    let node = Up::new().devices(0).start();
    let owner = Person::new();
    let mut device = provisioned(&node, &owner);
    let old = device.kid();
    let readings = |kid: &str| {
        let found = node.json(&format!("/api/v1/devices/{kid}/readings?limit=1000"));
        found.as_array().cloned().unwrap_or_default()
    };
    beside(&mut device, &node, || {
        wait::until_true("it sends", wait::SHORT, || readings(&old).len() > 5);
        owner.does(&node, &["device", "rotate", &old, "--over-the-air", "--wait", "30"]).success();
        let new = replaced_by(&node, &old).expect("the ledger has the new key");
        wait::until_true("it goes on under the new key", wait::SHORT, || readings(&new).len() > 5);
    });
    let new = device.kid();
    assert_eq!(replaced_by(&node, &old).as_deref(), Some(new.as_str()));
    let mut times_paid = BTreeMap::<u64, u32>::new();
    for reading in readings(&old).iter().chain(&readings(&new)) {
        for value in values(reading) {
            *times_paid.entry(value).or_default() += 1;
        }
    }
    assert!(times_paid.values().all(|times| *times == 1), "{times_paid:?}");
    let highest = *times_paid.keys().max().expect("there are readings");
    assert_eq!(times_paid.len() as u64, highest, "every value from the first to the last: {times_paid:?}");
    program::run(&["audit", "--node", &node.http]).success();
}

fn replaced_by(node: &Node, kid: &str) -> Option<String> {
    node.json(&format!("/api/v1/devices/{kid}"))["replaced_by"].as_str().map(ToOwned::to_owned)
}

/// What the sensor counted, in one reading.
fn values(reading: &Value) -> Vec<u64> {
    let records = reading["senml"].as_array().cloned().unwrap_or_default();
    let temperatures = records.iter().filter(|record| record["n"] == "temp");
    temperatures.filter_map(|record| record["v"].as_u64()).collect()
}
