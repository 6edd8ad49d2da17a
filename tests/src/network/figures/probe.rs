//! A few devices in the test's hand that have one reading under way each: they measure how long it takes. Between an ack and
//! the next reading each waits for as long as chance says: one that published on every ack would publish at the same moment
//! between two blocks each time, and measure that moment.

use crate::chance::Chance;
use crate::mqtt::Device;
use crate::node::Node;
use crate::sensor::Sensor;
use devices::Ack;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const PROBES: usize = 8;
/// How long one waits after an ack at most: several blocks.
const PAUSE_MILLISECONDS: u64 = 1_000;
const SEED: u64 = 7;
/// How long one look for an ack takes at most.
const LOOK: Duration = Duration::from_millis(5);

/// The devices.
pub(super) struct Probes(Mutex<Vec<Sensor>>);

impl Probes {
    /// New devices that the node has enrolled.
    pub(super) fn enrolled(node: &Node) -> Probes {
        let sensors = (0..PROBES).map(|_| {
            let sensor = Sensor::any();
            node.enrol(&sensor.public_key());
            sensor
        });
        Probes(Mutex::new(sensors.collect()))
    }

    /// Milliseconds from publish to ack of everything that was published in that time and acknowledged.
    pub(super) fn measure(&self, mqtt: &str, time: Duration) -> Vec<u128> {
        let mut sensors = self.0.lock().expect("one measures at a time");
        let topics: Vec<String> = sensors.iter().map(|sensor| sensor.topic("ack")).collect();
        let device = Device::connect(mqtt, "probes", &topics);
        let mut under_way: Vec<Option<(Instant, devices::Sequence)>> = vec![None; sensors.len()];
        let mut chance = Chance::new(SEED);
        let mut soon = || Instant::now() + Duration::from_millis(chance.below(PAUSE_MILLISECONDS));
        let mut next: Vec<Instant> = sensors.iter().map(|_| soon()).collect();
        let (until, mut taken) = (Instant::now() + time, Vec::new());
        while Instant::now() < until {
            let idle = |(place, waiting): &(usize, &mut Option<_>)| {
                waiting.is_none() && next[*place] <= Instant::now()
            };
            for (place, waiting) in under_way.iter_mut().enumerate().filter(idle) {
                let sensor = &mut sensors[place];
                let envelope = sensor.reading();
                *waiting = Some((Instant::now(), envelope.sequence));
                device.publish(&sensor.topic("up"), &envelope.bytes);
            }
            let Some((topic, payload)) = device.next(LOOK) else { continue };
            let place = topics.iter().position(|known| *known == topic).expect("an ack of ours");
            let ack = Ack::decode(&payload).expect("an ack is CBOR of four numbers");
            if let Some((began, sequence)) = under_way[place]
                && ack.settles(sequence)
            {
                taken.push(began.elapsed().as_millis());
                under_way[place] = None;
                next[place] = soon();
            }
        }
        taken
    }
}
