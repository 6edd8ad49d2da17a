//! Validators that come new: one with an empty disk beside the four, and one in the place of its own that was wiped.

use super::{Stage, quick};
use crate::network::Network;
use crate::network::judge::{Verdict, judge};
use crate::network::member::Member;
use crate::program::{self, Ended};
use crate::wait;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// How long the four work before somebody comes.
const HISTORY: Duration = Duration::from_secs(6);
/// How long a node that may not vote is watched: several rounds of everybody's turns.
const TURNS: Duration = Duration::from_secs(6);
/// The fifth.
const FIFTH: &str = "museum";

/// An empty fifth node catches up, is added by the present ones, and its vote counts: with one of the four down it is needed.
pub(super) fn a_fifth(stage: &mut Stage) -> Option<Verdict> {
    let mut network = quick();
    network.machines()?;
    network.under_load(|network| {
        network.waits(HISTORY);
        let mut fifth = network.spare_member(FIFTH);
        let made = key(&fifth, FIFTH);
        let text = fs::read_to_string(&network.validators[0].config).expect("a configuration can be read");
        let text = text.replacen("name = \"city\"", &format!("name = \"{FIFTH}\""), 1);
        // Its peers are those of the first, and the first.
        let first = peer("city", &format!("{}:{CONSENSUS_PORT}", network.validators[0].host), None);
        fs::write(&fifth.config, with_peer(&text, &first)).expect("a configuration can be written");
        let address = format!("{}:{CONSENSUS_PORT}", fifth.host);
        let new = peer(FIFTH, &address, made["public_key"].as_str());
        for validator in &mut network.validators {
            validator.edits(|text| with_peer(text, &new));
            validator.terminate();
            validator.start();
        }
        network.goes_on(1);
        let (began, height) = (Instant::now(), network.height());
        fifth.start();
        fifth.reaches(height);
        let took = began.elapsed().as_millis();
        stage.note(format!("an empty fifth had {height} blocks after {took} ms"));
        network.validators.push(fifth);
        change(network, &[0, 1, 2], &["add", "--name", FIFTH, "--key", text_of(&made, "vkey")], FIFTH, true);
        network.goes_on(3);
        network.validators[1].kill();
        let went_on = network.goes_on(3);
        stage.note(format!("with it and three of four: three blocks in {} ms", went_on.as_millis()));
    });
    Some(judge(network, std::mem::take(&mut stage.notes)))
}

/// A wiped validator may have voted before: its old key only follows, and says so. With a new key it joins again.
pub(super) fn one_wiped(stage: &mut Stage) -> Option<Verdict> {
    let mut network = quick();
    network.under_load(|network| {
        network.waits(HISTORY);
        let (one, old) = (stage.order(network)[0], "old-validator.pem");
        let name = network.validators[one].name.clone();
        network.validators[one].kill();
        let data = network.validators[one].data.clone();
        let key_file = data.join("keys/validator.pem");
        let kept = data.with_file_name(old);
        fs::rename(&key_file, &kept).expect("the key is put aside");
        let format = fs::read(data.join("format")).expect("a directory of ours says so");
        fs::remove_dir_all(&data).expect("the disk is wiped");
        fs::create_dir_all(data.join("keys")).expect("a directory can be made");
        fs::write(data.join("format"), format).expect("a file can be written");
        fs::copy(&kept, &key_file).expect("the old key is put back");
        network.validators[one].start();
        let said = network.validators[one].node().stderr();
        assert!(said.contains("this validator's key does not vote"), "it says why: {said}");
        network.goes_on(2);
        // Turns of its own pass meanwhile: it takes none.
        network.waits(TURNS);
        network.goes_on(2);
        let said = network.validators[one].node().stderr();
        assert!(!said.contains("could not be kept"), "it keeps what is proposed: {said}");
        network.validators[one].terminate();
        fs::remove_file(&key_file).expect("the old key is there");
        let again = format!("{name}-2");
        let made = key(&network.validators[one], &again);
        let signers: Vec<usize> = (0..network.validators.len()).filter(|other| *other != one).collect();
        change(network, &signers, &["remove", "--name", &name], &name, false);
        let public_key = text_of(&made, "public_key").to_owned();
        let renamed = |text: &str| renamed_peer(text, &name, &again, &public_key);
        network.validators[one]
            .edits(|text| text.replacen(&format!("name = \"{name}\""), &format!("name = \"{again}\""), 1));
        network.validators[one].name = again.clone();
        network.validators[one].start();
        network.gateway.edits(renamed);
        for other in &signers {
            network.validators[*other].edits(renamed);
            network.validators[*other].terminate();
            network.validators[*other].start();
        }
        change(network, &signers, &["add", "--name", &again, "--key", text_of(&made, "vkey")], &again, true);
        network.goes_on(2);
        network.validators[signers[0]].kill();
        let went_on = network.goes_on(3);
        stage.note(format!("{again} votes: three blocks without another in {} ms", went_on.as_millis()));
    });
    Some(judge(network, std::mem::take(&mut stage.notes)))
}

/// Where validators listen for each other, by `lamppost network new`.
const CONSENSUS_PORT: u16 = 7_000;

/// Makes a validator's key where it will vote.
fn key(member: &Member, name: &str) -> Value {
    let mut command = program::lamppost(&["key", "validator", "--name", name, "--json", "--data"]);
    let printed = Ended::of(command.arg(&member.data)).success();
    serde_json::from_str(&printed).expect("key validator --json prints JSON")
}

fn text_of<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{value} has a text {name}"))
}

/// These validators approve a change; waits until it is in force for every running node.
fn change(network: &Network, signers: &[usize], words: &[&str], name: &str, is_present: bool) {
    for signer in signers {
        let mut command = program::lamppost(&["validator"]);
        command.args(words).args(["--node", &network.gateway.node().http, "--signer"]);
        command.arg(network.validators[*signer].data.join("keys/validator.pem"));
        Ended::of(&mut command).success();
    }
    for member in network.members().filter(|member| member.is_running()) {
        let what = format!("{} knows that {words:?} is in force", member.name);
        wait::until_true(&what, wait::LONG, || {
            let said = member.node().json("/api/v1/validators");
            let named = |one: &Value| one["name"] == name;
            said["validators"].as_array().is_some_and(|all| all.iter().any(named)) == is_present
        });
    }
}

/// A peer of a validator, as its file names it.
fn peer(name: &str, address: &str, public_key: Option<&str>) -> String {
    let key = public_key.map(|key| format!("public_key = \"{key}\"\n")).unwrap_or_default();
    format!("[[consensus.peers]]\nname = \"{name}\"\naddress = \"{address}\"\n{key}\n")
}

/// The file with one peer more, before the section that follows the peers.
fn with_peer(text: &str, peer: &str) -> String {
    text.replacen("[gateways]\n", &format!("{peer}[gateways]\n"), 1)
}

/// The file in which a peer has another name, and a key that the genesis document does not have.
fn renamed_peer(text: &str, name: &str, again: &str, public_key: &str) -> String {
    let from = format!("name = \"{name}\"\n");
    text.replace(&from, &format!("name = \"{again}\"\npublic_key = \"{public_key}\"\n"))
}
