//! Notes, checkpoints, receipts and tiles: what outsiders verify.

mod city;

use base64ct::{Base64, Encoding};
use city::{City, START, account, genesis, key, temperatures, validator};
use ledger::checkpoint::{Checkpoint, CheckpointError, SignedCheckpointError};
use ledger::genesis::{Genesis, Validator};
use ledger::handovers::Handovers;
use ledger::merkle::{empty_root, inclusion_proof, leaf_hash, root_of};
use ledger::note::{Note, NoteError, VerifierKey};
use ledger::proof_text::PathFault;
use ledger::receipt::{Receipt, ReceiptError};
use ledger::tiles::{TileError, TilePath, TileRow, entry_bundle, tile_bytes};
use std::convert::Infallible;

/// A receipt for entry `index` of the city's log, signed by the validator.
fn receipt(city: &City, index: u64) -> Receipt {
    let entries = city.entries();
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let size = city.state.log_size();
    let path = inclusion_proof(index, size, |level, at| {
        let (from, to) = ((at << level) as usize, ((at + 1) << level) as usize);
        Ok::<_, Infallible>(root_of(leaves[from..to].iter().copied()))
    });
    let checkpoint = city.state.checkpoint().sign("lamppost/devnet", &validator()).unwrap();
    Receipt { entry: entries[index as usize].clone(), index, path: path.unwrap(), checkpoint }
}

fn city() -> City {
    let mut city = City::with_device();
    for count in 0..9 {
        city.one(START + 1_000, &temperatures(&key(1), (1, count), 3)).unwrap();
    }
    city
}

fn verify(text: &str) -> Result<(), ReceiptError> {
    Receipt::parse(text)?.verify(&Handovers::of_genesis(&genesis())).map(drop)
}

#[test]
fn the_logs_root_is_that_of_its_entries() {
    let city = city();
    let root = root_of(city.entries().iter().map(|entry| leaf_hash(entry)));
    assert_eq!(city.state.root(), root);
    let of_results: Vec<_> = city.results.iter().flat_map(|results| results.leaf_hashes.clone()).collect();
    assert_eq!(of_results.len() as u64, city.state.log_size());
    assert_eq!(root_of(of_results), root);
}

#[test]
fn every_entry_of_a_log_has_a_receipt_that_holds() {
    let city = city();
    for index in 0..city.state.log_size() {
        let receipt = receipt(&city, index);
        let text = receipt.to_string();
        let parsed = Receipt::parse(&text).unwrap();
        assert_eq!(parsed, receipt);
        let verified = parsed.verify(&Handovers::of_genesis(&city.genesis)).unwrap();
        assert_eq!(verified.entry(), receipt.entry);
        assert_eq!(verified.index(), index);
        assert_eq!(verified.checkpoint(), &city.state.checkpoint());
        assert_eq!(verified.signers(), ["lamppost/devnet"]);
    }
}

#[test]
fn a_lone_entry_has_a_receipt_with_an_empty_path() {
    let city = City::new();
    let text = receipt(&city, 0).to_string();
    assert!(text.contains("\nindex 0\n\nlamppost/devnet\n1\n"), "{text}");
    assert_eq!(verify(&text), Ok(()));
}

#[test]
fn every_single_flipped_bit_of_a_receipt_is_refused_with_a_sentence() {
    let text = receipt(&city(), 5).to_string();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            // What is not UTF-8 any more never gets as far as a receipt.
            let Ok(altered) = String::from_utf8(bytes) else { continue };
            let error = verify(&altered).expect_err(&format!("byte {at}, bit {bit} of\n{text}"));
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_receipt_with_a_byte_more_or_less_is_refused() {
    let text = receipt(&city(), 5).to_string();
    assert_eq!(verify(&text), Ok(()));
    for at in 0..=text.len() {
        for byte in ["\n", " ", "A", "=", "0"] {
            if !text.is_char_boundary(at) {
                continue;
            }
            let mut longer = text.clone();
            longer.insert_str(at, byte);
            assert!(verify(&longer).is_err(), "{byte:?} at {at}");
        }
        if at < text.len() && text.is_char_boundary(at) {
            let mut shorter = text.clone();
            shorter.remove(at);
            assert!(verify(&shorter).is_err(), "without the character at {at}");
        }
    }
}

#[test]
fn the_first_thing_that_fails_is_named() {
    let city = city();
    let good = receipt(&city, 5);
    let refused = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        receipt.verify(&Handovers::of_genesis(&city.genesis)).unwrap_err()
    };
    let size = city.state.log_size();
    let cases = [
        (refused(&|r| r.entry[3] ^= 1), ReceiptError::Root),
        (refused(&|r| r.index = 4), ReceiptError::Root),
        (refused(&|r| r.index = size), ReceiptError::OutOfTree { index: size, size }),
        (refused(&|r| r.path[1][0] ^= 1), ReceiptError::Root),
        (refused(&|r| r.path.truncate(4)), ReceiptError::PathLength { index: 5, size, hashes: 4 }),
        (refused(&|r| r.path.push([0; 32])), ReceiptError::PathLength { index: 5, size, hashes: 6 }),
        (
            refused(&|r| r.checkpoint.signatures.clear()),
            ReceiptError::Signed(SignedCheckpointError::Quorum { good: 0, needed: 1 }),
        ),
        (
            refused(&|r| r.checkpoint.signatures[0].signature[9] ^= 1),
            ReceiptError::Signed(SignedCheckpointError::Signature("lamppost/devnet".into())),
        ),
        (
            refused(&|r| r.checkpoint.signatures[0].name = "stranger".into()),
            ReceiptError::Signed(SignedCheckpointError::UnknownSigner("stranger".into())),
        ),
        (
            refused(&|r| r.checkpoint.text = r.checkpoint.text.replace("devnet", "testnet")),
            ReceiptError::Signed(SignedCheckpointError::Origin {
                found: "lamppost/testnet".into(),
                expected: "lamppost/devnet".into(),
            }),
        ),
        (
            refused(&|r| {
                let smaller = Checkpoint { size: size - 1, ..city.state.checkpoint() };
                r.checkpoint.text = smaller.body();
            }),
            ReceiptError::Signed(SignedCheckpointError::Signature("lamppost/devnet".into())),
        ),
        (
            refused(&|r| {
                let again = r.checkpoint.signatures[0].clone();
                r.checkpoint.signatures.push(again);
            }),
            ReceiptError::Signed(SignedCheckpointError::SignedTwice("lamppost/devnet".into())),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let text = good.to_string();
    let parse = |from: &str, to: &str| Receipt::parse(&text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(parse("@v1", "@v2"), ReceiptError::Header);
    assert_eq!(parse("extra 0", "extra -"), ReceiptError::Entry);
    assert_eq!(parse("index 5", "index -5"), ReceiptError::Index);
    assert_eq!(parse("index 5", "index 05"), ReceiptError::Spelling);
    assert_eq!(parse("index 5\n", "index 5\n!"), ReceiptError::Path(PathFault::Hash(1)));
    assert_eq!(Receipt::parse(&text.replace("\n\n", "\n")).unwrap_err(), ReceiptError::NoCheckpoint);
}

#[test]
fn two_thirds_of_the_validators_must_sign_and_strangers_are_refused() {
    let city = city();
    let names = ["a.example", "b.example", "c.example", "d.example"];
    let vkey = |at: usize| VerifierKey::new(names[at], key(50 + at as u8).public_key()).unwrap();
    let validators =
        (0..4).map(|at| Validator { name: names[at].into(), vkey: vkey(at).to_string() }).collect();
    let genesis = Genesis { validators, ..city.genesis.clone() };
    assert_eq!(genesis.validate(), Ok(()));
    assert_eq!(genesis.quorum(), 3);
    let signed_by = |signers: &[usize]| {
        let mut receipt = receipt(&city, 3);
        receipt.checkpoint = Note::unsigned(city.state.checkpoint().body());
        signers.iter().for_each(|at| receipt.checkpoint.sign(names[*at], &key(50 + *at as u8)).unwrap());
        Receipt::parse(&receipt.to_string())
            .unwrap()
            .verify(&Handovers::of_genesis(&genesis))
            .map(|verified| verified.signers().len())
    };
    assert_eq!(signed_by(&[0, 2, 3]), Ok(3));
    assert_eq!(signed_by(&[0, 1, 2, 3]), Ok(4));
    assert_eq!(
        signed_by(&[1, 3]),
        Err(ReceiptError::Signed(SignedCheckpointError::Quorum { good: 2, needed: 3 }))
    );
    assert_eq!(
        signed_by(&[1, 3, 1]),
        Err(ReceiptError::Signed(SignedCheckpointError::SignedTwice("b.example".into())))
    );
}

#[test]
fn verifier_keys_are_spelled_as_signed_note_has_it() {
    let key = VerifierKey::new("lamppost/devnet", validator().public_key()).unwrap();
    let text = key.to_string();
    assert_eq!(text.parse(), Ok(key.clone()));
    let mut parts = text.splitn(3, '+');
    assert_eq!(parts.next(), Some("lamppost/devnet"));
    assert_eq!(parts.next(), Some(hex::encode(key.key_id()).as_str()));
    let typed = Base64::decode_vec(parts.next().unwrap()).unwrap();
    assert_eq!(typed[0], 1);
    assert_eq!(&typed[1..], validator().public_key().as_bytes());
    let parse = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    assert_eq!(parse("lamppost/devnet"), NoteError::VerifierKey);
    assert_eq!(parse(&text.replace("lamppost", "Lamppost")), NoteError::KeyIdDiffers);
    assert_eq!(parse(&text.replace("lamppost/", "lamppost ")), NoteError::KeyName);
}

/// Made with pyca/cryptography and hashlib: seed 00 01 .. 1f, the tree over the entries "0" to "4".
const FOREIGN_VKEY: &str = "harbour.example/log+49dfd188+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const FOREIGN_CHECKPOINT: &str = "harbour.example/log\n5\ntnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=\n\n\u{2014} harbour.example/log Sd/RiKjZqIs483qHk6PBEEOj9PQ4NBj/ic4kXZhdrZW4kyyckuvsv3jh/n3Ss/azIGxu4L0gmb6dyRPOs2Bv13V8zwg=\n";

#[test]
fn a_checkpoint_made_by_another_implementation_is_reproduced_and_judged() {
    let seed: [u8; 32] = core::array::from_fn(|i| i as u8);
    let signer = devices::identity::SigningKey::from_seed(seed);
    let vkey: VerifierKey = FOREIGN_VKEY.parse().unwrap();
    assert_eq!(vkey, VerifierKey::new("harbour.example/log", signer.public_key()).unwrap());
    assert_eq!(vkey.to_string(), FOREIGN_VKEY);
    let root = root_of(["0", "1", "2", "3", "4"].map(|entry| leaf_hash(entry.as_bytes())));
    let ours = Checkpoint { origin: "harbour.example/log".into(), size: 5, root };
    assert_eq!(ours.sign("harbour.example/log", &signer).unwrap().to_string(), FOREIGN_CHECKPOINT);
    let note = Note::parse(FOREIGN_CHECKPOINT).unwrap();
    assert_eq!(note.signed_by(&vkey), Some(true));
    let altered = Note::parse(&FOREIGN_CHECKPOINT.replacen("\n5\n", "\n6\n", 1)).unwrap();
    assert_eq!(altered.signed_by(&vkey), Some(false));
    let other = VerifierKey::new("harbour.example/log", key(1).public_key()).unwrap();
    assert_eq!(note.signed_by(&other), None);
}

#[test]
fn malformed_notes_and_checkpoints_are_refused_by_name() {
    let body = Checkpoint { origin: "o".into(), size: 7, root: empty_root() }.body();
    assert_eq!(Checkpoint::parse(&body).unwrap().size, 7);
    let parse = |from: &str, to: &str| Checkpoint::parse(&body.replacen(from, to, 1)).unwrap_err();
    assert_eq!(parse("o\n", "\n"), CheckpointError::Origin);
    assert_eq!(parse("7", "07"), CheckpointError::Size);
    assert_eq!(parse("7", "+7"), CheckpointError::Size);
    assert_eq!(parse("7\n4", "7\n4A"), CheckpointError::Root);
    assert_eq!(parse("=\n", "=\nmore\n"), CheckpointError::Extension);
    assert_eq!(parse("=\n", "="), CheckpointError::Root);
    assert_eq!(Note::parse("text\n"), Err(NoteError::NoSignatures));
    assert_eq!(Note::parse("text\n\n\u{2014} name"), Err(NoteError::NoSignatures));
    assert_eq!(Note::parse("te\txt\n\n\u{2014} name AAAAAAA=\n"), Err(NoteError::ControlCharacter));
    assert_eq!(Note::parse("text\n\n- name AAAAAAA=\n"), Err(NoteError::SignatureLine(1)));
    assert_eq!(Note::parse("text\n\n\u{2014} name AAAA\n"), Err(NoteError::SignatureLine(1)));
    let lines = "\u{2014} name AAAAAAA=\n".repeat(65);
    assert_eq!(Note::parse(&format!("text\n\n{lines}")), Err(NoteError::TooManySignatures));
}

#[test]
fn tile_paths_have_one_spelling_each() {
    let tile = |row, index, width| TilePath { row, index, width };
    let table = [
        ("0/000", tile(TileRow::Level(0), 0, 256)),
        ("2/x001/x234/067", tile(TileRow::Level(2), 1_234_067, 256)),
        ("0/x001/067.p/12", tile(TileRow::Level(0), 1_067, 12)),
        ("entries/000.p/255", tile(TileRow::Entries, 0, 255)),
        ("63/x018/x446/x744/x073/x709/x551/615", tile(TileRow::Level(63), u64::MAX, 256)),
    ];
    for (path, expected) in table {
        assert_eq!(TilePath::parse(path), Ok(expected), "{path}");
        assert_eq!(expected.to_string(), path);
    }
    let refused = [
        "",
        "0",
        "0/",
        "64/000",
        "00/000",
        "+1/000",
        "0/0",
        "0/0000",
        "0/x000/001",
        "0/001/067",
        "0/x001",
        "0/x001/x067",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/012",
        "0/000.p/",
        "0/000/",
        "entries/000.p/1/2",
        "-1/000",
        "0/٠٠٠",
        "63/x018/x446/x744/x073/x709/x551/616",
    ];
    for path in refused {
        assert_eq!(TilePath::parse(path), Err(TileError::Path), "{path}");
    }
}

#[test]
fn tiles_exist_as_far_as_the_log_does() {
    // tlog-tiles: a tree of 70,000 has 273 full tiles and one of 112, one full and one of 17, one of width 1.
    let start = |path: &str, size| TilePath::parse(path).unwrap().start(size);
    assert_eq!(start("0/272", 70_000), Ok(272 * 256));
    assert_eq!(start("0/273.p/112", 70_000), Ok(273 * 256));
    assert_eq!(start("0/273.p/113", 70_000), Err(TileError::OutOfTree));
    assert_eq!(start("1/000", 70_000), Ok(0));
    assert_eq!(start("1/001.p/17", 70_000), Ok(256));
    assert_eq!(start("2/000.p/1", 70_000), Ok(0));
    assert_eq!(start("3/000.p/1", 70_000), Err(TileError::OutOfTree));
    assert_eq!(start("63/000.p/1", 70_000), Err(TileError::OutOfTree));
    assert_eq!(start("entries/273.p/112", 70_000), Ok(273 * 256));
    assert_eq!(start("1/000.p/1", 256), Ok(0));
}

#[test]
fn bundles_prefix_each_entry_with_its_length() {
    assert_eq!(entry_bundle(["ab", "", "c"]).unwrap(), b"\0\x02ab\0\0\0\x01c");
    assert_eq!(entry_bundle([vec![0; 65_536]]), Err(TileError::EntryTooLong));
    assert_eq!(tile_bytes(&[[1; 32], [2; 32]]).len(), 64);
}

#[test]
fn account_ids_are_bech32m_and_catch_a_typo() {
    use ledger::account::AccountId;
    let id = account(&key(1));
    let text = id.to_string();
    assert!(text.starts_with("lamp1"), "{text}");
    assert_eq!(text.parse(), Ok(id));
    assert_eq!(text.to_uppercase().parse(), Ok(id));
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'q' { b'p' } else { b'q' };
        assert!(String::from_utf8(bytes).unwrap().parse::<AccountId>().is_err(), "character {at}");
    }
    assert!("lamp1".parse::<AccountId>().is_err());
    assert!(format!("{text}q").parse::<AccountId>().is_err());
    let ids =
        [AccountId::pool("devnet"), AccountId::supply("devnet"), AccountId::escrow("devnet", key(1).kid())];
    assert!(ids.iter().enumerate().all(|(at, id)| ids[at + 1..].iter().all(|other| other != id)));
    assert_ne!(AccountId::pool("devnet"), AccountId::pool("testnet"));
}
