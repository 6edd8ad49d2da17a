//! A log client that is not ours: the Go project's own tlog and note packages, as Debian packs them.

use crate::program::Ended;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where Debian puts the sources of Go packages.
const DEBIAN_PACKAGES: &str = "/usr/share/gocode";

/// The program of `tests/interop/follow.go`, built the first time.
///
/// # Panics
/// Where Go or its packages are missing, or the program does not build.
pub fn follower() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let directory = xtask::process::target_dir().join("interop");
        let program = directory.join("follow");
        let source = xtask::process::root().join("tests/interop/follow.go");
        let mut go = Command::new("go");
        // Debian's sources, and no module proxy: nothing is fetched.
        go.env("GO111MODULE", "off").env("GOPATH", DEBIAN_PACKAGES).env("GOFLAGS", "");
        go.env("GOCACHE", directory.join("cache"));
        Ended::of(go.args(["build", "-o"]).arg(&program).arg(source)).success();
        program
    };
    BUILT.get_or_init(build).clone()
}

/// Runs the follower to its end.
pub fn follow(arguments: &[&str]) -> Ended {
    Ended::of(Command::new(follower()).args(arguments))
}
