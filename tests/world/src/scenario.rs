//! What a seed stands for: how large the city is, how long it runs, and which faults it meets how often.

use crate::chance::Chance;

/// A city and its troubles, drawn from a seed. Times are milliseconds; rates are permille.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Devices.
    pub devices: usize,
    /// Accounts that own devices.
    pub owners: usize,
    /// Seconds of an epoch.
    pub epoch_seconds: u64,
    /// What the reward pool begins with; little in some cities, so that it must be shared.
    pub pool_microtokens: u64,
    /// How long devices sample; what follows is peace.
    pub sampling: u64,
    /// Shortest and longest interval between two samples of a device.
    pub interval: (u64, u64),
    /// Longest way of a message.
    pub latency: u64,
    /// Messages that are dropped.
    pub drop: u64,
    /// Messages that come again.
    pub duplicate: u64,
    /// Messages that are held back.
    pub delay: u64,
    /// How long at most.
    pub delay_most: u64,
    /// Messages that are altered.
    pub alter: u64,
    /// Whether the broker lives in the node and dies with it.
    pub broker_embedded: bool,
    /// Whether the node's file system can reserve space.
    pub disk_reserves: bool,
    /// Blocks between two snapshots of the state.
    pub snapshot_blocks: u64,
    /// Troubles, each with the mean time between two of them.
    pub troubles: Vec<(Trouble, u64)>,
}

/// Something that goes wrong at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The node dies within the next few effects.
    Crash,
    /// A device loses power.
    DevicePower,
    /// A device loses its session.
    Session,
    /// Every device loses its session, and the broker forgets what it retained.
    Broker,
    /// The node's clock is set.
    Clock,
    /// The disk becomes full, and is freed later.
    Full,
    /// The disk becomes slow, and quick again later.
    Slow,
    /// A sync fails.
    Sync,
    /// The node is stopped in order, and started again.
    Stop,
    /// The node dies, and a bit turns over before it starts.
    Rot,
}

impl Scenario {
    /// The city of a seed.
    pub fn of(chance: &mut Chance) -> Scenario {
        let sampling = chance.within(20_000, 70_000);
        let quick = chance.happens(300);
        let mut rate =
            |permille: u64, most: u64| if chance.happens(permille) { chance.within(1, most) } else { 0 };
        let (drop, duplicate, delay, alter) = (rate(700, 200), rate(700, 200), rate(700, 150), rate(500, 40));
        let kinds = [
            (Trouble::Crash, 800, 9_000),
            (Trouble::DevicePower, 600, 8_000),
            (Trouble::Session, 600, 6_000),
            (Trouble::Broker, 400, 20_000),
            (Trouble::Clock, 400, 20_000),
            (Trouble::Full, 400, 25_000),
            (Trouble::Slow, 400, 20_000),
            (Trouble::Sync, 300, 25_000),
            (Trouble::Stop, 300, 25_000),
            (Trouble::Rot, 300, 30_000),
        ];
        let troubles = kinds
            .into_iter()
            .filter_map(|(trouble, permille, mean)| chance.happens(permille).then_some((trouble, mean)))
            .collect();
        Scenario {
            devices: chance.within(2, 6) as usize,
            owners: chance.within(2, 3) as usize,
            epoch_seconds: chance.one_of(&[5, 7, 15]).unwrap_or(5),
            pool_microtokens: if chance.happens(400) { chance.within(1, 200_000) } else { 1_000_000_000_000 },
            sampling,
            interval: if quick { (120, 400) } else { (400, 4_000) },
            latency: chance.within(1, 200),
            drop,
            duplicate,
            delay,
            delay_most: chance.one_of(&[2_000, 15_000, 60_000]).unwrap_or(2_000),
            alter,
            broker_embedded: chance.happens(500),
            disk_reserves: chance.happens(500),
            snapshot_blocks: chance.within(3, 60),
            troubles,
        }
    }

    /// The same city without a single fault from now on.
    pub fn make_peace(&mut self) {
        (self.drop, self.duplicate, self.delay, self.alter) = (0, 0, 0, 0);
        self.troubles.clear();
    }
}
