//! The judge: whatever was done to a network, its nodes must tell one story, and it must hold what was promised.

use super::Network;
use super::load::Load;
use super::member::Member;
use crate::crash::entries::Entries;
use crate::program;
use crate::wait;
use ledger::checkpoint::Checkpoint;
use ledger::merkle;
use std::collections::BTreeMap;
use std::fmt;

/// Blocks that must follow after everything was healed.
const BLOCKS_AFTER: u64 = 3;

/// What came out of a scenario.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Envelopes and payments that were acknowledged.
    pub acknowledged: u64,
    /// The height up to which all nodes were compared.
    pub height: u64,
    /// Entries that were compared.
    pub entries: u64,
    /// Promised, and not on a node's ledger.
    pub lost: u64,
    /// On a node's ledger, in a statement or on an account more than once.
    pub paid_twice: u64,
    /// What does not fit together, a sentence each.
    pub contradictions: Vec<String>,
    /// What was measured on the way, for the reader; nothing is asserted of it.
    pub notes: Vec<String>,
}

impl Verdict {
    /// Whether nothing was lost, nothing paid twice and everything fits.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.paid_twice == 0 && self.contradictions.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { acknowledged, height, entries, lost, paid_twice, .. } = self;
        write!(
            out,
            "{acknowledged} acknowledged, {height} blocks and {entries} entries compared, {lost} lost, {paid_twice} paid twice"
        )?;
        self.notes.iter().try_for_each(|note| write!(out, "; {note}"))?;
        self.contradictions.iter().try_for_each(|sentence| write!(out, "\n  {sentence}"))
    }
}

/// Lets devices deliver what they have and an epoch end, compares all nodes with each other and with what was promised,
/// ends them and audits each.
///
/// # Panics
/// Where the network does not go on: then there is nothing to compare.
pub fn judge(mut network: Network, notes: Vec<String>) -> Verdict {
    network.all_run();
    network.goes_on(BLOCKS_AFTER);
    let mut load = network.load.take().expect("nobody drives the load any more");
    load.deliver_the_rest(&network.gateway.node().mqtt);
    network.an_epoch_ends_everywhere();
    let mut judge = Judge { load, verdict: Verdict { notes, ..Verdict::default() } };
    judge.verdict.acknowledged = judge.load.acknowledged();
    judge.verdict.contradictions.extend_from_slice(judge.load.complaints());
    let ledgers = judge.ledgers(&network);
    judge.accounts(&network, &ledgers);
    judge.checkpoints(&network, &ledgers);
    judge.receipts(&network);
    judge.audits(&mut network);
    judge.verdict
}

struct Judge {
    load: Load,
    verdict: Verdict,
}

impl Judge {
    /// One ledger: what all nodes have is the same, entry by entry, and what was promised stands in it once.
    fn ledgers(&mut self, network: &Network) -> Vec<Entries> {
        let mut read = Vec::new();
        let promised =
            network.members().map(|member| member.status()["log_size"].as_u64().unwrap_or_default());
        let size = promised.max().unwrap_or_default();
        for member in network.members() {
            let what = format!("{} has a checkpoint of all that was promised", member.name);
            let mut entries = Entries::default();
            wait::until_true(&what, wait::LONG, || {
                if let Err(sentence) = entries.read_on(member.node()) {
                    self.verdict.contradictions.push(format!("{}: {sentence}", member.name));
                    return true;
                }
                entries.size() >= size
            });
            let missing = self.load.promised().filter(|id| entries.places(id).is_empty()).count() as u64;
            if missing + entries.twice() > 0 {
                let sentence = format!("{} misses {missing} and has {} twice", member.name, entries.twice());
                self.verdict.contradictions.push(sentence);
            }
            self.verdict.lost += missing;
            self.verdict.paid_twice += entries.twice();
            read.push(entries);
        }
        self.one_story(network, &read);
        self.heights(network);
        read
    }

    fn one_story(&mut self, network: &Network, read: &[Entries]) {
        self.verdict.entries = read.iter().map(Entries::size).min().unwrap_or_default();
        for (member, theirs) in network.members().zip(read) {
            let mut pairs = read[0].leaves().iter().zip(theirs.leaves());
            if let Some(place) = pairs.position(|(one, another)| one != another) {
                let first = &network.validators[0].name;
                let sentence = format!("a fork: {first} and {} differ at entry {place}", member.name);
                self.verdict.contradictions.push(sentence);
            }
        }
    }

    /// One block a height: its seal is the same everywhere.
    fn heights(&mut self, network: &Network) {
        let common = network.members().map(Member::height).min().unwrap_or_default();
        self.verdict.height = common;
        // The entries are the same, seals among them, so a few heights tell whether heights are.
        for height in [1, common / 2, common] {
            let seal = |member: &Member| {
                let block = member.node().json(&format!("/api/v1/blocks/{height}"));
                (block["seal_transaction"].to_string(), member.name.clone())
            };
            let seals: BTreeMap<String, String> = network.members().map(seal).collect();
            if seals.len() != 1 {
                self.verdict.contradictions.push(format!("a fork at height {height}: {seals:?}"));
            }
        }
    }

    /// Every node says the same of every device and every account, and it is what was sent.
    fn accounts(&mut self, network: &Network, ledgers: &[Entries]) {
        for (member, entries) in network.members().zip(ledgers) {
            // Each payment is one micro-token.
            let there = self.load.payer().tried().filter(|payment| !entries.places(payment).is_empty());
            let (there, held) = (there.count() as u64, member.node().posted(self.load.payer().receiver()));
            self.verdict.paid_twice += held.saturating_sub(there);
            if there != held {
                let sentence = format!("{}: {there} payments, their receiver holds {held}", member.name);
                self.verdict.contradictions.push(sentence);
            }
            let compared = self.load.fleet().compare(member.node());
            self.verdict.paid_twice += compared.paid_twice;
            let sentences = compared.contradictions.into_iter();
            self.verdict
                .contradictions
                .extend(sentences.map(|sentence| format!("{}: {sentence}", member.name)));
        }
        let owners = self.load.fleet().members();
        let statements = owners.map(|(_, owner, _)| format!("/api/v1/accounts/{owner}/statements"));
        let receiver = format!("/api/v1/accounts/{}", self.load.payer().receiver());
        let paths: Vec<String> = statements.chain([receiver]).collect();
        paths.iter().for_each(|path| self.same_everywhere(network, path));
    }

    fn same_everywhere(&mut self, network: &Network, path: &str) {
        let answers = network.members().map(|member| member.node().json(path).to_string());
        let answers: Vec<String> = answers.collect();
        if answers.windows(2).any(|pair| pair[0] != pair[1]) {
            self.verdict
                .contradictions
                .push(format!("the nodes differ about {path}: {}", answers.join(" | ")));
        }
    }

    /// Every checkpoint is signed by a quorum, and its root is that of the entries, which are the same everywhere.
    fn checkpoints(&mut self, network: &Network, ledgers: &[Entries]) {
        let said = network.gateway.node().json("/api/v1/validators");
        let quorum = said["quorum"].as_u64().and_then(|quorum| usize::try_from(quorum).ok());
        let quorum = quorum.expect("the API says how many must agree");
        for (member, entries) in network.members().zip(ledgers) {
            // C2SP signed-note: the text, an empty line, and signatures that begin with an em dash each.
            let note = entries.note();
            let signatures = note.lines().filter(|line| line.starts_with("\u{2014} ")).count();
            let body = note.split("\n\n").next().map(|text| format!("{text}\n")).unwrap_or_default();
            let root = merkle::root_of(entries.leaves().iter().copied());
            let is_right = Checkpoint::parse(&body)
                .is_ok_and(|checkpoint| checkpoint.size == entries.size() && checkpoint.root == root);
            if signatures < quorum || !is_right {
                let sentence = format!("{}'s checkpoint is not right: {note}", member.name);
                self.verdict.contradictions.push(sentence);
            }
        }
    }

    /// Every node gives a receipt of the newest reading, and it holds against the genesis document.
    fn receipts(&mut self, network: &Network) {
        let Some(transaction) = self.load.fleet().acknowledged().last() else { return };
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        for member in network.members() {
            let receipt = member.node().text(&format!("/api/v1/transactions/{transaction}/receipt"));
            let file = directory.path().join(&member.name);
            std::fs::write(&file, receipt).expect("a receipt can be kept");
            let validators = directory.path().join("validators");
            std::fs::write(&validators, member.node().text("/validators")).expect("a document can be kept");
            let mut command = program::lamppost(&["verify", "--genesis"]);
            command.arg(network.genesis()).arg("--validators").arg(validators).arg(&file);
            let verified = program::Ended::of(&mut command);
            if verified.code != 0 {
                let sentence = format!("{}'s receipt: {}", member.name, verified.stderr.trim());
                self.verdict.contradictions.push(sentence);
            }
        }
    }

    /// Every node ends well, and its data hold against everything recomputed.
    fn audits(&mut self, network: &mut Network) {
        network.gateway.terminate();
        network.validators.iter_mut().for_each(Member::terminate);
        for member in network.members() {
            let audit = program::run(&["audit", "--data", member.data.to_str().expect("a path of text")]);
            if audit.code != 0 {
                self.verdict.contradictions.push(format!("{}: {}", member.name, audit.stderr.trim()));
            }
        }
    }
}
