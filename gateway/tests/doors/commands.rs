//! Owners' commands: who may give one, that it is kept and published, and what is said of it afterwards.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use devices::limits::{COMMAND_BYTES_MAX, CONFIGURATION_BYTES_MAX, KEY_OFFER_BYTES_MAX};
use devices::{
    Base, Command, Configuration, DeviceId, KeyOffer, Order, Possession, Record, SigningKey, Threshold, Value,
};
use gateway::outbox::{Message, Outbound};
use ledger::account::AccountId;

use crate::node::{Answer, Node};

fn signed(key: &SigningKey, network: &str, device: DeviceId, counter: u64, order: Order<'_>) -> Vec<u8> {
    let mut out = [0; COMMAND_BYTES_MAX];
    let length = Command { device, counter, order }.sign(key, network, &mut out).unwrap();
    out[..length].to_vec()
}

fn configured(node: &Node, counter: u64, interval_seconds: u32) -> Vec<u8> {
    let heat = Threshold { name: "temp", below: None, above: Some(40_u32.into()) };
    let mut room = [0; CONFIGURATION_BYTES_MAX];
    let configuration = Configuration::new(interval_seconds, 600, &[heat], &mut room).unwrap();
    signed(&node.owner, "devnet", node.device.kid(), counter, Order::Configure(configuration))
}

async fn post(node: &Node, kid: &str, content_type: &str, command: &[u8]) -> Answer {
    let request = Request::post(format!("/api/v1/devices/{kid}/commands"));
    let request = request.header(header::CONTENT_TYPE, content_type);
    node.send(request.body(Body::from(command.to_vec())).unwrap()).await
}

async fn command(node: &Node, command: &[u8]) -> Answer {
    post(node, &node.kid(), "application/cose", command).await
}

async fn last(node: &Node) -> serde_json::Value {
    let answer = node.get(&format!("/api/v1/devices/{}/commands", node.kid())).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

/// What the broker's end gets of commands; acks are left out.
async fn published(node: &mut Node) -> Vec<Outbound> {
    let mut burst = Vec::new();
    node.outbound().recv_many(&mut burst, 100).await;
    burst.into_iter().filter(|message| matches!(message.message, Message::Command(_))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_command_is_kept_published_retained_and_described() {
    let mut node = Node::start(60).await;
    let path = format!("/api/v1/devices/{}/commands", node.kid());
    assert!(node.get(&path).await.problem(StatusCode::NOT_FOUND).contains("was never commanded"));
    let bytes = configured(&node, 7, 60);
    let answer = command(&node, &bytes).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    assert_eq!(answer.json()["counter"], 7);
    let said = last(&node).await;
    assert_eq!((said["counter"].as_u64(), said["order"].as_str()), (Some(7), Some("configure")));
    assert_eq!(said["configuration"]["interval_seconds"], 60);
    assert_eq!(said["configuration"]["thresholds"][0]["above"], "40");
    assert_eq!(
        (said["confirmed"].as_bool(), said["raw"].as_str()),
        (Some(false), Some(&*hex::encode(&bytes)))
    );
    let published = published(&mut node).await;
    assert_eq!(published[0].topic("devnet"), format!("lamppost/1/devnet/dev/{}/down", node.kid()));
    assert_eq!((published[0].payload(), published[0].is_retained()), (bytes.clone(), true));
    let file = crate::node::data(&node.directory).join(format!("commands/{}.cose", node.kid()));
    assert_eq!(std::fs::read(file).unwrap(), bytes, "it outlives the node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_not_the_owners_newest_for_this_device_is_refused_by_its_reason() {
    let node = Node::start(60).await;
    assert_eq!(command(&node, &configured(&node, 7, 60)).await.status, StatusCode::ACCEPTED);
    let (kid, stranger) = (node.device.kid(), SigningKey::from_seed([99; 32]));
    let mut forged = configured(&node, 8, 30);
    *forged.last_mut().unwrap() ^= 1;
    let rotate = Order::RotateKey(1);
    let cases = [
        ("malformed", StatusCode::BAD_REQUEST, b"garbage".to_vec()),
        ("signature", StatusCode::FORBIDDEN, forged),
        ("signature", StatusCode::FORBIDDEN, signed(&node.owner, "othernet", kid, 8, rotate)),
        ("not_owner", StatusCode::FORBIDDEN, signed(&stranger, "devnet", kid, 8, rotate)),
        ("not_owner", StatusCode::FORBIDDEN, signed(&node.operator, "devnet", kid, 8, rotate)),
        ("other_device", StatusCode::BAD_REQUEST, signed(&node.owner, "devnet", stranger.kid(), 8, rotate)),
        ("replayed", StatusCode::CONFLICT, configured(&node, 7, 60)),
        ("replayed", StatusCode::CONFLICT, configured(&node, 6, 30)),
    ];
    for (reason, status, bytes) in cases {
        let answer = command(&node, &bytes).await;
        assert_eq!(answer.status, status, "{reason}: {}", answer.text());
        assert_eq!(answer.json()["reason"], reason);
    }
    assert_eq!(last(&node).await["counter"], 7, "nothing has changed");
    let good = configured(&node, 8, 30);
    let answer = post(&node, &node.kid(), "text/plain", &good).await;
    answer.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let unknown = signed(&node.owner, "devnet", stranger.kid(), 8, rotate);
    let answer = post(&node, &stranger.kid().to_string(), "application/cose", &unknown).await;
    answer.problem(StatusCode::NOT_FOUND);
    post(&node, "no-kid", "application/cose", &good).await.problem(StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_confirmed_once_the_device_says_its_counter_in_a_reading_on_the_ledger() {
    let mut node = Node::start(60).await;
    assert_eq!(command(&node, &configured(&node, 7, 60)).await.status, StatusCode::ACCEPTED);
    for (name, confirmed) in [("config:6", false), ("config:7", true)] {
        let record =
            Record { name: Some(name), unit: None, value: Value::Boolean(true), time_offset_seconds: None };
        let envelope = node.signed(&Base::default(), &record);
        assert_eq!(node.post("application/cose", envelope).await.status, StatusCode::ACCEPTED);
        // It is told only when the index has come as far.
        node.shared().index.flush(node.shared().durable().height, &[]).unwrap();
        assert_eq!(last(&node).await["confirmed"], confirmed, "{name}");
    }
    // A newer one is not confirmed by what was said of the older.
    assert_eq!(command(&node, &configured(&node, 8, 30)).await.status, StatusCode::ACCEPTED);
    assert_eq!(last(&node).await["confirmed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offered_key_is_shown_when_the_device_itself_has_signed_for_the_command_that_asked() {
    let node = Node::start(60).await;
    let (kid, next) = (node.device.kid(), SigningKey::from_seed([98; 32]));
    let asked = signed(&node.owner, "devnet", kid, 7, Order::RotateKey(5));
    assert_eq!(command(&node, &asked).await.status, StatusCode::ACCEPTED);
    let account = *AccountId::of(&node.owner.public_key()).as_bytes();
    let proof = Possession::Rotation { replaced: kid, account }.sign(&next, "devnet").unwrap();
    let offer = |counter, generation, by: &SigningKey| {
        let mut out = [0; KEY_OFFER_BYTES_MAX];
        let offer = KeyOffer { counter, generation, public_key: next.public_key(), proof };
        let length = offer.sign(by, "devnet", &mut out).unwrap();
        out[..length].to_vec()
    };
    let right = offer(7, 5, &node.device);
    let commands = node.outbound_commands();
    for wrong in
        [b"garbage".to_vec(), offer(7, 5, &next), offer(6, 5, &node.device), offer(7, 4, &node.device)]
    {
        commands.offered(kid, &wrong);
        assert_eq!(last(&node).await.get("offered_key"), None);
    }
    commands.offered(kid, &right);
    // What somebody else publishes after it does not hide it.
    commands.offered(kid, b"garbage");
    let said = last(&node).await;
    assert_eq!(said["offered_key"]["public_key"], next.public_key().to_string());
    assert_eq!(said["offered_key"]["generation"], 5);
    assert_eq!(said["offered_key"]["proof"], hex::encode(proof));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_publishes_every_last_command_again() {
    let node = Node::start(60).await;
    let (bytes, kid) = (configured(&node, 7, 60), node.device.kid());
    assert_eq!(command(&node, &bytes).await.status, StatusCode::ACCEPTED);
    let directory = node.stop().await;
    let commands = crate::node::data(&directory).join("commands");
    std::fs::write(commands.join("half-written.new"), b"rubbish").unwrap();
    std::fs::write(commands.join("0000000000000000.cose"), b"rubbish").unwrap();
    let (sender, mut receiver) = gateway::outbox::outbox();
    let commander = gateway::commander::Commander::open(&commands, sender.commands()).unwrap();
    assert_eq!(commander.last(kid).as_deref(), Some(&bytes[..]));
    let mut burst = Vec::new();
    assert_eq!(receiver.recv_many(&mut burst, 10).await, 1);
    assert_eq!(burst[0].payload(), bytes);
}
