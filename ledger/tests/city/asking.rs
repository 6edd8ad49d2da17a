//! Instructions that the tests ask for, and the one way in which a refusal is checked.

use super::{City, account, instruction_with, key, operator};
use devices::identity::SigningKey;
use devices::possession::Possession;
use ledger::account::AccountId;
use ledger::evidence::{Evidence, SignedVote};
use ledger::instruction::{Instruction, InstructionRefusal as Why};
use ledger::merkle::Hash;
use ledger::note::VerifierKey;
use ledger::registry::Position;
use ledger::transaction::Refused;
use ledger::vote::{VoteKind, vote_bytes};

/// The approval that a validator joins.
pub fn add_validator(version: u64, name: &str, key: &SigningKey) -> Instruction {
    Instruction::AddValidator { version, validator: VerifierKey::new(name, key.public_key()).unwrap() }
}

/// The approval that a validator leaves.
pub fn remove_validator(version: u64, name: &str) -> Instruction {
    Instruction::RemoveValidator { version, name: name.to_owned() }
}

pub fn report(evidence: Evidence) -> Instruction {
    Instruction::ReportMisbehaviour { evidence: Box::new(evidence) }
}

/// Evidence that the key prevoted for a block and for none.
pub fn two_prevotes(key: &SigningKey, genesis_hash: &Hash, height: u64, round: u32) -> Evidence {
    let vote = |value| {
        let message = vote_bytes(genesis_hash, VoteKind::Prevote, height, round, value);
        SignedVote { value, signature: key.sign(&message) }
    };
    let (validator, kind) = (key.public_key(), VoteKind::Prevote);
    Evidence::Votes { validator, kind, height, round, first: vote(None), second: vote(Some([5; 32])) }
}

/// A street in Aberdeen.
pub const STREET: Position =
    Position { latitude_microdegrees: 57_149_700, longitude_microdegrees: -2_094_300 };

pub fn at(latitude_microdegrees: i32, longitude_microdegrees: i32) -> Position {
    Position { latitude_microdegrees, longitude_microdegrees }
}

pub fn transfer(to: AccountId, amount_microtokens: u64) -> Instruction {
    Instruction::Transfer { to, amount_microtokens, memo: None }
}

pub fn issue(to: AccountId, amount_microtokens: u64) -> Instruction {
    Instruction::Issue { to, amount_microtokens }
}

pub fn enrol(device: &SigningKey, owner: Option<AccountId>, position: Option<Position>) -> Instruction {
    Instruction::Enrol { public_key: device.public_key(), owner, position }
}

/// A claim as the device and its claimant would make it.
pub fn claim(device: &SigningKey, claimant: &SigningKey, position: Position) -> Instruction {
    let possession = Possession::Claim { account: *account(claimant).as_bytes() };
    let proof = possession.sign(device, "devnet").unwrap();
    Instruction::Claim { kid: device.kid(), position, proof }
}

pub fn offer(device: &SigningKey, to: Option<&SigningKey>) -> Instruction {
    Instruction::TransferDevice { kid: device.kid(), to: to.map(account) }
}

pub fn accept(device: &SigningKey) -> Instruction {
    Instruction::AcceptDevice { kid: device.kid() }
}

/// A rotation as the new key and the signer would make it.
pub fn rotate(old: &SigningKey, new: &SigningKey, signer: &SigningKey) -> Instruction {
    let possession = Possession::Rotation { replaced: old.kid(), account: *account(signer).as_bytes() };
    let proof = possession.sign(new, "devnet").unwrap();
    Instruction::RotateKey { kid: old.kid(), new_key: new.public_key(), proof }
}

pub fn revoke(device: &SigningKey, why: &str) -> Instruction {
    Instruction::RevokeDevice { kid: device.kid(), why: why.to_owned() }
}

pub fn correct(entry_index: u64, from: AccountId, to: AccountId, amount: u64, why: &str) -> Instruction {
    Instruction::Correct { entry_index, from, to, amount_microtokens: amount, why: why.to_owned() }
}

/// Executes one payload with this counter and expects it to be refused without a trace.
pub fn refused(city: &mut City, signer: &SigningKey, counter: u64, payload: &[u8], with_key: bool) -> Why {
    let before = city.state.clone();
    let transaction = instruction_with(signer, counter, payload, with_key);
    let mut builder = city.state.begin(before.time_unix_milliseconds());
    let Err(Refused::Instruction(why)) = builder.execute(&transaction) else { panic!("must be refused") };
    assert_eq!(builder.state(), &before, "{why}: a refused instruction leaves no trace");
    assert!(builder.is_empty());
    drop(builder);
    assert_eq!(city.state, before);
    why
}

/// A ladder: each rung is as wrong as can be, but for what the rungs before it were refused for. So the reasons that
/// come must be in order of precedence; those that every instruction shares come before them, whatever else is wrong.
pub fn ladder(city: &mut City, rungs: &[(&str, SigningKey, Instruction, Why)]) {
    let (_, _, worst, first) = rungs.first().expect("a ladder has rungs");
    let payload = worst.encode();
    let mut longer = payload.clone();
    longer[0] += 1;
    longer.push(0);
    let stranger = key(250);
    assert_eq!(refused(city, &stranger, 0, &longer, false), Why::Malformed);
    assert_eq!(refused(city, &stranger, 0, &payload, false), Why::UnknownAccount);
    assert_eq!(refused(city, &operator(), 0, &payload, false), Why::StaleCounter);
    let mut last = *first;
    assert!(last > Why::StaleCounter);
    for (case, signer, instruction, why) in rungs {
        assert_eq!(Instruction::decode(&instruction.encode()).as_ref(), Ok(instruction), "{case}");
        assert_eq!(refused(city, signer, 1_000_000, &instruction.encode(), true), *why, "{case}");
        assert!(last <= *why, "{case}: {why:?} stands after {last:?}");
        last = *why;
    }
}

impl City {
    /// Carries one instruction out in a block of its own, at the last block's time.
    pub fn carry_out(&mut self, signer: &SigningKey, instruction: &Instruction) -> u64 {
        let time = self.state.time_unix_milliseconds();
        self.carry_out_at(time, signer, instruction)
    }

    /// The same at a time; gives the entry's index.
    pub fn carry_out_at(&mut self, time: u64, signer: &SigningKey, instruction: &Instruction) -> u64 {
        let transaction = self.instruct(signer, instruction);
        let outcome = self.one(time, &transaction);
        outcome.unwrap_or_else(|why| panic!("{}: {why}", instruction.name())).index()
    }
}
