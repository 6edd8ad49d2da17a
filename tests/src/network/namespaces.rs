//! Machines on this machine: a network namespace each, joined by a bridge, with links that can be cut and slowed.
//!
//! Packets are dropped where they arrive, by nftables. Delay and loss come from netem; where the kernel has none, a
//! program of the tests carries the packets instead of the bridge.

use super::slow_wire::SlowWire;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use xtask::process;

/// The place in the subnet of whoever tests.
const TESTER: u8 = 254;
/// What a machine calls its only link.
const LINK: &str = "eth0";

/// What lies between the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A bridge.
    Quick,
    /// Something whose delay and loss can be set.
    Slow,
}

/// The machines, and what joins them.
#[derive(Debug)]
pub struct Namespaces {
    machines: Vec<Machine>,
    bridge: Option<String>,
    slow_wire: Option<SlowWire>,
}

#[derive(Debug)]
struct Machine {
    namespace: String,
    address: Ipv4Addr,
}

impl Namespaces {
    /// So many machines; none where this user may make none, or a program is missing.
    ///
    /// # Errors
    /// A sentence that says what does not work here.
    pub fn make(count: u8, wire: Wire) -> Result<Namespaces, String> {
        let plan = Plan::next();
        let mut made = Namespaces { machines: Vec::new(), bridge: None, slow_wire: None };
        // What was made before a step failed is removed by `drop`.
        made.add_machines(&plan, count)?;
        match wire {
            Wire::Quick => made.join_by_bridge(&plan)?,
            Wire::Slow => {
                made.join_by_bridge(&plan)?;
                if made.set_netem(1, 0).is_err() {
                    println!("no netem in this kernel: a program of the tests delays and drops the packets");
                    made.unjoin();
                    made.join_by_slow_wire(&plan)?;
                }
            }
        }
        for machine in &made.machines {
            for rule in
                ["add table ip faults", "add chain ip faults input { type filter hook input priority 0 ; }"]
            {
                machine.nft(rule)?;
            }
        }
        Ok(made)
    }

    /// The address of a machine.
    pub fn address(&self, machine: usize) -> Ipv4Addr {
        self.machines[machine].address
    }

    /// Where the namespace of a machine lies, for `nsenter --net=`.
    pub fn file(&self, machine: usize) -> String {
        format!("/run/netns/{}", self.machines[machine].namespace)
    }

    /// Packets from one machine to the other get lost; the other way they arrive.
    ///
    /// # Panics
    /// Where the rule cannot be set, although the first ones could.
    pub fn cut(&self, from: usize, to: usize) {
        let rule = format!("add rule ip faults input ip saddr {} drop", self.address(from));
        self.machines[to].nft(&rule).expect("a cut can be made");
    }

    /// Whatever was cut is joined again.
    ///
    /// # Panics
    /// Where the rules cannot be removed.
    pub fn heal(&self) {
        for machine in &self.machines {
            machine.nft("flush chain ip faults input").expect("a cut can be healed");
        }
    }

    /// Every packet between the machines takes so long, one way, and so many in a hundred get lost.
    ///
    /// # Panics
    /// Where the machines were not joined by [`Wire::Slow`].
    pub fn weather(&mut self, delay_milliseconds: u32, loss_percent: u32) {
        match &mut self.slow_wire {
            Some(wire) => wire.weather(delay_milliseconds, loss_percent),
            None => self.set_netem(delay_milliseconds, loss_percent).expect("netem was there before"),
        }
    }

    fn add_machines(&mut self, plan: &Plan, count: u8) -> Result<(), String> {
        for number in 1..=count {
            let namespace = plan.name(&format!("n{number}"));
            run("ip", &["netns", "add", &namespace])?;
            self.machines.push(Machine { namespace, address: plan.address(number) });
        }
        self.machines.iter().try_for_each(|machine| machine.ip(&["link", "set", "lo", "up"]))
    }

    fn join_by_bridge(&mut self, plan: &Plan) -> Result<(), String> {
        let bridge = plan.name("b");
        run("ip", &["link", "add", &bridge, "type", "bridge"])?;
        self.bridge = Some(bridge.clone());
        // A firewall of the machine's has no say between these.
        drop(run("ip", &["link", "set", &bridge, "type", "bridge", "nf_call_iptables", "0"]));
        for machine in &self.machines {
            // The bridge's end has the name of the namespace at the other one.
            let near = &machine.namespace;
            run("ip", &["link", "add", near, "type", "veth", "peer", "name", LINK, "netns", near])?;
            run("ip", &["link", "set", near, "master", &bridge, "up"])?;
            machine.comes_up()?;
        }
        run("ip", &["addr", "add", &format!("{}/24", plan.address(TESTER)), "dev", &bridge])?;
        run("ip", &["link", "set", &bridge, "up"])
    }

    /// The links go with one of their ends.
    fn unjoin(&mut self) {
        if let Some(bridge) = self.bridge.take() {
            for machine in &self.machines {
                drop(run("ip", &["link", "del", &machine.namespace]));
            }
            drop(run("ip", &["link", "del", &bridge]));
        }
    }

    fn join_by_slow_wire(&mut self, plan: &Plan) -> Result<(), String> {
        let tester = plan.name("t");
        let ends = self.machines.iter().map(|machine| (machine.namespace.clone(), machine.address));
        let mut ends: Vec<(String, Ipv4Addr)> = ends.collect();
        ends.push((tester.clone(), plan.address(TESTER)));
        self.slow_wire = Some(SlowWire::start(&ends)?);
        for machine in &self.machines {
            run("ip", &["link", "set", &machine.namespace, "netns", &machine.namespace])?;
            machine.ip(&["link", "set", &machine.namespace, "name", LINK])?;
            machine.comes_up()?;
        }
        run("ip", &["addr", "add", &format!("{}/24", plan.address(TESTER)), "dev", &tester])?;
        run("ip", &["link", "set", &tester, "up"])
    }

    fn set_netem(&self, delay_milliseconds: u32, loss_percent: u32) -> Result<(), String> {
        let (delay, loss) = (format!("{delay_milliseconds}ms"), format!("{loss_percent}%"));
        self.machines.iter().try_for_each(|machine| {
            let words = ["qdisc", "replace", "dev", LINK, "root", "netem", "delay", &delay, "loss", &loss];
            run("tc", &[&["-n", &machine.namespace][..], &words].concat())
        })
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.unjoin();
        drop(self.slow_wire.take());
        for machine in &self.machines {
            drop(run("ip", &["netns", "del", &machine.namespace]));
        }
    }
}

impl Machine {
    fn ip(&self, words: &[&str]) -> Result<(), String> {
        run("ip", &[&["-n", &self.namespace], words].concat())
    }

    fn nft(&self, rule: &str) -> Result<(), String> {
        run("ip", &["netns", "exec", &self.namespace, "nft", rule])
    }

    fn comes_up(&self) -> Result<(), String> {
        self.ip(&["addr", "add", &format!("{}/24", self.address), "dev", LINK])?;
        self.ip(&["link", "set", LINK, "up"])
    }
}

/// Names and addresses that nothing else on this machine has: of this process, and of this one among its networks.
#[derive(Debug)]
struct Plan {
    prefix: String,
    subnet: u32,
}

impl Plan {
    fn next() -> Plan {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let (process, counter) = (std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed) & 0xfff);
        // RFC 2544 §C.2.2: 198.18.0.0/15 is for tests of networks; it has 512 subnets of this size.
        let subnet = process.wrapping_mul(37).wrapping_add(counter) % 512;
        // A link's name has 15 letters at most.
        Plan { prefix: format!("lp{process}x{counter:x}"), subnet }
    }

    fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.prefix)
    }

    fn address(&self, host: u8) -> Ipv4Addr {
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0));
        Ipv4Addr::from(base + self.subnet * 256 + u32::from(host))
    }
}

/// Runs one of iproute2's programs.
fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let path = process::find(program).ok_or_else(|| format!("`{program}` is not installed"))?;
    let output = Command::new(path).args(words).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program} {}`: {}", words.join(" "), said.trim()))
}
