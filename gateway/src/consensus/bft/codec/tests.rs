//! The wire's claims: what is written is read, and nothing else is.

use std::fmt::Debug;

use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, PolkaCertificate, PolkaSignature, RoundCertificate,
    RoundCertificateType, RoundSignature, ValidatorProof, Validity,
};
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Status};
use arc_malachitebft_app_channel::app::types::{ProposedValue, SignedConsensusMsg};
use arc_malachitebft_sync::{ValueRequest, ValueResponse};
use proptest::prelude::*;

use super::super::context::{Part, Proposal, Vote};
use super::super::engine::peer_id;
use super::*;
use crate::limits;

const ADDRESS: Address = Address([3; 32]);

fn vote(kind: VoteType, value: NilOrVal<BlockId>) -> Vote {
    Vote { kind, height: Height(7), round: Round::new(2), value, address: ADDRESS }
}

fn signature() -> Signature {
    Signature::from_bytes([5; 64])
}

/// What is written is read again; a byte less or more is refused.
fn goes_round<T: Coded + Debug>(value: &T, is_same: impl Fn(&T) -> bool) {
    let bytes = Cbor.encode(value).unwrap();
    let read: T = Cbor.decode(bytes.clone()).unwrap();
    assert!(is_same(&read), "{value:?} became {read:?}");
    for end in 0..bytes.len() {
        assert!(Codec::<T>::decode(&Cbor, bytes.slice(..end)).is_err(), "{value:?} without its end");
    }
    let longer: Bytes = bytes.iter().copied().chain([0]).collect();
    assert!(Codec::<T>::decode(&Cbor, longer).is_err(), "{value:?} with something behind it");
}

#[test]
fn votes_and_proposals_go_round() {
    for value in [NilOrVal::Nil, NilOrVal::Val(BlockId([9; 32]))] {
        for kind in [VoteType::Prevote, VoteType::Precommit] {
            let signed = SignedMessage::<Lamppost, Vote>::new(vote(kind, value), signature());
            let message = SignedConsensusMsg::Vote(signed.clone());
            goes_round(&message, |read| *read == message);
            let again = LivenessMsg::Vote(signed);
            goes_round(&again, |read| *read == again);
        }
    }
    for pol_round in [Round::Nil, Round::new(0)] {
        let (height, round, value) = (Height(7), Round::new(1), BlockId([9; 32]));
        let proposal = Proposal { height, round, value, pol_round, address: ADDRESS };
        let message = SignedConsensusMsg::Proposal(SignedMessage::new(proposal, signature()));
        goes_round(&message, |read| *read == message);
    }
}

#[test]
fn certificates_of_rounds_go_round() {
    let (height, round, value_id) = (Height(7), Round::new(1), BlockId([9; 32]));
    let polka_signatures = vec![PolkaSignature { address: ADDRESS, signature: signature() }];
    let polka = LivenessMsg::PolkaCertificate(PolkaCertificate { height, round, value_id, polka_signatures });
    goes_round(&polka, |read| *read == polka);
    for cert_type in [RoundCertificateType::Skip, RoundCertificateType::Precommit] {
        let of = |value_id| RoundSignature {
            vote_type: VoteType::Precommit,
            value_id,
            address: ADDRESS,
            signature: signature(),
        };
        let round_signatures = vec![of(NilOrVal::Nil), of(NilOrVal::Val(value_id))];
        let certificate = RoundCertificate { height, round, cert_type, round_signatures };
        let message = LivenessMsg::SkipRoundCertificate(certificate);
        goes_round(&message, |read| *read == message);
    }
}

#[test]
fn what_the_votes_record_keeps_goes_round() {
    for (valid_round, validity) in [(Round::Nil, Validity::Valid), (Round::new(3), Validity::Invalid)] {
        let (height, round, value) = (Height(7), Round::new(4), BlockId([9; 32]));
        let kept: ProposedValue<Lamppost> =
            ProposedValue { height, round, valid_round, proposer: ADDRESS, value, validity };
        goes_round(&kept, |read| *read == kept);
    }
    let proof = ValidatorProof::<Lamppost>::new(vec![1; 32], vec![2; 38], signature());
    goes_round(&proof, |read| *read == proof);
}

#[test]
fn parts_go_round_in_their_streams() {
    let parts = [
        Part::Begin {
            height: Height(7),
            round: Round::new(1),
            valid_round: Round::Nil,
            proposer: ADDRESS,
            bytes: 1_000,
        },
        Part::Bytes(Bytes::from_static(b"a block's bytes")),
        Part::Checkpoint { size: 12, root: [1; 32], address: ADDRESS, signature: [2; 64] },
        Part::Wake(Height(8)),
    ];
    let contents = parts.into_iter().map(StreamContent::Data).chain([StreamContent::Fin]);
    for content in contents {
        let id = StreamId::new(Bytes::from_static(&[4; limits::STREAM_ID_BYTES]));
        let message = StreamMessage::new(id, 3, content);
        goes_round(&message, |read| *read == message);
    }
}

#[test]
fn what_a_node_that_is_behind_asks_and_gets_goes_round() {
    let status: Status<Lamppost> =
        Status { peer_id: peer_id(&[6; 32]), tip_height: Height(90), history_min_height: Height(1) };
    goes_round(&status, |read| *read == status);
    let request = Request::<Lamppost>::ValueRequest(ValueRequest::new(Height(3)..=Height(9)));
    goes_round(&request, |read| *read == request);
    let certificate = ExtendedCommitCertificate {
        height: Height(3),
        round: Round::new(0),
        value_id: BlockId([9; 32]),
        commit_signatures: vec![ExtendedCommitSignature::new(ADDRESS, signature(), None)],
    };
    let value = RawDecidedValue::new(Bytes::from_static(b"a block"), certificate);
    let response = Response::ValueResponse(ValueResponse::new(Height(3), vec![value]));
    goes_round(&response, |read| *read == response);
    assert_eq!(Cbor.encoded_len(&response).unwrap(), Cbor.encode(&response).unwrap().len());
}

#[test]
fn a_part_larger_than_its_bound_is_refused() {
    let part = Part::Bytes(vec![0; limits::PART_BYTES_MAX + 1].into());
    let bytes = Cbor.encode(&part).unwrap();
    assert!(Codec::<Part>::decode(&Cbor, bytes).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _either = Codec::<StreamMessage<Part>>::decode(&Cbor, bytes.clone());
        let _either = Codec::<SignedConsensusMsg<Lamppost>>::decode(&Cbor, bytes.clone());
        let _either = Codec::<LivenessMsg<Lamppost>>::decode(&Cbor, bytes.clone());
        let _either = Codec::<Status<Lamppost>>::decode(&Cbor, bytes.clone());
        let _either = Codec::<Response<Lamppost>>::decode(&Cbor, bytes.clone());
        let _either = Codec::<ValidatorProof<Lamppost>>::decode(&Cbor, bytes);
    }
}
