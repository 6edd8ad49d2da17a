//! The rules of the wire at their edges: what is just allowed, and what is just not.
use devices::cbor::{DecodeError, EncodeError, Reader, Writer};
use devices::decimal::DecimalError;
use devices::identity_page::PageError;
use devices::senml::PackError;
use devices::topic::TopicFilter;
use devices::{
    Ack, Base, Decimal, IdentityPage, Record, SealError, Sequence, SignedInstruction, SigningKey, Topic,
    TopicKind, Value,
};

fn encode(base: &Base<'_>, records: &[Record<'_>]) -> Result<usize, PackError> {
    devices::encode_pack(base, records, &mut [0; 2048])
}

fn named(name: &str) -> Record<'_> {
    Record { name: Some(name), ..Record::of(Value::Boolean(true)) }
}

#[test]
fn names_units_offsets_and_times_are_allowed_up_to_their_bounds() {
    let (long, longer) = ("n".repeat(32), "n".repeat(33));
    let none = Base::default();
    assert!(encode(&none, &[named(&long)]).is_ok());
    for name in [&longer, "", "-temp", "t mp", "täg", "a,b"] {
        assert_eq!(encode(&none, &[named(name)]), Err(PackError::Name), "{name}");
    }
    let unit = |unit| [Record { unit: Some(unit), ..named("x") }];
    assert!(encode(&none, &unit("1234567890123456")).is_ok());
    assert_eq!(encode(&none, &unit("12345678901234567")), Err(PackError::Unit));
    assert_eq!(encode(&none, &unit("")), Err(PackError::Unit));
    assert_eq!(encode(&none, &unit("ppm")), Err(PackError::SecondaryUnit));
    assert_eq!(encode(&Base { unit: Some("hPa"), ..none }, &[named("x")]), Err(PackError::SecondaryUnit));
    assert!(encode(&Base { version: Some(26), ..none }, &unit("ppm")).is_ok());
    assert_eq!(encode(&Base { version: Some(11), ..none }, &[named("x")]), Err(PackError::Version));
    let offset = |seconds| [Record { time_offset_seconds: Some(seconds), ..named("x") }];
    assert!(encode(&none, &offset(86_400)).is_ok() && encode(&none, &offset(-86_400)).is_ok());
    assert_eq!(encode(&none, &offset(86_401)), Err(PackError::Offset));
    assert_eq!(encode(&none, &offset(i32::MIN)), Err(PackError::Offset));
    assert!(encode(&Base { time: Some(1 << 28), ..none }, &[named("x")]).is_ok());
    assert_eq!(encode(&Base { time: Some((1 << 28) - 1), ..none }, &[named("x")]), Err(PackError::BaseTime));
}

#[test]
fn a_pack_has_1_to_64_records_each_with_a_name_and_fits_into_an_envelope() {
    let base = Base { name: Some("x"), ..Base::default() };
    let record = Record::of(Value::Number(Decimal::ZERO));
    assert!(encode(&base, &[record; 64]).is_ok());
    assert_eq!(encode(&base, &[record; 65]), Err(PackError::RecordCount));
    assert_eq!(encode(&base, &[]), Err(PackError::RecordCount));
    assert_eq!(encode(&Base::default(), &[named("x"), record]), Err(PackError::NoName));
    assert_eq!(encode(&base, &[named("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"); 30]), Err(PackError::TooLong));
    assert_eq!(
        devices::encode_pack(&base, &[record], &mut [0; 4]),
        Err(PackError::Encode(EncodeError::OutOfSpace))
    );
}

#[test]
fn the_largest_pack_just_fits_into_an_envelope() {
    // An array's head of 2 bytes and 40 records of 23 bytes each.
    let mut records = [named("eighteen-bytes-aaa"); 40];
    let mut pack = [0; 1024];
    let length = devices::encode_pack(&Base::default(), &records, &mut pack).unwrap();
    assert_eq!(length, devices::limits::PACK_BYTES_MAX);
    let key = SigningKey::from_seed([1; 32]);
    let sign = |pack: &[u8]| devices::sign_reading(&key, "devnet", Sequence::default(), pack, &mut [0; 2048]);
    assert_eq!(sign(&pack[..length]), Ok(devices::limits::ENVELOPE_BYTES_MAX));
    records[7] = named("nineteen-bytes-aaaa");
    assert_eq!(encode(&Base::default(), &records), Err(PackError::TooLong));
}

#[test]
fn decimals_that_have_no_place_on_the_wire_are_not_made() {
    assert_eq!(Decimal::new(1, -10), Err(DecimalError::TooPrecise));
    assert_eq!(Decimal::new(10, -10).unwrap().to_string(), "0.000000001");
    assert_eq!(Decimal::new(1 << 64, 0), Err(DecimalError::OutOfRange));
    assert_eq!(Decimal::new(-(1 << 64), 0).unwrap().to_string(), "-18446744073709551616");
    assert_eq!(Decimal::new(12, 3).unwrap().to_string(), "12000");
    assert_eq!(Decimal::new(i128::MAX, 100), Err(DecimalError::OutOfRange));
    assert_eq!(Decimal::new(i128::MIN, i8::MIN), Err(DecimalError::TooPrecise));
    for (text, shown) in [("-0.50", "-0.5"), ("007", "7"), ("-0", "0"), ("0.000", "0"), ("99.99", "99.99")] {
        assert_eq!(text.parse::<Decimal>().unwrap().to_string(), shown);
    }
    for text in ["", "-", ".5", "5.", "+1", "1e3", "1.2.3", "--1", "1 ", "nan", "１"] {
        assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Text), "{text}");
    }
    assert_eq!("0.0000000001".parse::<Decimal>(), Err(DecimalError::TooPrecise));
}

#[test]
fn only_deterministic_cbor_passes() {
    let judge = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        reader.item().and_then(|_| reader.end())
    };
    for good in [
        &b"\x00"[..],
        b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa2\x01\xf6\x20\xf5",
        b"\xc4\x82\x21\x0d",
        b"\x60",
    ] {
        assert_eq!(judge(good), Ok(()), "{good:x?}");
    }
    for (bad, why) in [
        (&b""[..], DecodeError::Truncated),
        (b"\x18\x17", DecodeError::NotShortest),
        (b"\x19\x00\xff", DecodeError::NotShortest),
        (b"\x78\x01a", DecodeError::NotShortest),
        (b"\x9f\xff", DecodeError::Unsupported),
        (b"\x5f\x41a\xff", DecodeError::Unsupported),
        (b"\xf9\x7e\x00", DecodeError::Unsupported),
        (b"\xf7", DecodeError::Unsupported),
        (b"\xe0", DecodeError::Unsupported),
        (b"\xa2\x01\x01\x01\x01", DecodeError::KeyOrder),
        (b"\xa2\x02\x01\x01\x01", DecodeError::KeyOrder),
        (b"\x61\xff", DecodeError::NotUtf8),
        (b"\x42a", DecodeError::Truncated),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", DecodeError::Truncated),
        (b"\x81\x81\x81\x81\x81\x81\x81\x81\x00", DecodeError::TooDeep),
        (b"\x00\x00", DecodeError::Trailing),
    ] {
        assert_eq!(judge(bad), Err(why), "{bad:x?}");
    }
    assert_eq!(Writer::new(&mut [0; 16]).integer(1 << 64), Err(EncodeError::OutOfRange));
}

#[test]
fn an_ack_settles_its_window_and_all_that_lies_below() {
    let ack = Ack { highest: Sequence { boot: 3, count: 100 }, window: 0b1001, log_size: 1 };
    let settles = |boot, count| ack.settles(Sequence { boot, count });
    assert!(settles(3, 100) && settles(3, 97));
    assert!(!settles(3, 99) && !settles(3, 98) && !settles(3, 37));
    assert!(settles(3, 36) && settles(3, 0), "below the window everything is refused as replayed");
    assert!(!settles(3, 101) && !settles(4, 0));
    assert!(settles(2, u32::MAX), "so is everything of an earlier boot");
}

#[test]
fn topics_of_others_are_not_ours() {
    let kid = "be5de2f4bcdc383a".parse().unwrap();
    let topic = Topic { network: "devnet", kid, kind: TopicKind::Refused };
    let mut out = [0; devices::limits::TOPIC_BYTES_MAX];
    let text = topic.write(&mut out).unwrap();
    assert_eq!(text, "lamppost/1/devnet/dev/be5de2f4bcdc383a/refused");
    assert_eq!(Topic::parse(text), Some(topic));
    assert_eq!(topic.write(&mut [0; 20]), None);
    for text in [
        "lamppost/2/devnet/dev/be5de2f4bcdc383a/up",
        "lamppost/1/devnet/dev/be5de2f4bcdc383a/reboot",
        "lamppost/1/devnet/dev/BE5DE2F4BCDC383A/up",
        "lamppost/1/devnet/dev/be5de2f4bcdc383/up",
        "lamppost/1/dev/net/dev/be5de2f4bcdc383a/up",
        "lamppost/1//dev/be5de2f4bcdc383a/up",
        "",
    ] {
        assert_eq!(Topic::parse(text), None, "{text}");
    }
    let filter = TopicFilter { network: "devnet", kind: TopicKind::Up };
    assert_eq!(filter.to_string(), "lamppost/1/devnet/dev/+/up");
}

#[test]
fn every_bit_flip_of_an_identity_page_is_noticed() {
    let page = full_page();
    let bytes = page.encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(IdentityPage::decode(&flipped).is_err(), "bit {bit}");
    }
    assert_eq!(IdentityPage::decode(&[0xff; 256]), Err(PageError::Absent));
    assert_eq!(IdentityPage::decode(&bytes[..255]), Err(PageError::Damaged));
    assert_eq!(IdentityPage::decode(&bytes[..8]), Err(PageError::Damaged));
    assert_eq!(IdentityPage::new("Dev Net", [7; 32], None), Err(PageError::Network));
    let shown = format!("{page:?}");
    assert!(
        !shown.contains("07") && !shown.contains("09") && !shown.contains('['),
        "no secret is shown: {shown}"
    );
    assert_eq!(
        IdentityPage::decode(&IdentityPage::new("d", [8; 32], None).unwrap().encode()).unwrap().broker(),
        None
    );
}

/// A page that says all that a page can say.
fn full_page() -> IdentityPage {
    IdentityPage::new("devnet", [7; 32], Some("10.0.2.2:1883".parse().unwrap()))
        .unwrap()
        .with_owner([8; 32])
        .with_rotation_root([9; 32])
        .with_time_server("10.0.2.3:123".parse().unwrap())
        .with_publisher([10; 32])
}

#[test]
fn an_identity_page_keeps_what_it_was_told() {
    let bytes = full_page().encode();
    let page = IdentityPage::decode(&bytes).unwrap();
    assert_eq!(page, full_page());
    assert_eq!(page.broker(), Some("10.0.2.2:1883".parse().unwrap()));
    assert_eq!(page.time_server(), Some("10.0.2.3:123".parse().unwrap()));
    assert_eq!((page.owner(), page.publisher()), (Some(&[8; 32]), Some(&[10; 32])));
    // The places that the table of the format names.
    assert_eq!((bytes[8], &bytes[89..121], &bytes[122..154]), (2, &[8; 32][..], &[9; 32][..]));
    assert_eq!(&bytes[81..88], &[1, 10, 0, 2, 3, 0, 123]);
}

#[test]
fn an_identity_page_of_version_1_is_read_and_says_nothing_of_what_it_has_no_place_for() {
    // As `lamppost device provision` wrote them: 96 bytes, the checksum at 92.
    let mut old = [0; 96];
    old[..8].copy_from_slice(b"LAMPPOST");
    (old[8], old[9]) = (1, 6);
    old[10..16].copy_from_slice(b"devnet");
    old[42..74].copy_from_slice(&[7; 32]);
    old[74..81].copy_from_slice(&[1, 10, 0, 2, 2, 0x07, 0x5b]);
    let checksum = devices::checksum::crc32(&old[..92]);
    old[92..].copy_from_slice(&checksum.to_le_bytes());
    let page = IdentityPage::decode(&old).unwrap();
    let same = IdentityPage::new("devnet", [7; 32], Some("10.0.2.2:1883".parse().unwrap())).unwrap();
    assert_eq!(page, same);
    assert_eq!((page.owner(), page.publisher(), page.time_server()), (None, None, None));
    assert!(page.signing_key_of(1).is_none(), "without a root there is no later key");
    // What stands behind it in the flash says nothing either.
    let mut longer = [0xff; 256];
    longer[..96].copy_from_slice(&old);
    assert_eq!(IdentityPage::decode(&longer), Ok(page));
}

#[test]
fn an_identity_page_with_a_checksum_of_its_own_still_has_one_encoding_alone() {
    let bytes = full_page().encode();
    let plain = IdentityPage::new("d", [7; 32], None).unwrap().encode();
    // A flag that is neither 0 nor 1, a value behind a flag of 0, rubbish behind the network's id and at the end.
    for (page, place) in [(bytes, 88), (plain, 90), (plain, 82), (plain, 30), (plain, 200), (bytes, 251)] {
        let mut altered = page;
        altered[place] ^= 4;
        let checksum = devices::checksum::crc32(&altered[..252]);
        altered[252..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(IdentityPage::decode(&altered), Err(PageError::Damaged), "byte {place}");
    }
    let mut newer = bytes;
    newer[8] = 3;
    assert_eq!(IdentityPage::decode(&newer), Err(PageError::Version));
}

#[test]
fn every_generation_has_a_key_of_its_own_as_the_formula_says() {
    use sha2::{Digest, Sha512};
    let page = full_page();
    let hash = Sha512::digest([b"lamppost/1/key".as_slice(), &[9; 32], &[0, 0, 1, 2]].concat());
    let expected = SigningKey::from_seed(*hash.first_chunk().unwrap());
    assert_eq!(page.signing_key_of(258).unwrap().public_key(), expected.public_key());
    assert_eq!(page.signing_key_of(0).unwrap().public_key(), page.signing_key().public_key());
    assert_ne!(page.signing_key_of(1).unwrap().public_key(), page.signing_key_of(2).unwrap().public_key());
}

#[test]
fn an_instruction_with_another_accounts_key_is_malformed() {
    let (one, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    let mut out = [0; 512];
    let length = devices::sign_instruction(&one, "devnet", 1, b"\x81\x64name", true, &mut out).unwrap();
    assert!(SignedInstruction::decode(&out[..length]).is_ok());
    let place = out[..length].windows(32).position(|window| window == one.public_key().as_bytes()).unwrap();
    out[place..place + 32].copy_from_slice(other.public_key().as_bytes());
    assert!(SignedInstruction::decode(&out[..length]).is_err());
    let sign =
        |payload: &[u8]| devices::sign_instruction(&one, "devnet", 1, payload, false, &mut [0; 20_000]);
    assert_eq!(sign(b"\x18\x05"), Err(SealError::Payload(DecodeError::NotShortest)));
    let long = [&b"\x59\x3f\xf0"[..], &[0; 0x3ff0]].concat();
    assert_eq!(sign(&long), Err(SealError::TooLong));
    assert!(sign(&[&b"\x59\x3f\x00"[..], &[0; 0x3f00]].concat()).is_ok());
}
