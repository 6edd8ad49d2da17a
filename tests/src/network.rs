//! A network of several operators as real processes: validators and a gateway, each on a machine of its own where the
//! kernel allows it, under load; and the judge that compares them after whatever was done to them.

pub mod figures;
pub mod ground;
pub mod judge;
mod load;
pub mod member;
pub mod namespaces;
pub mod scenario;
mod slow_wire;

use crate::program;
use crate::sensor::NETWORK;
use crate::wait;
use ground::Ground;
use load::Load;
use member::Member;
use namespaces::{Namespaces, Wire};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Names of the validators.
const VALIDATORS: [&str; 4] = ["city", "utility", "university", "operator"];
/// Name of the gateway.
const GATEWAY: &str = "gateway-1";
/// One for each, and one for whoever comes new.
const MACHINES: usize = VALIDATORS.len() + 2;
/// Short, so that a scenario sees many of them.
const EPOCH_SECONDS: u32 = 2;
/// As `lamppost network new` has it where nobody says anything.
const BLOCK_MILLISECONDS: u32 = 250;

/// What a network is set up with.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What lies between the nodes.
    pub wire: Wire,
    /// Length of an epoch.
    pub epoch_seconds: u32,
    /// A block is begun so long after the one before.
    pub block_milliseconds: u32,
}

impl Plan {
    /// As the scenarios want it.
    pub fn with(wire: Wire) -> Plan {
        Plan { wire, epoch_seconds: EPOCH_SECONDS, block_milliseconds: BLOCK_MILLISECONDS }
    }
}

/// The whole.
pub struct Network {
    /// Four of them.
    pub validators: Vec<Member>,
    /// What devices talk to.
    pub gateway: Member,
    load: Option<Load>,
    ground: Ground,
    directory: TempDir,
}

impl Network {
    /// A network that runs, with devices that have not sent anything yet.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn new(wire: Wire) -> Network {
        let mut network = Network::started(Plan::with(wire));
        network.load = Some(Load::enrolled(network.gateway.node()));
        network
    }

    /// A network that runs, without any devices.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn started(plan: Plan) -> Network {
        let mut network = Network::set_up(plan);
        network.validators.iter_mut().for_each(Member::start);
        network.gateway.start();
        network
    }

    /// A network whose nodes have files and do not run.
    ///
    /// # Panics
    /// Where its files cannot be made.
    pub fn set_up(plan: Plan) -> Network {
        let ground = Ground::of(MACHINES, plan.wire);
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let out = directory.path().join("net");
        let mut command = program::lamppost(&["network", "new", "--network", NETWORK]);
        command.args(["--epoch", &plan.epoch_seconds.to_string()]);
        command.args(["--block-milliseconds", &plan.block_milliseconds.to_string()]);
        command.args(["--validators", &VALIDATORS.join(","), "--gateways", GATEWAY, "--out"]).arg(&out);
        let names = || VALIDATORS.into_iter().chain([GATEWAY]);
        match &ground {
            Ground::Machines(_) => {
                let hosts = names().enumerate().map(|(place, name)| format!("{name}={}", ground.host(place)));
                command.args(["--host", &hosts.collect::<Vec<_>>().join(",")]);
            }
            Ground::Localhost => drop(command.arg("--free-ports")),
        }
        program::Ended::of(&mut command).success();
        let mut members: Vec<Member> = names()
            .enumerate()
            .map(|(place, name)| {
                let starter = ground.starter(place, &[]);
                Member::new(name, &out.join(name), ground.host(place), starter)
            })
            .collect();
        let gateway = members.pop().expect("the gateway is the last one");
        // Whoever operates the network works at the gateway, so the keys lie where the tests look for them.
        for key in ["operator.pem", "treasury.pem"] {
            fs::copy(out.join("keys").join(key), gateway.data.join("keys").join(key))
                .expect("a key is copied");
        }
        Network { validators: members, gateway, load: None, ground, directory }
    }

    /// The genesis document.
    pub fn genesis(&self) -> PathBuf {
        self.directory.path().join("net/genesis.json")
    }

    /// The gateway's place among the machines; validators have the places before it.
    pub fn gateway_machine(&self) -> usize {
        VALIDATORS.len()
    }

    /// A node without files, on the machine that nobody has yet.
    pub fn spare_member(&self, name: &str) -> Member {
        let directory = self.directory.path().join("net").join(name);
        fs::create_dir_all(&directory).expect("a directory can be made");
        let machine = MACHINES - 1;
        Member::new(name, &directory, self.ground.host(machine), self.ground.starter(machine, &[]))
    }

    /// What can be cut and slowed; says so where nothing can.
    pub fn machines(&mut self) -> Option<&mut Namespaces> {
        let machines = self.ground.machines();
        if machines.is_none() {
            println!("skipped: without network namespaces nothing can be cut or slowed");
        }
        machines
    }

    /// What starts a program where this validator runs, with further words for `nsenter`.
    pub fn starter(&self, validator: usize, also: &[String]) -> Vec<String> {
        self.ground.starter(validator, also)
    }

    /// All nodes, the gateway last.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.validators.iter().chain([&self.gateway])
    }

    fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.validators.iter_mut().chain([&mut self.gateway])
    }

    /// How much was acknowledged so far: envelopes by `ack`, payments by 202.
    pub fn acknowledged(&self) -> u64 {
        self.load().acknowledged()
    }

    fn load(&self) -> &Load {
        self.load.as_ref().expect("the load is there while nobody drives it")
    }

    /// Does something to the network while devices publish and an account pays. Gives what the load did not like.
    pub fn under_load<T>(&mut self, act: impl FnOnce(&mut Network) -> T) -> T {
        let mut load = self.load.take().expect("the load is there while nobody drives it");
        let node = self.gateway.node();
        let (http, mqtt) = (node.http.clone(), node.mqtt.clone());
        let given = load.run_while(&http, &mqtt, || act(self));
        self.load = Some(load);
        given
    }

    /// Waits until each of these validators and the gateway, as far as it runs, has decided that many blocks more than any
    /// had before; gives how long that took.
    ///
    /// # Panics
    /// Where they do not in time.
    pub fn goes_on(&self, blocks: u64) -> Duration {
        let began = Instant::now();
        let running = || self.members().filter(|member| member.is_running());
        let wanted = running().map(Member::height).max().unwrap_or_default() + blocks;
        running().for_each(|member| member.reaches(wanted));
        began.elapsed()
    }

    /// Lets that much time pass: what must not happen has that long to happen.
    pub fn waits(&self, time: Duration) {
        let until = Instant::now() + time;
        wait::until_true("time passes", time + wait::SHORT, || Instant::now() >= until);
    }

    /// The highest block of the running validators.
    pub fn height(&self) -> u64 {
        let running = self.validators.iter().filter(|member| member.is_running());
        running.map(Member::height).max().unwrap_or_default()
    }

    /// Waits until an epoch that has begun by now has ended for every node.
    ///
    /// # Panics
    /// Where none ends in time.
    pub fn an_epoch_ends_everywhere(&self) {
        let epoch = |member: &Member| member.status()["epoch"].as_u64().unwrap_or_default();
        let now = self.members().map(epoch).max().unwrap_or_default();
        for member in self.members() {
            let what = format!("{} closes epoch {now}", member.name);
            wait::until_true(&what, wait::LONG, || epoch(member) > now);
        }
    }

    /// Starts whoever does not run.
    pub fn all_run(&mut self) {
        self.members_mut().filter(|member| !member.is_running()).for_each(Member::start);
    }
}
