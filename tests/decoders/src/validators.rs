//! What several validators sign, and how they change: what verifies is what was signed, and one value has one encoding.

use crate::example::{NETWORK, example, key};
use devices::{SignedInstruction, sign_instruction};
use ledger::certificate::Certificate;
use ledger::checkpoint::Checkpoint;
use ledger::evidence::{Evidence, SignedProposal, SignedRoot, SignedVote};
use ledger::genesis::{Genesis, Validator};
use ledger::handovers::Handovers;
use ledger::instruction::Instruction;
use ledger::merkle::Hash;
use ledger::note::VerifierKey;
use ledger::state::State;
use ledger::transaction::VerifiedTransaction;
use ledger::validators::Validators;
use ledger::vote::{VoteKind, proposal_bytes, vote_bytes};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

const HEIGHT: u64 = 9;
const ROUND: u32 = 1;
const BLOCK: Hash = [7; 32];
/// Who contradicts itself.
const CULPRIT: u8 = 3;

/// A network of four validators whose fourth left and was followed by another, and in which one more change is approved.
struct Several {
    genesis: Genesis,
    state: State,
}

fn several() -> &'static Several {
    static SEVERAL: OnceLock<Several> = OnceLock::new();
    SEVERAL.get_or_init(|| {
        let validator = |seed| {
            let vkey =
                VerifierKey::new(&format!("validator-{seed}"), key(seed).public_key()).expect("a name");
            Validator { name: vkey.name().to_owned(), vkey: vkey.to_string() }
        };
        let genesis = Genesis { validators: (1..=4).map(validator).collect(), ..example().genesis.clone() };
        let (mut state, ..) = State::genesis(&genesis);
        let leave = Instruction::RemoveValidator { version: 0, name: "validator-4".to_owned() };
        approve(&mut state, 0, &[1, 2, 3], &leave);
        let harbour = VerifierKey::new("harbour", key(9).public_key()).expect("a name");
        approve(&mut state, 1, &[3, 2, 1], &Instruction::AddValidator { version: 1, validator: harbour });
        let leave = Instruction::RemoveValidator { version: 2, name: "validator-1".to_owned() };
        approve(&mut state, 2, &[2, 9], &leave);
        let evidence = Box::new(votes(&genesis.hash()));
        approve(&mut state, 2, &[1], &Instruction::ReportMisbehaviour { evidence });
        Several { genesis, state }
    })
}

/// Has these validators sign an instruction in an epoch of their own.
fn approve(state: &mut State, epoch: u64, signers: &[u8], instruction: &Instruction) {
    let time = example().genesis.time_unix_milliseconds + epoch * 60_000;
    // What was agreed on before takes effect behind the block that ends its epoch.
    drop(state.begin(time).finish());
    let mut builder = state.begin(time);
    for (counter, signer) in (epoch * 10 + 1..).zip(signers) {
        let key = key(*signer);
        let mut bytes = vec![0; 4_096];
        let length = sign_instruction(&key, NETWORK, counter, &instruction.encode(), true, &mut bytes);
        bytes.truncate(length.expect("the instruction is short"));
        let signed = SignedInstruction::decode(bytes).expect("what was signed can be read");
        let signed = signed.verify(&key.public_key(), NETWORK).expect("it is signed");
        builder.execute(&VerifiedTransaction::Instruction(signed)).expect("it is carried out");
    }
    drop(builder.finish());
}

fn votes(genesis_hash: &Hash) -> Evidence {
    let vote = |value| {
        let message = vote_bytes(genesis_hash, VoteKind::Prevote, HEIGHT, ROUND, value);
        SignedVote { value, signature: key(CULPRIT).sign(&message) }
    };
    Evidence::Votes {
        validator: key(CULPRIT).public_key(),
        kind: VoteKind::Prevote,
        height: HEIGHT,
        round: ROUND,
        first: vote(Some(BLOCK)),
        second: vote(None),
    }
}

pub(crate) fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::decode(bytes) else { return };
    assert_eq!(certificate.encode(), bytes, "a certificate has one encoding");
    let genesis = &several().genesis;
    if certificate.verify(&genesis.hash(), &Validators::of_genesis(genesis)).is_ok() {
        let decided = (certificate.height, certificate.round, certificate.block_id);
        assert_eq!(decided, (HEIGHT, ROUND, BLOCK), "nobody signed this");
    }
}

pub(crate) fn certificates() -> Vec<Vec<u8>> {
    let genesis_hash = several().genesis.hash();
    let message = vote_bytes(&genesis_hash, VoteKind::Precommit, HEIGHT, ROUND, Some(BLOCK));
    let signed = |seed: &u8| (key(*seed).public_key(), key(*seed).sign(&message));
    let of = |signers: &[u8]| {
        let signatures = signers.iter().map(signed).collect();
        Certificate { height: HEIGHT, round: ROUND, block_id: BLOCK, signatures }.encode()
    };
    vec![of(&[1, 2, 3]), of(&[1, 2, 3, 4]), of(&[2])]
}

pub(crate) fn evidence(bytes: &[u8]) {
    let Ok(evidence) = Evidence::decode(bytes) else { return };
    assert_eq!(evidence.encode(), bytes, "evidence has one encoding");
    let genesis = &several().genesis;
    if let Ok(culprit) = evidence.verify(&genesis.hash(), &genesis.origin) {
        assert_eq!(culprit, key(CULPRIT).public_key(), "an honest validator is accused");
    }
}

pub(crate) fn evidences() -> Vec<Vec<u8>> {
    let genesis = &several().genesis;
    let (hash, culprit) = (genesis.hash(), key(CULPRIT));
    let proposal = |pol_round| {
        let signature = culprit.sign(&proposal_bytes(&hash, HEIGHT, ROUND, &BLOCK, pol_round));
        SignedProposal { value: BLOCK, pol_round, signature }
    };
    let root = |root| {
        let checkpoint = Checkpoint { origin: genesis.origin.clone(), size: 40, root };
        SignedRoot { root, signature: culprit.sign(checkpoint.body().as_bytes()) }
    };
    let validator = culprit.public_key();
    let proposals = Evidence::Proposals {
        validator,
        height: HEIGHT,
        round: ROUND,
        first: proposal(None),
        second: proposal(Some(0)),
    };
    let checkpoints =
        Evidence::Checkpoints { validator, size: 40, first: root([1; 32]), second: root([2; 32]) };
    let all = [votes(&hash), proposals, checkpoints];
    // An unaltered one must hold, or its alterations would claim nothing.
    for evidence in &all {
        assert_eq!(evidence.verify(&hash, &genesis.origin), Ok(validator));
    }
    all.iter().map(Evidence::encode).collect()
}

pub(crate) fn validators(bytes: &[u8]) {
    let genesis = &several().genesis;
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(handovers) = Handovers::parse(text, genesis)
    {
        assert_eq!(handovers.to_string(), text, "the document has one spelling");
        let own = several().state.handovers().version(handovers.present().version());
        assert_eq!(own, Some(handovers.present()), "validators whom nobody agreed on");
    }
    let whole = [bytes, &Sha256::digest(bytes)[..]].concat();
    if let Ok(state) = State::restore(genesis, &whole) {
        assert_eq!(state.snapshot(), whole, "a state has one snapshot");
        let own = several().state.handovers().version(state.validators().version());
        assert_eq!(own, Some(state.validators()), "validators whom nobody agreed on");
    }
}

/// The document, and a snapshot before its hash.
pub(crate) fn documents() -> Vec<Vec<u8>> {
    let Several { genesis, state } = several();
    let snapshot = state.snapshot();
    let of_genesis = Handovers::of_genesis(genesis).to_string();
    let documents = vec![
        of_genesis.into_bytes(),
        state.handovers().to_string().into_bytes(),
        snapshot[..snapshot.len() - 32].to_vec(),
    ];
    assert!(State::restore(genesis, &snapshot).is_ok());
    documents
}
