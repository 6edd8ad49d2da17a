//! What a machine needs before a task can run, and how it gets it: Debian packages through apt.

use crate::process::{self, Failure, say};
use std::path::Path;
use std::process::Command;

/// A program that a task starts, and the Debian package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The program, as found on the path.
    pub program: &'static str,
    /// The Debian package that installs it.
    pub package: &'static str,
}

/// The emulator of the board.
pub const QEMU: Tool = Tool { program: "qemu-system-arm", package: "qemu-system-arm" };
/// A broker that is not ours.
pub const MOSQUITTO: Tool = Tool { program: "mosquitto", package: "mosquitto" };
/// A publisher that is not ours.
pub const MOSQUITTO_CLIENTS: Tool = Tool { program: "mosquitto_pub", package: "mosquitto-clients" };
/// The browser that opens the pages.
pub const CHROMIUM: Tool = Tool { program: "chromium", package: "chromium" };
/// What drives the browser.
pub const CHROMEDRIVER: Tool = Tool { program: "chromedriver", package: "chromium-driver" };
/// Runs the container's image.
pub const PODMAN: Tool = Tool { program: "podman", package: "podman" };
/// Builds the container's image.
pub const BUILDAH: Tool = Tool { program: "buildah", package: "buildah" };
/// What podman runs containers with.
pub const RUNC: Tool = Tool { program: "runc", package: "runc" };
/// Assembles what the static binary's dependencies have in assembler.
pub const MUSL_GCC: Tool = Tool { program: "musl-gcc", package: "musl-tools" };
/// Builds the node's allocator.
pub const MAKE: Tool = Tool { program: "make", package: "make" };
/// Reads the keys that the product writes.
pub const OPENSSL: Tool = Tool { program: "openssl", package: "openssl" };
/// Runs the devices that other people's code makes.
pub const PYTHON: Tool = Tool { program: "python3", package: "python3" };
/// Builds the log client that other people wrote, with the packages that Debian has of it.
pub const GO: Tool = Tool { program: "go", package: "golang-go" };
/// Runs what the browser runs, without a browser.
pub const NODE_JS: Tool = Tool { program: "node", package: "nodejs" };
/// Fetches the pages' libraries.
pub const NPM: Tool = Tool { program: "npm", package: "npm" };

/// Makes machines of one: network namespaces and what lies between them.
pub const IPROUTE: Tool = Tool { program: "ip", package: "iproute2" };
/// Cuts their links.
pub const NFTABLES: Tool = Tool { program: "nft", package: "nftables" };
/// Sets the clock of one process; the library beside it is what the tests use.
pub const FAKETIME: Tool = Tool { program: "faketime", package: "faketime" };

/// Where Debian's golang-golang-x-mod-dev puts the transparency log's package.
const GO_TLOG: &str = "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog";

/// Makes sure that every tool is there, installing what is missing in one go.
///
/// # Errors
/// Names the exact command to type where this user may not install packages.
pub fn ensure_tools(tools: &[Tool]) -> Result<(), Failure> {
    let mut missing: Vec<&str> =
        tools.iter().filter(|tool| process::find(tool.program).is_none()).map(|tool| tool.package).collect();
    if tools.contains(&PYTHON) && !python_makes_environments() {
        missing.extend(["python3-venv", "python3-pip"]);
    }
    if tools.contains(&GO) && !Path::new(GO_TLOG).is_dir() {
        missing.push("golang-golang-x-mod-dev");
    }
    missing.sort_unstable();
    missing.dedup();
    ensure_packages(&missing)
}

/// Installs Debian packages, as root or through a sudo that asks nothing.
pub fn ensure_packages(packages: &[&str]) -> Result<(), Failure> {
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("sudo apt-get install --no-install-recommends {}", packages.join(" "));
    let Some(privilege) = Privilege::here() else {
        return Err(Failure::new(format!(
            "packages are missing and may not be installed from here; type: {by_hand}"
        )));
    };
    say(&format!("installing the Debian packages {}", packages.join(", ")));
    process::run(privilege.apt_get().args(["update", "-qq"]))?;
    let mut install = privilege.apt_get();
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    process::run(&mut install).map_err(|failure| Failure::new(format!("{failure}; by hand: {by_hand}")))?;
    if packages.contains(&MOSQUITTO.package) {
        stop_service(&privilege, "mosquitto.service");
    }
    Ok(())
}

/// How this user installs packages.
struct Privilege {
    sudo: bool,
}

impl Privilege {
    /// None where there is no apt, or neither root nor a sudo that asks nothing.
    fn here() -> Option<Self> {
        process::find("apt-get")?;
        let user = process::output(process::command("id").arg("-u")).ok()?;
        if user.trim() == "0" {
            return Some(Privilege { sudo: false });
        }
        process::succeeds(process::command("sudo").args(["-n", "true"])).then_some(Privilege { sudo: true })
    }

    fn command(&self, program: &str) -> Command {
        if !self.sudo {
            return process::command(program);
        }
        let mut command = process::command("sudo");
        command.args(["-n", program]);
        command
    }

    /// Apt that asks no question and starts no service where runlevels decide about that.
    fn apt_get(&self) -> Command {
        let mut command = self.command("env");
        command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]);
        command
    }
}

/// Debian starts a service with its package. The tests start their own broker on a free port, and port 1883 is
/// the one that `lamppost up` takes by default; so what was just installed is stopped again.
fn stop_service(privilege: &Privilege, unit: &str) {
    if Path::new("/run/systemd/system").is_dir() {
        say(&format!("stopping {unit}, which the package has started on port 1883"));
        process::succeeds(privilege.command("systemctl").args(["disable", "--now", unit]));
    }
}

/// Debian splits what makes a virtual environment from Python.
fn python_makes_environments() -> bool {
    process::succeeds(process::command("python3").args(["-c", "import venv, ensurepip"]))
}

/// Makes sure that `rustfmt` and `clippy` are there.
pub fn ensure_component(name: &str) -> Result<(), Failure> {
    let subcommand = if name == "rustfmt" { "fmt" } else { name };
    if process::succeeds(process::cargo().args([subcommand, "--version"])) {
        return Ok(());
    }
    say(&format!("adding the Rust component {name}"));
    process::run(process::command("rustup").args(["component", "add", name]))
}
