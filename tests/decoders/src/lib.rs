//! Every decoder of the product, each behind one function that takes any bytes and asserts what must hold of them.
//!
//! The same functions serve twice: the property tests of this crate feed them altered copies of valid inputs, bounded
//! and from a seed, in every test run; the targets under `fuzz/` hand them what libFuzzer finds. What is claimed is
//! always the same: no bytes make a decoder panic, one value has one encoding (what decodes, encodes to the same
//! bytes), and what verifies is what was signed.

mod entries;
mod envelopes;
pub mod example;
mod link;
mod log;
mod memory;
pub mod mutator;
mod proofs;
mod streams;
mod validators;

/// One decoder under its claim.
#[derive(Debug, Clone, Copy)]
pub struct EntryPoint {
    /// Its name: that of the fuzz target.
    pub name: &'static str,
    /// What is claimed, in a few words.
    pub claim: &'static str,
    /// Takes any bytes; panics where the claim does not hold.
    pub run: fn(&[u8]),
    /// Valid inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const ALL: &[EntryPoint] = &[
    EntryPoint {
        name: "envelope",
        claim: "an envelope that decodes is its only encoding; the signature holds for what was signed alone",
        run: envelopes::envelope,
        seeds: envelopes::envelopes,
    },
    EntryPoint {
        name: "instruction",
        claim: "a signed instruction that decodes is its only encoding",
        run: envelopes::instruction,
        seeds: envelopes::instructions,
    },
    EntryPoint {
        name: "pack",
        claim: "a SenML pack that decodes encodes to the same bytes",
        run: envelopes::pack,
        seeds: envelopes::packs,
    },
    EntryPoint {
        name: "cbor",
        claim: "a CBOR item that is read is deterministic: written again it is the same bytes",
        run: envelopes::cbor,
        seeds: envelopes::items,
    },
    EntryPoint {
        name: "notice",
        claim: "acks and notices of refusal have one encoding",
        run: envelopes::notice,
        seeds: envelopes::notices,
    },
    EntryPoint {
        name: "identity_page",
        claim: "an identity page that decodes encodes to the same page",
        run: envelopes::identity_page,
        seeds: envelopes::identity_pages,
    },
    EntryPoint {
        name: "manifest",
        claim: "a firmware's manifest that decodes can be signed, and is verified as what it claims",
        run: envelopes::manifest,
        seeds: envelopes::manifests,
    },
    EntryPoint {
        name: "topic",
        claim: "a topic that is read is written the same",
        run: envelopes::topic,
        seeds: envelopes::topics,
    },
    EntryPoint {
        name: "payload",
        claim: "an instruction's payload that decodes encodes to the same bytes",
        run: entries::payload,
        seeds: entries::payloads,
    },
    EntryPoint {
        name: "entry",
        claim: "an entry is a reading, an instruction or a seal, and a seal has one encoding",
        run: entries::entry,
        seeds: entries::entries,
    },
    EntryPoint {
        name: "statement",
        claim: "statements, outcomes and transfers have one encoding",
        run: entries::result,
        seeds: entries::results,
    },
    EntryPoint {
        name: "leaf",
        claim: "a leaf of the state is read or refused",
        run: entries::leaf,
        seeds: entries::leaves,
    },
    EntryPoint {
        name: "snapshot",
        claim: "a snapshot whose hash fits is the state's only one, or refused",
        run: entries::snapshot,
        seeds: entries::snapshots,
    },
    EntryPoint {
        name: "genesis",
        claim: "genesis documents and tariffs survive their JSON, and what is valid can begin a ledger",
        run: entries::genesis,
        seeds: entries::documents,
    },
    EntryPoint {
        name: "proof",
        claim: "a receipt, balance or consistency proof that holds proves what stands in the log",
        run: proofs::proof,
        seeds: proofs::proofs,
    },
    EntryPoint {
        name: "checkpoint",
        claim: "signed notes, checkpoints and verifier keys are written as they were read",
        run: proofs::checkpoint,
        seeds: proofs::checkpoints,
    },
    EntryPoint {
        name: "name",
        claim: "tile paths, account ids and amounts are written as they were read",
        run: proofs::name,
        seeds: proofs::names,
    },
    EntryPoint {
        name: "certificate",
        claim: "a certificate that decodes is its only encoding, and holds for the block that was decided alone",
        run: validators::certificate,
        seeds: validators::certificates,
    },
    EntryPoint {
        name: "evidence",
        claim: "evidence that decodes is its only encoding, and convicts nobody but who contradicted itself",
        run: validators::evidence,
        seeds: validators::evidences,
    },
    EntryPoint {
        name: "validators",
        claim: "a document or a snapshot that holds names no validators but those who were agreed on",
        run: validators::validators,
        seeds: validators::documents,
    },
    EntryPoint {
        name: "link",
        claim: "what gateways and validators say has one encoding, and a batch that holds is one that was signed",
        run: link::link,
        seeds: link::messages,
    },
    EntryPoint {
        name: "broker_rules",
        claim: "a client's stream is judged alike however it is cut, and nothing passes to a topic that is not its own",
        run: streams::broker_rules,
        seeds: streams::streams,
    },
    EntryPoint {
        name: "log",
        claim: "recovery of a damaged log cuts a torn tail or refuses, accepts no altered block, and work goes on",
        run: log::log,
        seeds: log::segments,
    },
    EntryPoint {
        name: "block",
        claim: "a block altered on purpose is refused, or leads to another root than the signed one",
        run: log::block,
        seeds: log::payloads,
    },
];

/// The entry point of that name.
///
/// # Panics
/// Where there is none.
pub fn named(name: &str) -> &'static EntryPoint {
    ALL.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("there is no entry point `{name}`"))
}

/// Hands `bytes` to the entry point of that name: what a fuzz target does with its input.
///
/// # Panics
/// Where there is none, or where its claim does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    (named(name).run)(bytes);
}
