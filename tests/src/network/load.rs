//! What the network is for, while it is mistreated: devices that publish to the gateway, and an account that pays.

use crate::crash::StopAtDrop;
use crate::crash::fleet::Fleet;
use crate::crash::payer::Payer;
use crate::mqtt::Device;
use crate::node::Node;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long the devices work between two looks at whether they shall go on.
const STRETCH: Duration = Duration::from_millis(50);

/// The devices and the account.
pub(super) struct Load {
    fleet: Fleet,
    payer: Payer,
    /// Answers that no payment should get.
    complaints: Vec<String>,
}

impl Load {
    /// Devices that the node has enrolled, and an account to which the treasury has paid something.
    pub(super) fn enrolled(node: &Node) -> Load {
        Load { fleet: Fleet::enrolled(node), payer: Payer::funded(node), complaints: Vec::new() }
    }

    /// Everything that was promised, by its transaction id.
    pub(super) fn promised(&self) -> impl Iterator<Item = &String> {
        self.fleet.acknowledged().chain(self.payer.accepted())
    }

    /// How much that is.
    pub(super) fn acknowledged(&self) -> u64 {
        self.promised().count() as u64
    }

    /// The devices.
    pub(super) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The account.
    pub(super) fn payer(&self) -> &Payer {
        &self.payer
    }

    /// Answers that no payment should get.
    pub(super) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Publishes to this broker and pays at this address until `act` is done. What nobody has acknowledged before is sent
    /// again first, as devices do that have lost their connection.
    pub(super) fn run_while<T>(&mut self, http: &str, mqtt: &str, act: impl FnOnce() -> T) -> T {
        let device = connect(mqtt, &self.fleet);
        self.fleet.send_again(&device);
        let stopped = AtomicBool::new(false);
        let Load { fleet, payer, complaints } = self;
        let stopped = &stopped;
        thread::scope(|scope| {
            let stop = StopAtDrop(stopped);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    fleet.work_until(&device, Instant::now() + STRETCH);
                }
                // What the broker had handed over before counts too.
                fleet.listen(&device);
            });
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    complaints.extend(payer.pay_until_it_breaks(http, stopped).err());
                    thread::park_timeout(STRETCH);
                }
            });
            let given = act();
            drop(stop);
            given
        })
    }

    /// Publishes nothing new, and waits until everything is acknowledged.
    pub(super) fn deliver_the_rest(&mut self, mqtt: &str) {
        let device = connect(mqtt, &self.fleet);
        self.fleet.send_again(&device);
        self.fleet.deliver_the_rest(&device);
    }
}

/// A connection of the devices', under a name that no earlier one had.
fn connect(mqtt: &str, fleet: &Fleet) -> Device {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("load-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    Device::connect(mqtt, &name, &fleet.topics())
}
