//! The house's habits as a test: who may import whom, which file may name which crate, what a file may hold.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file above this has two ideas in it.
const LINES_MAX: usize = 500;
/// What a file's name must not be: names that gather whatever has no place.
const NAMES_OF_NOTHING: [&str; 6] = ["utils", "util", "common", "types", "helpers", "manager"];

/// Which room may use which; everything else among them is forbidden. `tests` and `xtask` may use all.
const ARROWS: [(&str, &[&str]); 13] = [
    ("devices", &[]),
    ("update", &["devices"]),
    ("flash-store", &[]),
    ("node", &["devices"]),
    ("sensors", &["devices", "node"]),
    ("birth", &["devices", "node"]),
    ("cortex", &["birth", "node"]),
    ("station", &["birth", "node"]),
    ("fleet", &["devices", "node", "sensors"]),
    ("ledger", &["devices"]),
    ("browser", &["devices", "ledger"]),
    ("dashboard", &["devices", "ledger"]),
    ("gateway", &["devices", "fleet", "ledger", "dashboard"]),
];

/// Crates that one place alone may name, each with the beginnings of the paths of that place.
const WALLS: [(&str, &[&str]); 14] = [
    ("serde_cbor", &["devices/src/cbor.rs"]),
    ("sled", &["gateway/src/index.rs", "gateway/src/index/"]),
    (
        "rustix",
        &[
            "gateway/src/children.rs",
            "gateway/src/descriptors.rs",
            "gateway/src/disk.rs",
            "gateway/src/priority.rs",
            "gateway/src/room.rs",
        ],
    ),
    ("toml", &["gateway/src/configuration/"]),
    ("arc_malachitebft_app_channel", &["gateway/src/consensus/bft", "gateway/src/host/"]),
    ("rust_embed", &["dashboard/src/assets.rs"]),
    ("rumqttc", &["gateway/src/mqtt.rs", "gateway/src/mqtt/", "devices/fleet/src/client.rs", "tests/"]),
    ("rumqttd", &["gateway/src/broker.rs", "gateway/src/broker/"]),
    (
        "axum",
        &[
            "gateway/src/http",
            "gateway/tests/doors/",
            "dashboard/src/",
            "dashboard/tests/",
            "dashboard/examples/",
        ],
    ),
    ("getrandom", &["gateway/src/clock.rs", "devices/fleet/"]),
    ("thirtyfour", &["tests/"]),
    ("webauthn_rs", &["gateway/src/sign_in/passkey.rs"]),
    ("rustls", &["gateway/src/link/tls.rs"]),
    ("tokio_rustls", &["gateway/src/link/"]),
];

fn root() -> PathBuf {
    xtask::process::root()
}

fn metadata(manifest: &str) -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join(manifest)).no_deps();
    command.exec().unwrap_or_else(|error| panic!("{manifest}: {error}"))
}

/// Every source file that git keeps or would keep, by its path from the root.
fn files(extension: &str) -> Vec<(String, String)> {
    let listed = xtask::process::command("git").args(["ls-files", "-co", "--exclude-standard"]).output();
    let listed = listed.expect("git lists the files");
    let names = String::from_utf8(listed.stdout).expect("paths are text");
    let wanted = names.lines().filter(|name| name.ends_with(extension) && root().join(name).is_file());
    let read = |name: &str| (name.to_owned(), fs::read_to_string(root().join(name)).unwrap_or_default());
    let files: Vec<_> = wanted.map(read).collect();
    assert!(!files.is_empty(), "there are {extension} files");
    files
}

/// The lines that are neither comments nor documentation, with their numbers.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether `line` names the crate as a path's first word: `sled::`, `use sled;`, `extern crate sled`.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        let is_word = before.is_none_or(|letter| !letter.is_alphanumeric() && !"_.\"`-".contains(letter));
        is_word
            && (after.starts_with("::") || (line.trim_start().starts_with("use ") && after.starts_with(';')))
    })
}

#[test]
fn rooms_import_only_along_the_arrows() {
    let mut rooms = metadata("Cargo.toml").packages;
    rooms.extend(metadata("firmware/node/Cargo.toml").packages);
    let uses: BTreeMap<String, BTreeSet<String>> = rooms
        .iter()
        .map(|room| {
            let normal =
                room.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            (room.name.to_string(), normal.map(|dependency| dependency.name.clone()).collect())
        })
        .collect();
    for (room, allowed) in ARROWS {
        let used = uses.get(room).unwrap_or_else(|| panic!("there is no room `{room}`"));
        let forbidden: Vec<_> = used
            .iter()
            .filter(|name| uses.contains_key(*name) && !allowed.contains(&name.as_str()))
            .collect();
        assert!(forbidden.is_empty(), "{room} must not use {forbidden:?}");
    }
    let listed = |room: &str| {
        ARROWS.iter().any(|(name, _)| *name == room)
            || ["benchmarks", "e2e", "decoders", "world", "xtask"].contains(&room)
    };
    let unlisted: Vec<_> = uses.keys().filter(|room| !listed(room)).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}: which rooms may they use?");
    assert_eq!(
        uses["xtask"].len(),
        0,
        "xtask is the first thing a new machine builds: it depends on nothing"
    );
}

#[test]
fn a_single_node_is_built_without_the_consensus_of_several() {
    // Features as `cargo build` has them where nobody asks for any.
    let mut command = MetadataCommand::new();
    let metadata = command.manifest_path(root().join("Cargo.toml")).exec().expect("the workspace resolves");
    let resolve = metadata.resolve.as_ref().expect("cargo says what depends on what");
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let gateway = metadata.packages.iter().find(|package| package.name.as_str() == "gateway");
    let mut found = BTreeSet::new();
    let mut open = vec![&gateway.expect("there is the gateway").id];
    while let Some(id) = open.pop() {
        if found.insert(id) {
            let is_built = |kind: &cargo_metadata::DepKindInfo| kind.kind != DependencyKind::Development;
            let dependencies =
                nodes[id].deps.iter().filter(|dependency| dependency.dep_kinds.iter().any(is_built));
            open.extend(dependencies.map(|dependency| &dependency.pkg));
        }
    }
    let names: BTreeSet<&str> =
        metadata.packages.iter().filter(|one| found.contains(&one.id)).map(|one| one.name.as_str()).collect();
    assert!(
        names.contains("rumqttd") && names.contains("sled"),
        "what it is made of is looked at: {names:?}"
    );
    let of_several = [
        "arc-malachitebft",
        "libp2p",
        "multiaddr",
        "quinn",
        "rcgen",
        "ring",
        "rustls",
        "snow",
        "tokio-rustls",
    ];
    let strangers: Vec<_> =
        names.iter().filter(|name| of_several.iter().any(|stranger| name.starts_with(stranger))).collect();
    assert!(strangers.is_empty(), "only the feature `bft` brings {strangers:?}");
}

#[test]
fn a_crate_behind_a_wall_is_named_in_one_place() {
    for (path, source) in files(".rs") {
        for (name, places) in WALLS {
            if places.iter().any(|place| path.starts_with(place)) {
                continue;
            }
            if let Some((number, line)) = code(&source).find(|(_, line)| names_crate(line, name)) {
                panic!("{path}:{number} names {name}, which belongs to {}: {line}", places.join(", "));
            }
        }
    }
}

#[test]
fn only_the_clock_tells_the_gateway_the_time() {
    let allowed = |path: &str| path == "gateway/src/clock.rs" || !path.starts_with("gateway/src/");
    for (path, source) in files(".rs").into_iter().filter(|(path, _)| !allowed(path)) {
        for (number, line) in code(&source) {
            let reads = ["SystemTime::now", "Timestamp::now", "Zoned::now", "thread_rng", "rand::random"];
            assert!(
                !reads.iter().any(|read| line.contains(read)),
                "{path}:{number} reads a clock or chance: {line}"
            );
        }
    }
}

#[test]
fn pure_rooms_have_no_std() {
    let portable = ["birth", "flash-store", "node", "sensors", "station", "update"]
        .map(|room| format!("firmware/{room}/src/lib.rs"));
    let rooms = ["devices", "ledger"].map(|room| format!("{room}/src/lib.rs"));
    for path in rooms.into_iter().chain(portable) {
        let source = fs::read_to_string(root().join(&path)).expect("the room is there");
        let no_std = source.lines().any(|line| line.starts_with("#![") && line.contains("no_std"));
        assert!(no_std, "{path} opens with no_std, so that the compiler holds the wall");
    }
    let node = fs::read_to_string(root().join("firmware/node/src/lib.rs")).expect("the room is there");
    let manifest = fs::read_to_string(root().join("firmware/Cargo.toml")).expect("the workspace is there");
    assert!(node.contains("forbid(unsafe_code)") || manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn money_and_consensus_know_no_float() {
    // H3 is defined in floats; the cell is computed once, when a position is set, and by the same code everywhere.
    let is_judged = |path: &str| path.starts_with("ledger/src/") && path != "ledger/src/cell.rs";
    for (path, source) in files(".rs").into_iter().filter(|(path, _)| is_judged(path)) {
        for (number, line) in code(&source) {
            let line = line.split("//").next().unwrap_or(line);
            assert!(!line.contains("f64") && !line.contains("f32"), "{path}:{number} has a float: {line}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, source) in files(".rs") {
        let first = source.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 20,
            "{path} opens with a `//!` line that says what it is for"
        );
    }
}

#[test]
fn no_file_has_two_ideas() {
    for (path, source) in files(".rs") {
        let lines = source.lines().count();
        assert!(
            lines <= LINES_MAX,
            "{path} has {lines} lines; above {LINES_MAX} there are usually two ideas in one"
        );
        let stem = Path::new(&path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(!NAMES_OF_NOTHING.contains(&stem), "{path}: the name says nothing about what it holds");
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!("),
        concat!("dbg", "!("),
    ];
    for (path, source) in [files(".rs"), files(".html"), files(".toml")].concat() {
        for (index, line) in source.lines().enumerate() {
            let left = marks.iter().find(|mark| line.contains(**mark));
            assert!(left.is_none(), "{path}:{} leaves something for later: {line}", index + 1);
        }
    }
}

#[test]
fn tests_wait_for_what_happens_and_not_by_the_clock() {
    let call = concat!("thread::", "sleep(");
    for (path, source) in files(".rs") {
        let found = source.lines().position(|line| {
            line.contains(call) || line.contains(concat!("time::", "sleep(")) && path.starts_with("tests/")
        });
        let allowed = !path.starts_with("tests/") && !path.contains("/tests/");
        assert!(allowed || found.is_none(), "{path}:{} sleeps", found.map_or(0, |line| line + 1));
    }
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let checkout = root();
    let checkout = checkout.to_str().expect("the path is text");
    let homes = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    for extension in [".rs", ".md", ".toml", ".html", ".js", ".css", ".py", "run", "Containerfile"] {
        for (path, source) in files(extension) {
            let found = source
                .lines()
                .position(|line| line.contains(checkout) || homes.iter().any(|home| line.contains(home)));
            assert!(
                found.is_none(),
                "{path}:{} names a path of one machine",
                found.map_or(0, |line| line + 1)
            );
        }
    }
}

#[test]
fn every_exception_in_deny_has_its_reason() {
    let deny = fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    for line in deny.lines().filter(|line| line.contains("RUSTSEC-") && !line.trim_start().starts_with('#')) {
        assert!(line.contains("reason = \""), "an exception without a reason: {line}");
    }
}

#[test]
fn committed_shell_is_strict() {
    let run = fs::read_to_string(root().join(".ci/run")).expect(".ci/run is there");
    assert!(run.contains("set -euo pipefail"));
    let check = Command::new("bash").arg("-n").arg(root().join(".ci/run")).status();
    assert!(check.is_ok_and(|status| status.success()), ".ci/run is a script");
}
