//! The machines that networks are tested on: what is cut is cut, one way too, and is whole again when it is healed.

use e2e::network::namespaces::{Namespaces, Wire};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How long a datagram may take.
const PATIENCE_SECONDS: &str = "1";

fn python(machines: &Namespaces, machine: usize, arguments: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/hears.py");
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", machines.file(machine))).arg("--").arg("python3").arg(script);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Whether the second one hears the first.
fn hears(machines: &Namespaces, from: usize, to: usize) -> bool {
    let mut listener = python(machines, to, &[PATIENCE_SECONDS]);
    let mut listener = listener.stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut said = BufReader::new(listener.stdout.take().expect("it is piped")).lines();
    let mut line = || said.next().and_then(Result::ok).unwrap_or_default();
    assert_eq!(line(), "listening");
    let address = machines.address(to).to_string();
    let mut sender = python(machines, from, &["to", &address, PATIENCE_SECONDS]);
    let mut sender = sender.spawn().expect("python3 runs");
    let heard = line().starts_with("heard");
    drop(sender.kill());
    drop(sender.wait());
    drop(listener.wait());
    heard
}

fn machines(wire: Wire) -> Option<Namespaces> {
    Namespaces::make(3, wire).inspect_err(|sentence| println!("skipped: {sentence}")).ok()
}

fn can_be_cut_and_healed(machines: &Namespaces) {
    assert!(hears(machines, 0, 1) && hears(machines, 1, 0) && hears(machines, 2, 0));
    machines.cut(0, 1);
    assert!(!hears(machines, 0, 1), "it is cut");
    assert!(hears(machines, 1, 0) && hears(machines, 2, 1), "nothing else is");
    machines.heal();
    assert!(hears(machines, 0, 1), "it is whole again");
}

#[test]
fn a_link_is_cut_one_way_and_healed() {
    let Some(machines) = machines(Wire::Quick) else { return };
    can_be_cut_and_healed(&machines);
}

#[test]
fn a_slow_wire_delays_what_it_carries_and_can_be_cut_too() {
    let Some(mut machines) = machines(Wire::Slow) else { return };
    can_be_cut_and_healed(&machines);
    let began = Instant::now();
    assert!(hears(&machines, 0, 1));
    let quick = began.elapsed();
    machines.weather(400, 0);
    let began = Instant::now();
    assert!(hears(&machines, 0, 1), "late, but there");
    assert!(began.elapsed().as_millis() >= 400, "{quick:?} before");
    machines.weather(0, 100);
    // Another pair, because what was under way between these still arrives.
    assert!(!hears(&machines, 2, 0), "everything is lost");
}

#[test]
fn machines_are_gone_when_they_are_not_needed_any_more() {
    let Some(machines) = machines(Wire::Quick) else { return };
    let file = machines.file(0);
    assert!(Path::new(&file).exists());
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = machines;
        panic!("a test fails");
    }));
    assert!(failed.is_err());
    assert!(!Path::new(&file).exists(), "also after a test that fails");
}
