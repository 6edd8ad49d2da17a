//! What a document that holds says, for programs: the same JSON from the command line and in the browser.

use crate::account::Account;
use crate::block::Entry;
use crate::checkpoint::SignedCheckpoint;
use crate::consistency::VerifiedConsistency;
use crate::document::Verified;
use crate::genesis::{Genesis, Validator};
use crate::note::VerifierKey;
use crate::receipt::VerifiedReceipt;
use crate::registry::Device;
use crate::state_leaf::{NetworkLeaf, StateLeaf};
use crate::state_proof::VerifiedState;
use crate::succession::Misbehaviour;
use crate::tariff::Tariff;
use crate::token::Tokens;
use crate::validators_leaf::ValidatorsLeaf;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use devices::cose::TransactionId;
use devices::senml::{ResolvedRecord, Value};
use serde::Serialize;
use serde_json::value::RawValue;

/// What was proven; `document` tells the kind.
#[derive(Debug, Serialize)]
#[serde(tag = "document", rename_all = "snake_case")]
pub enum Proven {
    /// An entry stands in the log.
    Receipt(ProvenEntry),
    /// A leaf stood in the state at an epoch's end.
    State(Box<ProvenLeaf>),
    /// A log only grew.
    Consistency(ProvenGrowth),
}

/// An entry and its place.
#[derive(Debug, Serialize)]
pub struct ProvenEntry {
    /// `reading`, `instruction` or `seal`; `unknown` when this program cannot read it.
    pub kind: &'static str,
    /// The transaction's id; of a seal, SHA-256 of its bytes.
    pub id: String,
    /// Its place in the log.
    pub index: u64,
    /// Entries of the checkpoint's tree.
    pub log_size: u64,
    /// The checkpoint's origin.
    pub origin: String,
    /// Whose signatures hold.
    pub signers: Vec<String>,
    /// Who signed the transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// A reading's boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<u32>,
    /// A reading's count within the boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// An instruction's counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<u64>,
    /// A seal's block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// A reading's records, resolved (RFC 8428 section 4.6).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub senml: Vec<ProvenRecord>,
}

/// One SenML record (RFC 8428 section 5), its number exactly as it was signed.
#[derive(Debug, Serialize)]
pub struct ProvenRecord {
    /// The full name.
    pub n: String,
    /// The unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub u: Option<String>,
    /// Unix seconds; relative where the device has no clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t: Option<i64>,
    /// The number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v: Option<Box<RawValue>>,
    /// The yes or no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vb: Option<bool>,
}

/// A leaf of the state and the seal that commits to it.
#[derive(Debug, Serialize)]
pub struct ProvenLeaf {
    /// What the leaf says; `kind` tells which.
    pub leaf: LeafSaid,
    /// Its place among the leaves.
    pub leaf_index: u64,
    /// The block after which the state was this.
    pub height: u64,
    /// That block's time, Unix milliseconds.
    pub time_unix_milliseconds: u64,
    /// First and last epoch that this block settled.
    pub settled_epochs: Option<(u64, u64)>,
    /// The seal's place in the log.
    pub seal_index: u64,
    /// Entries of the checkpoint's tree.
    pub log_size: u64,
    /// The checkpoint's origin.
    pub origin: String,
    /// Whose signatures hold.
    pub signers: Vec<String>,
}

/// An amount: micro-tokens beside tokens, both in strings.
#[derive(Debug, Serialize)]
pub struct ProvenAmount {
    /// Micro-tokens.
    pub microtokens: String,
    /// The same in tokens, with six places.
    pub tokens: String,
}

/// That a validator contradicted itself.
#[derive(Debug, Serialize)]
pub struct ProvenMisbehaviour {
    /// The key that signed both statements, in hex.
    pub public_key: String,
    /// `prevotes`, `precommits`, `proposals` or `checkpoints`.
    pub kind: &'static str,
    /// The height; of checkpoints the log's size.
    pub height: u64,
    /// The round; 0 of checkpoints.
    pub round: u32,
    /// The log entry with the evidence.
    pub entry_index: u64,
}

/// What a leaf says.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LeafSaid {
    /// The network as a whole.
    Network {
        /// SHA-256 of the genesis document.
        genesis_hash: String,
        /// The epoch that ran after the block.
        epoch: u64,
        /// Version of the price list in force.
        tariff_version: u32,
    },
    /// Who decides.
    Validators {
        /// How many changes there were.
        version: u64,
        /// Their names and keys.
        validators: Vec<Validator>,
        /// The change that takes effect when the epoch ends.
        scheduled: Option<String>,
        /// Whose contradictions were shown.
        misbehaviours: Vec<ProvenMisbehaviour>,
    },
    /// A version of the price list.
    Tariff {
        /// The first epoch that is settled by it.
        from_epoch: u64,
        /// The price list.
        tariff: Tariff,
    },
    /// What an account held.
    Account {
        /// The account.
        account: String,
        /// Credits less debits; of the supply account, what it has issued.
        balance: ProvenAmount,
        /// Sum of everything that came in, micro-tokens.
        credits_posted_microtokens: String,
        /// Sum of everything that went out, micro-tokens.
        debits_posted_microtokens: String,
        /// Rewards it was paid, less what corrections took back, micro-tokens.
        rewards_microtokens: String,
        /// Counter of its last instruction.
        counter: u64,
    },
    /// What was known of a device.
    Device {
        /// The device.
        kid: String,
        /// Its key, in hex.
        public_key: String,
        /// Who is paid for what it reads.
        owner: Option<String>,
        /// Who may accept it.
        offered_to: Option<String>,
        /// Degrees north and east.
        position: Option<String>,
        /// Whether its readings were refused for good.
        revoked: bool,
        /// Envelopes accepted ever.
        accepted_envelopes: u64,
        /// Records accepted ever.
        accepted_records: u64,
        /// Everything it was paid.
        earned: ProvenAmount,
    },
}

/// Two sizes of one log.
#[derive(Debug, Serialize)]
pub struct ProvenGrowth {
    /// The checkpoints' origin.
    pub origin: String,
    /// The earlier tree.
    pub earlier: ProvenCheckpoint,
    /// The later tree.
    pub later: ProvenCheckpoint,
}

/// One signed checkpoint.
#[derive(Debug, Serialize)]
pub struct ProvenCheckpoint {
    /// Number of entries.
    pub log_size: u64,
    /// The root, in hex.
    pub root: String,
    /// Whose signatures hold.
    pub signers: Vec<String>,
}

impl Proven {
    /// What a verified document says.
    #[must_use]
    pub fn of(verified: &Verified, genesis: &Genesis) -> Self {
        match verified {
            Verified::Receipt(receipt) => Self::Receipt(entry(receipt, genesis)),
            Verified::State(state) => Self::State(Box::new(leaf(state))),
            Verified::Consistency(growth) => Self::Consistency(grown(growth)),
        }
    }

    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and integers always serialise")
    }
}

fn entry(receipt: &VerifiedReceipt, genesis: &Genesis) -> ProvenEntry {
    let mut said = ProvenEntry {
        kind: "unknown",
        id: String::new(),
        index: receipt.index(),
        log_size: receipt.checkpoint().size,
        origin: receipt.checkpoint().origin.clone(),
        signers: receipt.signers().to_vec(),
        kid: None,
        boot: None,
        count: None,
        counter: None,
        height: None,
        senml: Vec::new(),
    };
    match Entry::decode(receipt.entry()) {
        Some(Entry::Seal(seal)) => {
            said.kind = "seal";
            said.id = TransactionId(seal.id()).to_string();
            said.height = Some(seal.height);
        }
        Some(Entry::Reading(reading)) => {
            said.kind = "reading";
            said.id = reading.transaction_id(&genesis.network).to_string();
            said.kid = Some(reading.kid().to_string());
            said.boot = Some(reading.sequence().boot);
            said.count = Some(reading.sequence().count);
            said.senml = reading.pack().resolved().map(record).collect();
        }
        Some(Entry::Instruction(instruction)) => {
            said.kind = "instruction";
            said.id = instruction.transaction_id(&genesis.network).to_string();
            said.kid = Some(instruction.kid().to_string());
            said.counter = Some(instruction.counter());
        }
        None => {}
    }
    said
}

fn record(record: ResolvedRecord<'_>) -> ProvenRecord {
    let (v, vb) = match record.value {
        // A decimal reads as a JSON number; written raw, it is never a float on its way out.
        Value::Number(number) => (RawValue::from_string(number.to_string()).ok(), None),
        Value::Boolean(boolean) => (None, Some(boolean)),
    };
    let offset = Some(i64::from(record.time_offset_seconds)).filter(|offset| *offset != 0);
    ProvenRecord {
        n: [record.base_name, record.name].concat(),
        u: record.unit.map(ToString::to_string),
        t: record.time_unix_seconds.or(offset),
        v,
        vb,
    }
}

fn leaf(state: &VerifiedState) -> ProvenLeaf {
    ProvenLeaf {
        leaf: match state.leaf() {
            StateLeaf::Network(network) => network_said(network),
            StateLeaf::Validators(validators) => validators_said(validators),
            StateLeaf::Tariff(version) => {
                LeafSaid::Tariff { from_epoch: version.from_epoch, tariff: version.tariff.clone() }
            }
            StateLeaf::Account(id, account) => account_said(id.to_string(), account),
            StateLeaf::Device(kid, device) => device_said(kid.to_string(), device),
        },
        leaf_index: state.index(),
        height: state.seal().height,
        time_unix_milliseconds: state.seal().time_unix_milliseconds,
        settled_epochs: state.seal().settled_epochs,
        seal_index: state.seal_index(),
        log_size: state.checkpoint().size,
        origin: state.checkpoint().origin.clone(),
        signers: state.signers().to_vec(),
    }
}

fn network_said(network: &NetworkLeaf) -> LeafSaid {
    LeafSaid::Network {
        genesis_hash: hex::encode(network.genesis_hash),
        epoch: network.epoch,
        tariff_version: network.tariff_version,
    }
}

fn validators_said(leaf: &ValidatorsLeaf) -> LeafSaid {
    let validator = |key: &VerifierKey| Validator { name: key.name().to_string(), vkey: key.to_string() };
    let misbehaviour = |shown: &Misbehaviour| ProvenMisbehaviour {
        public_key: shown.validator.to_string(),
        kind: shown.kind.as_str(),
        height: shown.height,
        round: shown.round,
        entry_index: shown.entry_index,
    };
    LeafSaid::Validators {
        version: leaf.validators.version(),
        validators: leaf.validators.keys().iter().map(validator).collect(),
        scheduled: leaf.scheduled.as_ref().map(|(_, change)| change.to_string()),
        misbehaviours: leaf.misbehaviours.iter().map(misbehaviour).collect(),
    }
}

fn account_said(account: String, holding: &Account) -> LeafSaid {
    LeafSaid::Account {
        account,
        // The supply account alone gives more than it gets: what it has issued.
        balance: amount(holding.credits_posted.abs_diff(holding.debits_posted)),
        credits_posted_microtokens: holding.credits_posted.to_string(),
        debits_posted_microtokens: holding.debits_posted.to_string(),
        rewards_microtokens: holding.rewards_microtokens.to_string(),
        counter: holding.counter,
    }
}

fn device_said(kid: String, device: &Device) -> LeafSaid {
    LeafSaid::Device {
        kid,
        public_key: device.public_key.to_string(),
        owner: device.owner().map(|owner| owner.to_string()),
        offered_to: device.offered_to().map(|account| account.to_string()),
        position: device.position.map(|position| position.to_string()),
        revoked: device.is_retired(),
        accepted_envelopes: device.accepted_envelopes,
        accepted_records: device.accepted_records,
        earned: amount(device.earned_microtokens.into()),
    }
}

fn amount(microtokens: u128) -> ProvenAmount {
    // Amounts are u64; sums that are wider exist only before one is taken from the other.
    let microtokens = u64::try_from(microtokens).unwrap_or(u64::MAX);
    ProvenAmount { microtokens: microtokens.to_string(), tokens: Tokens(microtokens).to_string() }
}

fn grown(growth: &VerifiedConsistency) -> ProvenGrowth {
    let checkpoint = |signed: &SignedCheckpoint| ProvenCheckpoint {
        log_size: signed.checkpoint().size,
        root: hex::encode(signed.checkpoint().root),
        signers: signed.signers().to_vec(),
    };
    ProvenGrowth {
        origin: growth.later().checkpoint().origin.clone(),
        earlier: checkpoint(growth.earlier()),
        later: checkpoint(growth.later()),
    }
}
