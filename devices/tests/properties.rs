//! For any input: what is encoded decodes to itself, and what decodes re-encodes to the same bytes.
mod packs;

use devices::cbor::{Reader, Writer};
use devices::{
    Ack, Decimal, Pack, Refusal, RefusedNotice, Sequence, SignedInstruction, SignedReading, SigningKey,
};
use proptest::prelude::*;

fn sequence() -> impl Strategy<Value = Sequence> {
    any::<(u32, u32)>().prop_map(|(boot, count)| Sequence { boot, count })
}

proptest! {
    #[test]
    fn a_pack_decodes_to_what_was_encoded(pack in packs::pack()) {
        let bytes = pack.encode();
        let decoded = Pack::decode(&bytes).unwrap();
        prop_assert_eq!(decoded.base(), pack.base());
        prop_assert_eq!(decoded.records().collect::<Vec<_>>(), pack.records());
        prop_assert_eq!(decoded.record_count(), pack.records().len());
    }

    #[test]
    fn whatever_decodes_as_a_pack_re_encodes_to_the_same_bytes(
        pack in packs::pack(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = pack.encode();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(pack) = Pack::decode(&bytes) {
            let mut out = [0; 1024];
            let length = devices::encode_pack(&pack.base(), &pack.records().collect::<Vec<_>>(), &mut out).unwrap();
            prop_assert_eq!(&out[..length], &bytes[..]);
        }
    }

    #[test]
    fn an_envelope_gives_back_what_was_signed(pack in packs::pack(), sequence in sequence(), seed in any::<[u8; 32]>()) {
        let key = SigningKey::from_seed(seed);
        let bytes = pack.encode();
        let mut out = [0; 1024];
        let length = devices::sign_reading(&key, "devnet", sequence, &bytes, &mut out).unwrap();
        let signed = SignedReading::decode(out[..length].to_vec()).map_err(|(why, _)| why).unwrap();
        prop_assert_eq!(signed.kid(), key.public_key().kid());
        let verified = signed.verify(&key.public_key(), "devnet").map_err(|(why, _)| why).unwrap();
        prop_assert_eq!(verified.sequence(), sequence);
        prop_assert_eq!(verified.pack().bytes(), &bytes[..]);
        prop_assert_eq!(verified.transaction_id(), verified.clone().transaction_id());
        prop_assert_eq!(verified.into_inner(), &out[..length]);
    }

    #[test]
    fn an_instruction_gives_back_what_was_signed(
        seed in any::<[u8; 32]>(), counter in any::<u64>(), text in ".{0,200}", with_key in any::<bool>(),
    ) {
        let key = SigningKey::from_seed(seed);
        let mut payload = Vec::new();
        let mut writer = Writer::appending(&mut payload);
        writer.array_header(2).unwrap();
        writer.text("transfer").unwrap();
        writer.text(&text).unwrap();
        let mut out = [0; 2048];
        let length = devices::sign_instruction(&key, "devnet", counter, &payload, with_key, &mut out).unwrap();
        let signed = SignedInstruction::decode(&out[..length]).map_err(|(why, _)| why).unwrap();
        prop_assert_eq!(signed.key().copied(), with_key.then(|| key.public_key()));
        prop_assert_eq!((signed.counter(), signed.kid(), signed.payload()), (counter, key.kid(), &payload[..]));
        prop_assert!(SignedReading::decode(&out[..length]).is_err(), "an instruction is no reading");
        prop_assert!(signed.verify(&key.public_key(), "devnet").is_ok());
    }

    #[test]
    fn a_decimal_is_read_back_from_its_text(decimal in packs::decimal()) {
        prop_assert_eq!(decimal.to_string().parse::<Decimal>(), Ok(decimal));
    }

    #[test]
    fn decimals_compare_as_their_values_do(a in -1000_i32..1000, b in -1000_i32..1000, e in -3_i8..=0, f in -3_i8..=0) {
        let scaled = |mantissa: i32, exponent: i8| mantissa * 10_i32.pow((3 + exponent) as u32);
        let (x, y) = (Decimal::new(a.into(), e).unwrap(), Decimal::new(b.into(), f).unwrap());
        prop_assert_eq!(x.cmp(&y), scaled(a, e).cmp(&scaled(b, f)));
        prop_assert_eq!(x == y, scaled(a, e) == scaled(b, f));
    }

    #[test]
    fn acks_and_notices_come_back(sequence in sequence(), window in any::<u64>(), log_size in any::<u64>(), reason in 0..8_usize) {
        let mut out = [0; 64];
        let ack = Ack { highest: sequence, window, log_size };
        let length = ack.encode(&mut out).unwrap();
        prop_assert!(length <= devices::limits::ACK_BYTES_MAX);
        prop_assert_eq!(Ack::decode(&out[..length]), Ok(ack));
        let notice = RefusedNotice { sequence, reason: Refusal::ALL[reason] };
        let length = notice.encode(&mut out).unwrap();
        prop_assert!(length <= devices::limits::REFUSED_NOTICE_BYTES_MAX);
        prop_assert_eq!(RefusedNotice::decode(&out[..length]), Ok(notice));
    }

    #[test]
    fn integers_come_back_in_their_shortest_form(value in -(1_i128 << 64)..1 << 64) {
        let mut out = [0; 9];
        let mut writer = Writer::new(&mut out);
        writer.integer(value).unwrap();
        let mut reader = Reader::new(writer.written());
        prop_assert_eq!(reader.integer(), Ok(value));
        prop_assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
        let _ = SignedReading::decode(&bytes[..]);
        let _ = SignedInstruction::decode(&bytes[..]);
        let _ = Pack::decode(&bytes);
        let _ = Reader::new(&bytes).item();
        let _ = Ack::decode(&bytes);
        let _ = devices::IdentityPage::decode(&bytes);
    }
}
