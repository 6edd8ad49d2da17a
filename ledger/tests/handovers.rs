//! Whoever has the genesis document and the validators' changes knows whose signatures count, and believes nobody else's.

mod city;

use city::asking::{add_validator, remove_validator};
use city::{City, EPOCH, START, genesis_of, key};
use ledger::checkpoint::{Checkpoint, SignedCheckpoint, SignedCheckpointError};
use ledger::genesis::Genesis;
use ledger::handovers::{HandoverError, Handovers};
use ledger::instruction::Instruction;
use ledger::note::Note;
use proptest::prelude::*;

/// A network of four whose fourth left and was followed by one of another key.
fn changed() -> City {
    let mut city = City::with(genesis_of(4));
    for signer in [1, 2, 4] {
        city.carry_out(&key(signer), &remove_validator(0, "validator-4"));
    }
    city.block(START + EPOCH, &[]);
    for signer in [3, 1, 2] {
        city.carry_out(&key(signer), &add_validator(1, "harbour", &key(9)));
    }
    city.block(START + 2 * EPOCH, &[]);
    city
}

fn document(city: &City) -> String {
    city.state.handovers().to_string()
}

fn parse(city: &City, text: &str) -> Result<Handovers, HandoverError> {
    Handovers::parse(text, &city.genesis)
}

/// A checkpoint of the network's log at a size, signed by these.
fn signed(size: u64, signers: &[(&str, u8)]) -> Note {
    let checkpoint = Checkpoint { origin: "lamppost/devnet".to_owned(), size, root: [size as u8; 32] };
    let mut note = Note::unsigned(checkpoint.body());
    signers.iter().for_each(|(name, seed)| note.sign(name, &key(*seed)).unwrap());
    note
}

const BEFORE: [(&str, u8); 3] = [("validator-2", 2), ("validator-3", 3), ("validator-4", 4)];
const BETWEEN: [(&str, u8); 3] = [("validator-1", 1), ("validator-2", 2), ("validator-3", 3)];
const AFTER: [(&str, u8); 3] = [("validator-1", 1), ("validator-3", 3), ("harbour", 9)];

#[test]
fn the_document_tells_an_outsider_every_set_of_validators() {
    let city = changed();
    let read = parse(&city, &document(&city)).unwrap();
    assert_eq!(&read, city.state.handovers());
    assert_eq!(read.present(), city.state.validators());
    let names = |version| {
        let validators = read.version(version).unwrap();
        validators.keys().iter().map(|key| key.name().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(0), "validator-1 validator-2 validator-3 validator-4");
    assert_eq!(names(1), "validator-1 validator-2 validator-3");
    assert_eq!(names(2), "validator-1 validator-2 validator-3 harbour");
    assert_eq!(read.version(3), None);
    let changes: Vec<String> = read.changes().map(|(_, change)| change.to_string()).collect();
    assert_eq!(changes, ["remove validator-4", "add harbour"]);
}

#[test]
fn a_network_that_never_changed_has_a_document_of_two_lines() {
    let city = City::with(genesis_of(4));
    let text = document(&city);
    assert_eq!(text, format!("lamppost/validators@v1\ngenesis {}\n", hex::encode(city.genesis.hash())));
    assert_eq!(parse(&city, &text), Ok(Handovers::of_genesis(&city.genesis)));
}

#[test]
fn a_checkpoint_counts_with_a_quorum_of_those_who_decided_at_its_size() {
    let city = changed();
    let handovers = parse(&city, &document(&city)).unwrap();
    let sizes: Vec<u64> = handovers.changes().map(|(size, _)| size).collect();
    let [first, second] = sizes[..] else { panic!("two changes") };
    let holds =
        |size, signers: &[(&str, u8)]| SignedCheckpoint::verify(&signed(size, signers), &handovers).is_ok();
    assert!(holds(first - 1, &BEFORE) && holds(first - 1, &BETWEEN));
    assert!(!holds(first - 1, &AFTER));
    // Behind the block that settled, those who decided it and those who follow both know it.
    assert!(holds(first, &BEFORE) && holds(first, &BETWEEN) && !holds(first, &AFTER));
    assert!(holds(first + 1, &BETWEEN) && !holds(first + 1, &BEFORE) && !holds(first + 1, &AFTER));
    assert!(holds(second + 1, &AFTER) && holds(second + 1, &BETWEEN));
    // Who has left convinces nobody of anything that came after.
    let left = SignedCheckpoint::verify(&signed(second + 9, &BEFORE), &handovers);
    assert_eq!(left, Err(SignedCheckpointError::UnknownSigner("validator-4".to_owned())));
    assert!(!holds(second + 1, &AFTER[1..]), "two of four are too few");
}

#[test]
fn without_the_document_a_newcomer_is_a_stranger() {
    let city = changed();
    let of_genesis = Handovers::of_genesis(&city.genesis);
    let verified = SignedCheckpoint::verify(&signed(city.state.log_size(), &AFTER), &of_genesis);
    assert_eq!(verified, Err(SignedCheckpointError::UnknownSigner("harbour".to_owned())));
}

#[test]
fn what_is_wrong_with_a_document_is_named() {
    let city = changed();
    let text = document(&city);
    let lines: Vec<&str> = text.lines().collect();
    let error = |altered: &str| parse(&city, altered).unwrap_err().to_string();
    let without = |at: usize| {
        let kept = lines.iter().enumerate().filter(|(line, _)| *line != at);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    // Lines: 0 header, 1 genesis, 2 blank, 3 size, 4 to 6 approvals, 7 blank, 8 size, 9 to 11 approvals.
    assert_eq!(lines.len(), 12);
    assert!(error(&without(0)).contains("first line"));
    assert!(error(&without(1)).contains("second line"));
    assert!(error(&without(3)).contains("change 1 of the validators is not"));
    assert!(error(&without(5)).contains("2 of the validators approve, 3 must"), "{}", error(&without(5)));
    assert!(error(&without(11)).contains("change 2 of the validators was not agreed on"));
    let swapped = text.replace(lines[6], lines[4]);
    assert!(error(&swapped).contains("\"validator-1\" approves twice"));
    let foreign = text.replace(lines[6], lines[9]);
    assert!(error(&foreign).contains("changes version 1 of the validators, not version 0"));
    let earlier = text.replace(lines[8], lines[3]);
    assert!(error(&earlier).contains("change 2 of the validators does not come after"));
    assert!(error(&text.replace("size ", "size 0")).contains("not spelled"));
    assert!(error(text.trim_end()).contains("not spelled"));
    let other = Genesis { pool_microtokens: 1, ..city.genesis.clone() };
    assert_eq!(Handovers::parse(&text, &other), Err(HandoverError::Foreign));
    // The changes up to some version are a document too: it speaks of that day.
    let day = text.split_inclusive('\n').take(7).collect::<String>();
    assert_eq!(parse(&city, &day).unwrap().present().version(), 1);
}

#[test]
fn a_change_needs_the_same_word_from_validators_of_this_network() {
    use base64ct::{Base64, Encoding};
    let city = changed();
    let approval = |signer: u8, network: &str, instruction: &Instruction| {
        let mut out = vec![0; 4_096];
        let payload = instruction.encode();
        let length = devices::sign_instruction(&key(signer), network, 1, &payload, true, &mut out).unwrap();
        Base64::encode_string(&out[..length])
    };
    let head = format!("lamppost/validators@v1\ngenesis {}\n\nsize 5\n", hex::encode(city.genesis.hash()));
    let (leave, stay) = (remove_validator(0, "validator-1"), remove_validator(0, "validator-2"));
    let judge = |third: &str| {
        let text =
            [&head, &approval(1, "devnet", &leave), "\n", &approval(2, "devnet", &leave), "\n", third, "\n"];
        parse(&city, &text.concat()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(judge(&approval(4, "devnet", &leave)), Ok(()));
    let is = |judged: Result<(), String>, what: &str| {
        assert!(judged.clone().unwrap_err().contains(what), "{judged:?}")
    };
    is(judge(&approval(4, "devnet", &stay)), "\"validator-4\" approves another change");
    is(judge(&approval(4, "testnet", &leave)), "the signature of \"validator-4\" does not hold");
    is(judge(&approval(9, "devnet", &leave)), "which is no validator's kid");
    is(
        judge(&approval(4, "devnet", &Instruction::AcceptDevice { kid: key(4).kid() })),
        "is no add_validator",
    );
    is(judge(&Base64::encode_string(b"words")), "is no add_validator");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_altered_byte_of_a_document_goes_unnoticed(at in any::<proptest::sample::Index>(), bit in 0_u8..7) {
        let city = changed();
        let mut bytes = document(&city).into_bytes();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        // The sizes alone are signed by nobody.
        let in_size = document(&city).lines().scan(0, |from, line| {
            let begins = *from;
            *from += line.len() + 1;
            Some(line.starts_with("size ") && (begins..*from).contains(&place))
        }).any(|is| is);
        let altered = String::from_utf8(bytes).unwrap();
        prop_assert!(in_size || parse(&city, &altered).is_err());
    }
}
