//! The image: static binary, no root, a volume for the data; it runs, serves, is healthy and ends cleanly.

use e2e::broker::free_address;
use e2e::program::Ended;
use e2e::wait;
use std::process::Command;
use xtask::container::{IMAGE, STORAGE};

/// Without a daemon, without cgroups of its own and on the host's network, as a machine without privileges can.
fn podman(arguments: &[&str]) -> Command {
    let mut command = Command::new("podman");
    command.args(STORAGE).args(["--cgroup-manager", "cgroupfs", "--runtime", "runc"]).args(arguments);
    command
}

const RUN: [&str; 9] = [
    "run",
    "--network",
    "host",
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit",
    "nproc=1000:1000",
    "--detach",
    "--rm",
];

/// A running container, removed with its anonymous volume at the end.
struct Container {
    id: String,
}

impl Container {
    fn start(more: &[&str], command: &[&str]) -> Container {
        assert!(
            xtask::container::image_bytes().is_ok(),
            "the image is missing: `cargo xtask container` builds it"
        );
        let mut run = podman(&RUN);
        let started = Ended::of(run.args(more).arg(IMAGE).args(command)).success();
        Container { id: started.trim().to_owned() }
    }

    fn logs(&self) -> String {
        let ended = Ended::of(&mut podman(&["logs", &self.id]));
        ended.stdout + ended.stderr.as_str()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        Ended::of(&mut podman(&["rm", "--force", "--volumes", "--time", "2", &self.id]));
    }
}

fn answers(http: &str) -> bool {
    ureq::get(format!("http://{http}/healthz")).call().is_ok_and(|answer| answer.status() == 200)
}

#[test]
fn the_image_runs_up_and_answers() {
    let (http, mqtt) = (free_address(), free_address());
    let container =
        Container::start(&[], &["up", "--http", &http, "--mqtt", &mqtt, "--devices", "2", "--epoch", "2"]);
    wait::until_true("the container answers /healthz", wait::LONG, || answers(&http));
    let url = format!("http://{http}/api/v1/devices");
    wait::until_true("its virtual devices earn", wait::LONG, || {
        let answer =
            ureq::get(&url).call().ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
        let devices: serde_json::Value =
            answer.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
        devices.as_array().is_some_and(|all| {
            all.len() == 2 && all.iter().all(|device| device["earned_total"]["microtokens"] != "0")
        })
    });
    let health = Ended::of(&mut podman(&[
        "exec",
        &container.id,
        "/lamppost",
        "health",
        "--node",
        &format!("http://{http}"),
    ]));
    assert_eq!(health.code, 0, "{}", health.stderr);
    let stopped = Ended::of(&mut podman(&["stop", "--time", "10", &container.id]));
    assert_eq!(stopped.code, 0, "{}{}", stopped.stderr, container.logs());
}

#[test]
fn the_image_holds_one_static_binary_run_by_nobody_in_particular() {
    let inspect = |format: &str| {
        Ended::of(&mut podman(&["image", "inspect", "--format", format, IMAGE])).success().trim().to_owned()
    };
    assert_eq!(inspect("{{.Config.User}}"), "65532:65532", "not root");
    assert_eq!(inspect("{{json .Config.Volumes}}"), "{\"/data\":{}}");
    assert!(inspect("{{json .Config.Entrypoint}}").contains("/lamppost"));
    assert!(inspect("{{json .HealthCheck}}").contains("health"), "it says how to ask for its health");
    assert!(
        inspect("{{json .Config.Env}}").contains("LAMPPOST_HTTP=0.0.0.0:8080"),
        "it serves beyond its own loopback"
    );
    let bytes = xtask::container::image_bytes().expect("podman knows the image");
    println!("image: {bytes} bytes");
    assert!(bytes < 60_000_000, "one binary, no distribution: {bytes} bytes");
}
