//! Decoders of the ledger meet anything: they refuse, and never crash.

use devices::{Decimal, DeviceId};
use ledger::account::AccountId;
use ledger::block::{Entry, Seal, StateRoot};
use ledger::evidence::{Evidence, SignedProposal, SignedRoot, SignedVote};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::note::{Note, VerifierKey};
use ledger::receipt::Receipt;
use ledger::registry::Position;
use ledger::statement::Statement;
use ledger::tariff::Tariff;
use ledger::tiles::TilePath;
use ledger::token::Tokens;
use ledger::transaction::Outcome;
use ledger::transfer::TransferRecord;
use ledger::vote::VoteKind;
use proptest::prelude::*;

fn key(seed: u8) -> devices::identity::PublicKey {
    devices::identity::SigningKey::from_seed([seed; 32]).public_key()
}

fn id() -> impl Strategy<Value = AccountId> {
    any::<[u8; 32]>().prop_map(AccountId::from_bytes)
}

fn kid() -> impl Strategy<Value = DeviceId> {
    any::<[u8; 8]>().prop_map(DeviceId)
}

fn position() -> impl Strategy<Value = Position> {
    any::<(i32, i32)>().prop_map(|(latitude_microdegrees, longitude_microdegrees)| Position {
        latitude_microdegrees,
        longitude_microdegrees,
    })
}

fn proof() -> impl Strategy<Value = [u8; 64]> {
    any::<([u8; 32], [u8; 32])>().prop_map(|(first, second)| {
        let mut proof = [0; 64];
        proof[..32].copy_from_slice(&first);
        proof[32..].copy_from_slice(&second);
        proof
    })
}

fn tariff() -> impl Strategy<Value = Tariff> {
    (any::<(u32, u64, u32)>(), 0_usize..6, -9_999_i32..9_999, 0_i8..5).prop_map(
        |((version, price, paid), quantities, number, digits)| {
            let mut tariff = Tariff { version, cell_budget_microtokens: price, ..Tariff::default() };
            tariff.quantities.truncate(quantities);
            for quantity in &mut tariff.quantities {
                (quantity.price_microtokens, quantity.paid_records_max) = (price, paid);
                quantity.minimum = Decimal::new(number.into(), -digits).expect("a decimal");
            }
            tariff
        },
    )
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let vote = || {
        let vote = (proptest::option::of(any::<[u8; 32]>()), proof());
        vote.prop_map(|(value, signature)| SignedVote { value, signature })
    };
    let proposal = || {
        let proposal = (any::<[u8; 32]>(), proptest::option::of(any::<u32>()), proof());
        proposal.prop_map(|(value, pol_round, signature)| SignedProposal { value, pol_round, signature })
    };
    let root = || (any::<[u8; 32]>(), proof()).prop_map(|(root, signature)| SignedRoot { root, signature });
    let place = || (any::<u8>().prop_map(key), any::<u64>(), any::<u32>());
    let kind = prop_oneof![Just(VoteKind::Prevote), Just(VoteKind::Precommit)];
    let votes =
        (place(), kind, vote(), vote()).prop_map(|((validator, height, round), kind, first, second)| {
            Evidence::Votes { validator, kind, height, round, first, second }
        });
    let proposals =
        (place(), proposal(), proposal()).prop_map(|((validator, height, round), first, second)| {
            Evidence::Proposals { validator, height, round, first, second }
        });
    let checkpoints = (place(), root(), root()).prop_map(|((validator, size, _), first, second)| {
        Evidence::Checkpoints { validator, size, first, second }
    });
    prop_oneof![votes, proposals, checkpoints]
}

fn instruction() -> impl Strategy<Value = Instruction> {
    let words = || "[a-zä ]{0,60}";
    let enrol = (any::<u8>(), proptest::option::of(id()), proptest::option::of(position()))
        .prop_map(|(seed, owner, position)| Instruction::Enrol { public_key: key(seed), owner, position });
    let transfer = (id(), any::<u64>(), proptest::option::of(words()))
        .prop_map(|(to, amount_microtokens, memo)| Instruction::Transfer { to, amount_microtokens, memo });
    let issue = (id(), any::<u64>())
        .prop_map(|(to, amount_microtokens)| Instruction::Issue { to, amount_microtokens });
    let claim = (kid(), position(), proof()).prop_map(|(kid, position, proof)| Instruction::Claim {
        kid,
        position,
        proof,
    });
    let offer =
        (kid(), proptest::option::of(id())).prop_map(|(kid, to)| Instruction::TransferDevice { kid, to });
    let accept = kid().prop_map(|kid| Instruction::AcceptDevice { kid });
    let rotate = (kid(), any::<u8>(), proof()).prop_map(|(kid, seed, proof)| Instruction::RotateKey {
        kid,
        new_key: key(seed),
        proof,
    });
    let revoke = (kid(), words()).prop_map(|(kid, why)| Instruction::RevokeDevice { kid, why });
    let correct = (any::<(u64, u64)>(), id(), id(), words()).prop_map(
        |((entry_index, amount_microtokens), from, to, why)| Instruction::Correct {
            entry_index,
            from,
            to,
            amount_microtokens,
            why,
        },
    );
    let set_tariff = tariff().prop_map(|tariff| Instruction::SetTariff { tariff });
    let add = (any::<u64>(), "[a-z/.-]{1,128}", any::<u8>()).prop_map(|(version, name, seed)| {
        Instruction::AddValidator { version, validator: VerifierKey::new(&name, key(seed)).expect("a name") }
    });
    let remove = (any::<u64>(), "[a-z/.-]{1,128}")
        .prop_map(|(version, name)| Instruction::RemoveValidator { version, name });
    let report =
        evidence().prop_map(|evidence| Instruction::ReportMisbehaviour { evidence: Box::new(evidence) });
    let of_validators = prop_oneof![add, remove, report];
    prop_oneof![
        enrol,
        transfer,
        issue,
        claim,
        offer,
        accept,
        rotate,
        revoke,
        correct,
        set_tariff,
        of_validators
    ]
}

fn seal() -> impl Strategy<Value = Seal> {
    let numbers = any::<(u64, u64, u32, [u64; 8])>();
    let roots = any::<([u8; 32], [u8; 32], Option<(u64, [u8; 32])>)>();
    (numbers, roots, any::<Option<(u64, u64)>>()).prop_map(|(numbers, roots, settled_epochs)| Seal {
        height: numbers.0,
        time_unix_milliseconds: numbers.1,
        entries: numbers.2,
        refused: numbers.3,
        results_root: roots.0,
        log_root: roots.1,
        state_root: roots.2.map(|(leaves, hash)| StateRoot { leaves, hash }),
        settled_epochs,
    })
}

proptest! {
    #[test]
    fn instructions_survive_encoding(instruction in instruction()) {
        prop_assert_eq!(Instruction::decode(&instruction.encode()), Ok(instruction));
    }

    #[test]
    fn seals_survive_encoding_and_never_look_like_a_transaction(seal in seal()) {
        let bytes = seal.encode();
        prop_assert_ne!(bytes[0], 0xd2);
        prop_assert_eq!(Seal::decode(&bytes), Ok(seal));
    }

    #[test]
    fn one_value_has_one_encoding(instruction in instruction(), seal in seal(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut bytes = instruction.encode();
        let place = at.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        if let Ok(other) = Instruction::decode(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
        let mut bytes = seal.encode();
        let place = at.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        if let Ok(other) = Seal::decode(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn random_bytes_never_crash_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = (Instruction::decode(&bytes), Seal::decode(&bytes), Statement::decode(&bytes));
        let _ = (Outcome::decode(&bytes), TransferRecord::decode(&bytes), Entry::decode(&bytes));
    }

    #[test]
    fn random_text_never_crashes_a_parser(text in "(c2sp.org/tlog-proof@v1\n)?(extra |index )?[ -~\n\u{2014}]{0,200}") {
        let _ = (Receipt::parse(&text), Note::parse(&text), text.parse::<VerifierKey>());
        let _ = (TilePath::parse(&text), Genesis::from_json(&text), text.parse::<Tokens>());
    }

    #[test]
    fn amounts_survive_their_text(amount in any::<u64>()) {
        prop_assert_eq!(Tokens(amount).to_string().parse(), Ok(Tokens(amount)));
    }
}

#[test]
fn only_amounts_are_amounts() {
    let table = [("0", Some(0)), ("1.5", Some(1_500_000)), ("0.000001", Some(1)), ("007", Some(7_000_000))];
    for (text, expected) in table {
        assert_eq!(text.parse().ok(), expected.map(Tokens), "{text}");
    }
    for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "0.0000001", "18446744073709.551616", "1,5", " 1"] {
        assert!(text.parse::<Tokens>().is_err(), "{text}");
    }
    assert_eq!("18446744073709.551615".parse(), Ok(Tokens(u64::MAX)));
}
