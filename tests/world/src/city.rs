//! The city: every actor's next moment in one queue, one step after the other, and the checker after each.

mod devices_side;
mod node_side;
mod people;
mod troubles;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use devices::{DeviceId, SigningKey, TopicKind};
use gateway::admit::Ticket;
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::registry::Position;

use crate::broker::Broker;
use crate::chance::Chance;
use crate::checker::{Checker, Violation};
use crate::device::CityDevice;
use crate::disk::{Backup, Crash, SimulatedDisk};
use crate::faults::Faults;
use crate::process::Process;
use crate::resident::{Resident, Role};
use crate::scenario::{Scenario, Trouble};
use crate::trace::Trace;
use crate::wishes::Sold;

/// The network's id.
const NETWORK: &str = "simnet";
/// When the world begins, Unix milliseconds.
const BEGIN_UNIX_MILLISECONDS: u64 = 1_800_000_000_000;
/// How long peace may take until all is settled: a device's patience doubles up to five minutes.
const PEACE_MILLISECONDS_MAX: u64 = 3_600_000;
/// Steps of a run at most: one that needs more goes in circles.
const STEPS_MAX: u64 = 400_000;

/// What comes at a moment.
#[derive(Debug)]
enum Moment {
    /// A device wants its turn.
    Device(usize),
    /// A device gets power and a session, where it has none.
    Connect(usize),
    /// A message reaches the node.
    Up(DeviceId, Vec<u8>),
    /// A message reaches a device in a session.
    Down { device: usize, session: u64, kind: TopicKind, payload: Vec<u8> },
    /// Somebody posts a reading that was seen on its way.
    Post(Vec<u8>),
    /// A resident looks at what it wants.
    Resident(usize),
    /// Something goes wrong.
    Trouble(Trouble),
    /// What went wrong with the disk is over.
    Heal(Trouble),
    /// The node starts.
    Start,
    /// Faults end, and devices take no more samples.
    Peace,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
enum Waiter {
    Resident(usize),
    Poster,
}

/// A bit that turned over, until a start has shown whether it was noticed.
struct Rot {
    /// The disk before.
    backup: Backup,
    /// The log with the bit turned over, where the bit was in it.
    segments: Option<Vec<Vec<u8>>>,
}

/// One seed's world.
pub struct City {
    chance: Chance,
    scenario: Scenario,
    genesis: Genesis,
    validator: SigningKey,
    now: u64,
    /// How far the node's clock is from the world's, in milliseconds.
    clock_offset: i64,
    order: BinaryHeap<Reverse<(u64, u64)>>,
    moments: BTreeMap<u64, Moment>,
    next_moment: u64,
    devices: Vec<CityDevice>,
    /// When each device's next turn is planned.
    turns: Vec<u64>,
    sold: BTreeMap<DeviceId, Sold>,
    /// The key of the last device, which waits until a key is rotated.
    spare: SigningKey,
    residents: Vec<Resident>,
    owners: Vec<AccountId>,
    broker: Broker,
    disk: SimulatedDisk,
    process: Option<Process>,
    /// How the node dies when the fuse has burnt down.
    crash: Crash,
    /// Syncs that had failed when the node started: one more explains that it stops.
    failed_syncs: u64,
    /// A bit that turned over before the next start.
    before_rot: Option<Rot>,
    waiting: BTreeMap<Ticket, Waiter>,
    next_ticket: Ticket,
    next_session: u64,
    checker: Checker,
    faults: Faults,
    peace: bool,
    steps: u64,
    trace: Trace,
}

impl City {
    /// The city of a seed, before anything happens.
    ///
    /// # Errors
    /// When genesis itself is wrong.
    pub fn of(seed: u64) -> Result<City, Violation> {
        let mut chance = Chance::of(seed);
        let scenario = Scenario::of(&mut chance);
        let keys: Vec<SigningKey> =
            (0..3 + scenario.owners).map(|_| SigningKey::from_seed(chance.bytes())).collect();
        let [validator, operator, treasury, owners @ ..] = &keys[..] else {
            return Err("a city has an operator, a treasury and owners".to_owned());
        };
        let genesis = genesis(&scenario, validator, operator, treasury)?;
        let mut residents = vec![
            Resident::new(Role::Operator, operator.clone()),
            Resident::new(Role::Treasury, treasury.clone()),
        ];
        let owner = |(number, key): (usize, &SigningKey)| Resident::new(Role::Owner(number), key.clone());
        residents.extend(owners.iter().enumerate().map(owner));
        let mut devices = Vec::new();
        // One more than are sold: its key takes another's place one day.
        for _ in 0..=scenario.devices {
            let interval = chance.within(scenario.interval.0, scenario.interval.1);
            devices.push(CityDevice::new(NETWORK, &mut chance, interval));
        }
        let sold = devices.iter().take(scenario.devices);
        let sold = sold.map(|device| (device.kid, sale(device, &scenario, &mut chance))).collect();
        let spare = devices.last().map(CityDevice::key).ok_or("a city has devices")?;
        let mut city = City {
            broker: Broker::new(Chance::of(chance.bits())),
            disk: SimulatedDisk::new(Chance::of(chance.bits()), scenario.disk_reserves),
            checker: Checker::new(&genesis)?,
            chance,
            genesis,
            validator: validator.clone(),
            now: 0,
            clock_offset: 0,
            order: BinaryHeap::new(),
            moments: BTreeMap::new(),
            next_moment: 0,
            turns: vec![u64::MAX; devices.len()],
            devices,
            sold,
            spare,
            owners: residents.iter().skip(2).map(|resident| resident.account).collect(),
            residents,
            process: None,
            crash: Crash::Kill,
            failed_syncs: 0,
            before_rot: None,
            waiting: BTreeMap::new(),
            next_ticket: 0,
            next_session: 0,
            faults: Faults::default(),
            peace: false,
            steps: 0,
            trace: Trace::default(),
            scenario,
        };
        city.begin();
        Ok(city)
    }

    fn begin(&mut self) {
        self.at(0, Moment::Start);
        (0..self.scenario.devices).for_each(|device| self.soon(3_000, Moment::Connect(device)));
        (0..self.residents.len()).for_each(|resident| self.soon(2_000, Moment::Resident(resident)));
        for (trouble, mean) in self.scenario.troubles.clone() {
            self.soon(2 * mean, Moment::Trouble(trouble));
        }
        self.at(self.scenario.sampling, Moment::Peace);
    }

    fn at(&mut self, at: u64, moment: Moment) {
        self.order.push(Reverse((at.max(self.now), self.next_moment)));
        self.moments.insert(self.next_moment, moment);
        self.next_moment += 1;
    }

    fn soon(&mut self, most: u64, moment: Moment) {
        let at = self.now + self.chance.within(1, most);
        self.at(at, moment);
    }

    /// Everything that went wrong on purpose so far.
    pub fn faults(&self) -> Faults {
        let mut faults = self.faults.clone();
        faults.add(&self.broker.faults);
        faults.add(&self.disk.faults());
        faults
    }

    /// What was checked.
    pub fn checker(&self) -> &Checker {
        &self.checker
    }

    /// The world's time, milliseconds since it began.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The last things that happened.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first claim that does not hold.
    pub fn run(&mut self) -> Result<(), Violation> {
        while !self.is_settled() {
            if self.steps > STEPS_MAX {
                return Err(format!("{STEPS_MAX} steps and no end: {}", self.what_is_open()));
            }
            if self.now > self.scenario.sampling + PEACE_MILLISECONDS_MAX {
                return Err(format!("an hour of peace and no end: {}", self.what_is_open()));
            }
            self.step()?;
        }
        self.checker.nothing_is_lost(self.speaking().map(|device| device.kid))?;
        self.checker.closes()
    }

    /// One moment: the queue's next, or the node's if that is earlier.
    fn step(&mut self) -> Result<(), Violation> {
        self.steps += 1;
        let next = self.order.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
        let unix = self.node_clock();
        let node_at = self.process.as_ref().map_or(u64::MAX, |process| process.next_at(self.now, unix));
        if node_at < next {
            self.now = node_at.max(self.now);
            self.node_turn()?;
        } else if let Some(Reverse((at, number))) = self.order.pop() {
            self.now = at.max(self.now);
            if let Some(moment) = self.moments.remove(&number) {
                self.moment(moment)?;
            }
        }
        match &self.process {
            Some(process) => self.checker.agrees(&process.state()),
            None => Ok(()),
        }
    }

    fn moment(&mut self, moment: Moment) -> Result<(), Violation> {
        match moment {
            Moment::Device(device) => self.device_turn(device),
            Moment::Connect(device) => self.connect(device),
            Moment::Up(kid, bytes) => self.arrive(kid, bytes),
            Moment::Down { device, session, kind, payload } => self.deliver(device, session, kind, &payload),
            Moment::Post(bytes) => {
                self.submit(bytes, Waiter::Poster);
                Ok(())
            }
            Moment::Resident(resident) => self.resident_turn(resident),
            Moment::Trouble(trouble) => self.trouble(trouble),
            Moment::Heal(trouble) => {
                self.heal(trouble);
                Ok(())
            }
            Moment::Start => self.start(),
            Moment::Peace => {
                self.make_peace();
                Ok(())
            }
        }
    }

    /// What the node's clock shows, Unix milliseconds.
    fn node_clock(&self) -> u64 {
        (BEGIN_UNIX_MILLISECONDS + self.now).saturating_add_signed(self.clock_offset)
    }

    /// Devices whose readings must all come to the ledger in the end: those in service.
    fn speaking(&self) -> impl Iterator<Item = &CityDevice> {
        let in_service =
            |kid: DeviceId| self.checker.durable().device(kid).is_some_and(|device| !device.is_retired());
        self.devices.iter().filter(move |device| in_service(device.kid))
    }

    fn is_settled(&self) -> bool {
        let node_is_idle = self.process.as_ref().is_some_and(Process::is_idle);
        self.peace
            && node_is_idle
            && self.sold.keys().all(|kid| self.checker.durable().device(*kid).is_some())
            && self.residents.iter().all(|resident| resident.outstanding.is_none())
            && self.speaking().all(CityDevice::is_done)
            && self.checker.is_paid()
    }

    fn what_is_open(&self) -> String {
        let waiting = self.speaking().filter(|device| !device.is_done());
        let waiting: Vec<String> =
            waiting.map(|device| format!("{} keeps {} readings", device.kid, device.waiting())).collect();
        let asking = self.residents.iter().filter_map(|resident| resident.outstanding.as_ref());
        let asking: Vec<String> =
            asking.map(|asked| format!("{} has no answer", asked.instruction.name())).collect();
        let node = self.process.as_ref().map_or("the node is down".to_owned(), Process::to_string);
        [vec![node], waiting, asking].concat().join(", ")
    }
}

fn genesis(
    scenario: &Scenario,
    validator: &SigningKey,
    operator: &SigningKey,
    treasury: &SigningKey,
) -> Result<Genesis, Violation> {
    let mut genesis = Genesis::devnet(
        NETWORK,
        "lamppost/simnet",
        validator.public_key(),
        operator.public_key(),
        treasury.public_key(),
        scenario.epoch_seconds,
        BEGIN_UNIX_MILLISECONDS,
    )
    .map_err(|error| error.to_string())?;
    genesis.pool_microtokens = scenario.pool_microtokens;
    Ok(genesis)
}

fn sale(device: &CityDevice, scenario: &Scenario, chance: &mut Chance) -> Sold {
    let position = Position {
        latitude_microdegrees: 57_140_000 + chance.below(20_000) as i32,
        longitude_microdegrees: -2_100_000 + chance.below(20_000) as i32,
    };
    Sold {
        key: device.key(),
        owner: chance.place(scenario.owners),
        enrolled_with_owner: chance.happens(600),
        position: chance.happens(700).then_some(position),
    }
}
