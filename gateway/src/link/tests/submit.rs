//! Batches on their way: refused where they were altered, handed on once, and never lost.

use super::ends::{
    ByHand, NETWORK, QUOTA, Validator, Way, admitted, gateway, gateway_key, key, soon, transactions, until,
};
use tokio::task::JoinSet;

use crate::limits::{LINK_BATCH_TRANSACTIONS_MAX, LINK_WAITING_TRANSACTIONS_MAX};
use crate::link::batch::Batch;
use crate::link::message::{Reason, ToGateway, ToValidator};
use crate::telemetry::Telemetry;

#[tokio::test]
async fn an_altered_batch_is_refused_and_a_repeated_one_is_not_handed_on_twice() {
    let mut validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    let mut hand = ByHand::connect(&gateway_key(), &validator).await;
    let good = Batch::sign(&gateway_key(), NETWORK, 5, &transactions(5, 2)).unwrap();
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    let foreign = Batch::sign(&key(101), NETWORK, 5, &transactions(5, 2)).unwrap();
    let elsewhere = Batch::sign(&gateway_key(), "othernet", 5, &transactions(5, 2)).unwrap();
    let same_number = Batch::sign(&gateway_key(), NETWORK, 5, &transactions(6, 2)).unwrap();
    let taken = None;
    let refused = Some;
    for (bytes, expected) in [
        (&altered, refused(Reason::Malformed)),
        (&foreign, refused(Reason::NotAdmitted)),
        (&elsewhere, refused(Reason::Malformed)),
        (&good, taken),
        (&good, taken),
        (&same_number, refused(Reason::Stale)),
        (&good, taken),
    ] {
        hand.say(&ToValidator::Submit(bytes.clone())).await;
        match (soon("an answer", hand.hear()).await, expected) {
            (Some(ToGateway::Taken { sequence: 5 }), None) => {}
            (Some(ToGateway::Refused { sequence: 5, reason, .. }), Some(expected)) => {
                assert_eq!(reason, expected)
            }
            (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
        }
    }
    // Another connection does not make it another batch.
    let mut again = ByHand::connect(&gateway_key(), &validator).await;
    again.say(&ToValidator::Submit(good)).await;
    assert_eq!(soon("an answer", again.hear()).await, Some(ToGateway::Taken { sequence: 5 }));
    assert_eq!(validator.received(2).await, transactions(5, 2));
    assert!(validator.has_received_nothing_more());
    assert_eq!(validator.door.figures().batches_repeated.get(), 3);
}

/// A gateway whose first connections are cut after so many bytes each submits a batch before each of the cuts.
async fn live_through(cuts: [usize; 3]) {
    let mut validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 1_000).await;
    let way = Way::to(validator.door.address(), cuts).await;
    let outbox = tempfile::tempdir().unwrap();
    let running = gateway(&gateway_key(), vec![validator.peer_by(way.address)], outbox.path());
    let mut expected = Vec::new();
    for number in 0..3 {
        running.client.submit(&transactions(number, 3)).unwrap();
        expected.extend(transactions(number, 3));
        let left = way.cuts_left();
        until("a cut", || (way.cuts_left() < left || left == 0).then_some(())).await;
    }
    let mut received = validator.received(expected.len()).await;
    received.sort();
    assert!(received == expected, "{cuts:?}");
    // Over the last connection all are given again, before a later one.
    until("all cuts are made", || (way.cuts_left() == 0).then_some(())).await;
    running.client.submit(&transactions(9, 1)).unwrap();
    assert_eq!(validator.received(1).await, transactions(9, 1));
    assert!(validator.has_received_nothing_more(), "{cuts:?}");
    assert_eq!(running.client.unsettled().len(), 4, "only the host says what is final");
    running.client.unsettled().into_iter().for_each(|sequence| running.client.settled(sequence));
    assert_eq!(running.client.status().outbox.batches, 0);
}

#[tokio::test]
async fn wherever_a_connection_is_cut_a_batch_arrives_and_once() {
    // From the middle of the handshake to long after the answers.
    let mut lives: JoinSet<()> =
        (0..10).map(|step| live_through([100 + step * 150, 1_100 + step * 97, 1_900 + step * 211])).collect();
    while let Some(life) = soon("a life", lives.join_next()).await {
        life.unwrap();
    }
}

#[tokio::test]
async fn a_quota_makes_a_gateway_wait_and_loses_nothing() {
    let mut validator = Validator::open(1, vec![admitted(&gateway_key(), 2_000)], 10_000).await;
    let outbox = tempfile::tempdir().unwrap();
    let running = gateway(&gateway_key(), vec![validator.peer()], outbox.path());
    let mut expected = Vec::new();
    for number in 0..5 {
        running.client.submit(&transactions(number, 1_000)).unwrap();
        expected.extend(transactions(number, 1_000));
    }
    let mut received = validator.received(5_000).await;
    received.sort();
    assert!(received == expected);
    let figures = validator.door.figures();
    assert!(figures.batches_refused[Reason::OverQuota.index()].get() > 0);
    assert!(figures.batches_refused[Reason::OverQuota.index()].get() < 50, "it does not knock all the time");
    assert_eq!(figures.transactions_taken.get(), 5_000);
}

#[tokio::test]
async fn a_gateway_that_fills_the_validator_takes_no_room_from_another() {
    let (greedy, modest) = (gateway_key(), key(101));
    let gateways = vec![admitted(&greedy, QUOTA), admitted(&modest, QUOTA)];
    let mut validator = Validator::open(1, gateways, 1).await;
    let mut hand = ByHand::connect(&greedy, &validator).await;
    let batches = LINK_WAITING_TRANSACTIONS_MAX / LINK_BATCH_TRANSACTIONS_MAX + 2;
    let mut full = 0;
    for sequence in 0..batches as u64 {
        let many = transactions(sequence, LINK_BATCH_TRANSACTIONS_MAX as u64);
        let bytes = Batch::sign(&greedy, NETWORK, sequence, &many).unwrap();
        hand.say(&ToValidator::Submit(bytes)).await;
        let answer = soon("an answer", hand.hear()).await;
        full += u32::from(matches!(answer, Some(ToGateway::Refused { reason: Reason::Full, .. })));
    }
    assert!(full > 0, "nobody reads the intake");
    let status = validator.door.status();
    assert!(status.iter().all(|gateway| gateway.transactions_waiting <= gateway.transactions_waiting_max));
    let mut other = ByHand::connect(&modest, &validator).await;
    let bytes = Batch::sign(&modest, NETWORK, 1, &transactions(77, 2)).unwrap();
    other.say(&ToValidator::Submit(bytes)).await;
    assert_eq!(soon("an answer", other.hear()).await, Some(ToGateway::Taken { sequence: 1 }));
    // And it has its turn at the intake long before the other's are through.
    let first = validator.received(20).await;
    assert!(transactions(77, 2).iter().all(|transaction| first.contains(transaction)));
}

#[tokio::test]
async fn a_gateway_that_starts_again_submits_what_it_had_kept() {
    let mut validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 100).await;
    let outbox = tempfile::tempdir().unwrap();
    let nowhere = validator.peer_by("127.0.0.1:1".parse().unwrap());
    let before = gateway(&gateway_key(), vec![nowhere], outbox.path());
    let sequence = before.client.submit(&transactions(1, 3)).unwrap();
    let settled = before.client.submit(&transactions(2, 3)).unwrap();
    before.client.settled(settled);
    drop(before);
    let after = gateway(&gateway_key(), vec![validator.peer()], outbox.path());
    assert_eq!(after.client.unsettled(), [sequence]);
    assert_eq!(after.client.transactions(sequence).unwrap(), Some(transactions(1, 3)));
    assert_eq!(validator.received(3).await, transactions(1, 3));
    assert!(after.client.submit(&transactions(3, 1)).unwrap() > settled, "no number stands for two batches");
    assert_eq!(validator.received(1).await, transactions(3, 1));
    assert!(validator.has_received_nothing_more());
}

#[tokio::test]
async fn a_batch_goes_to_f_plus_one_and_to_others_when_they_are_lost() {
    let mut validators = Vec::new();
    for number in 1..=4 {
        validators.push(Validator::open(number, vec![admitted(&gateway_key(), QUOTA)], 100).await);
    }
    let outbox = tempfile::tempdir().unwrap();
    let peers = validators.iter().map(Validator::peer).collect();
    let running = gateway(&gateway_key(), peers, outbox.path());
    let all = || running.client.status().peers.iter().all(|peer| peer.is_connected).then_some(());
    until("all are connected", all).await;
    running.client.submit(&transactions(1, 2)).unwrap();
    // Height 1 is the second's turn, height 2 the third's.
    assert_eq!(validators[1].received(2).await, transactions(1, 2));
    assert_eq!(validators[2].received(2).await, transactions(1, 2));
    assert!(validators[0].has_received_nothing_more() && validators[3].has_received_nothing_more());
    drop(validators.remove(1));
    assert_eq!(
        validators[2].received(2).await,
        transactions(1, 2),
        "the fourth takes the place of the second"
    );
    assert!(validators[0].has_received_nothing_more() && validators[1].has_received_nothing_more());
}

#[tokio::test]
async fn who_waits_for_room_is_woken_when_a_batch_is_settled() {
    let outbox = tempfile::tempdir().unwrap();
    let running = gateway(&gateway_key(), vec![], outbox.path());
    soon("there is room", running.client.room()).await;
    let sequences: Vec<u64> = (0..crate::limits::OUTBOX_BATCHES_MAX as u64).collect();
    running.client.fill_for_test(&sequences);
    assert!(!running.client.has_room());
    let (client, waiting) = (running.client.clone(), running.client.clone());
    let woken = tokio::spawn(async move { waiting.room().await });
    client.settled(7);
    soon("there is room again", woken).await.unwrap();
}

#[tokio::test]
async fn the_metrics_tell_at_both_ends_what_became_of_batches() {
    let mut validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 100).await;
    let outbox = tempfile::tempdir().unwrap();
    let running = gateway(&gateway_key(), vec![validator.peer()], outbox.path());
    running.client.submit(&transactions(1, 3)).unwrap();
    validator.received(3).await;
    let taken = || (running.client.figures().batches_taken.get() == 1).then_some(());
    until("it is answered", taken).await;
    let (at_door, at_gateway) = (Telemetry::new(), Telemetry::new());
    at_door.link.show_door(&validator.door);
    at_gateway.link.show_client(&running.client);
    for (telemetry, lines) in [
        (
            &at_door,
            [
                "lamppost_link_gateways{state=\"away\"} 0",
                "lamppost_link_batches_total{result=\"taken\"} 1",
                "lamppost_link_transactions_total{result=\"taken\"} 3",
                "lamppost_queue_depth{queue=\"door\"} 0",
                "lamppost_queue_bound{queue=\"door\"} 8192",
                "lamppost_link_gateways{state=\"connected\"} 1",
            ],
        ),
        (
            &at_gateway,
            [
                "lamppost_link_connections_ended_total{cause=\"lost\"} 0",
                "lamppost_link_batches_total{result=\"sent\"} 1",
                "lamppost_link_batches_total{result=\"taken\"} 1",
                "lamppost_link_batches_total{result=\"over_quota\"} 0",
                "lamppost_queue_depth{queue=\"outbox\"} 1",
                "lamppost_queue_bound{queue=\"under_way\"} 64",
            ],
        ),
    ] {
        let text = telemetry.render();
        assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    }
    assert!(
        !Telemetry::new().render().contains("link_batches_total{"),
        "nothing is said where there is no link"
    );
}
