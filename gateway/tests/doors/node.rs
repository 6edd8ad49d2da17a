//! A whole node in this process, without a broker: its directory, its keys, its router.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use devices::{
    Base, Decimal, Record, Sequence, SigningKey, Value, encode_pack, sign_instruction, sign_reading,
};
use gateway::data_dir::DataDir;
use gateway::host::{self, Ends};
use gateway::keys;
use gateway::shared::Shared;
use gateway::sign_in::SignIn;
use gateway::sign_in::origin::Origins;
use gateway::storage::{self, Opened, Wanted};
use gateway::telemetry::Telemetry;
use gateway::window::{Addresses, Window};
use gateway::{clock, http};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::registry::Position;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// An answer, whole.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn content_type(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Asserts that this is a problem document of a status, and gives its sentence.
    pub fn problem(&self, status: StatusCode) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.content_type(), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status.as_u16());
        assert_eq!(problem["type"], "about:blank");
        let detail = problem["detail"].as_str().unwrap().to_owned();
        assert!(!detail.is_empty() && !detail.contains('\n'), "{detail}");
        detail
    }
}

/// A node with one device, whose owner is a key of the test.
pub struct Node {
    pub router: Router,
    pub directory: TempDir,
    pub operator: SigningKey,
    pub treasury: SigningKey,
    pub owner: SigningKey,
    pub device: SigningKey,
    /// The secret of the operator's one-time link.
    pub first_link: String,
    ends: Ends,
    counter: u64,
    count: u32,
}

impl Node {
    pub async fn start(epoch_seconds: u64) -> Node {
        let directory = tempfile::tempdir().unwrap();
        let wanted = Wanted { network: Some("devnet".to_owned()), epoch_seconds: Some(epoch_seconds) };
        let opened = storage::open(&data(&directory), &wanted).unwrap();
        Node::of(directory, opened).await
    }

    /// A node of a network that these validators began, with epochs of a second. It decides alone, so what it shows of its
    /// validators can be looked at without the others.
    pub async fn of_several(validators: &[(&str, &SigningKey)]) -> Node {
        let directory = tempfile::tempdir().unwrap();
        let key = |seed: u8| SigningKey::from_seed([seed; 32]);
        let validators =
            validators.iter().map(|(name, key)| ((*name).to_owned(), key.public_key())).collect();
        let (operator, treasury) = (key(21), key(22));
        let keys = [("operator", &operator), ("treasury", &treasury), ("validator", &key(23))];
        let genesis = Genesis::network(
            "devnet",
            "lamppost/devnet",
            validators,
            operator.public_key(),
            treasury.public_key(),
            1,
            clock::now_unix_milliseconds(),
        );
        let document = directory.path().join("genesis.json");
        std::fs::write(&document, genesis.unwrap().to_json()).unwrap();
        let taken = DataDir::open(&data(&directory)).unwrap();
        keys.iter().for_each(|(name, key)| keys::write(&taken.key(name), key).unwrap());
        drop(taken);
        let opened = storage::open_network(&data(&directory), &document, "validator").unwrap();
        Node::of(directory, opened).await
    }

    async fn of(directory: TempDir, opened: Opened) -> Node {
        let key = |name: &str| keys::read(&opened.directory.key(name)).unwrap();
        let (operator, treasury) = (key("operator"), key("treasury"));
        let ends = host::start(opened, Arc::new(Telemetry::new())).unwrap();
        let shared = ends.shared.clone();
        let addresses = Addresses {
            http_url: "http://127.0.0.1:8080".to_owned(),
            mqtt_url: "mqtt://127.0.0.1:1883".to_owned(),
            operator_key: "keys/operator.pem".into(),
            own_map: None,
        };
        let view = Arc::new(Window::new(shared.clone(), addresses));
        let (desk, first_link) = sign_in_desk(&directory, &shared);
        let router = http::router(shared, view, Arc::new(desk));
        let first_link = first_link.and_then(|url| Some(url.split_once("link=")?.1.to_owned())).unwrap();
        let (owner, device) = (SigningKey::from_seed([11; 32]), SigningKey::from_seed([12; 32]));
        let mut node = Node {
            router,
            directory,
            operator,
            treasury,
            owner,
            device,
            first_link,
            ends,
            counter: 0,
            count: 0,
        };
        let position =
            Some(Position { latitude_microdegrees: 57_149_700, longitude_microdegrees: -2_094_300 });
        let owner = Some(AccountId::of(&node.owner.public_key()));
        let enrol = Instruction::Enrol { public_key: node.device.public_key(), owner, position };
        let operator = node.operator.clone();
        node.instruct(&operator, &enrol).await;
        node
    }

    /// The end of the outbox that a broker would have.
    pub fn outbound(&mut self) -> &mut gateway::outbox::Receiver {
        &mut self.ends.outbound
    }

    /// The commands in it.
    pub fn outbound_commands(&self) -> gateway::outbox::Commands {
        self.ends.outbound.commands()
    }

    pub fn shared(&self) -> &Shared {
        &self.ends.shared
    }

    pub fn kid(&self) -> String {
        self.device.kid().to_string()
    }

    pub fn owner_account(&self) -> String {
        AccountId::of(&self.owner.public_key()).to_string()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 16 * 1024 * 1024).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_csv(&self, path: &str) -> Answer {
        self.send(Request::get(path).header(header::ACCEPT, "text/csv").body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, content_type: &str, body: Vec<u8>) -> Answer {
        let request = Request::post("/api/v1/transactions").header(header::CONTENT_TYPE, content_type);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Signs and submits an instruction; gives its id.
    pub async fn instruct(&mut self, key: &SigningKey, instruction: &Instruction) -> String {
        self.counter += 1;
        let mut out = vec![0; 16 * 1024];
        let payload = instruction.encode();
        let length = sign_instruction(key, "devnet", self.counter, &payload, true, &mut out).unwrap();
        let answer = self.post("application/cose", out[..length].to_vec()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Signs and submits an instruction that is refused.
    pub async fn refused(&mut self, key: &SigningKey, instruction: &Instruction) -> Answer {
        self.counter += 1;
        let mut out = vec![0; 16 * 1024];
        let payload = instruction.encode();
        let length = sign_instruction(key, "devnet", self.counter, &payload, true, &mut out).unwrap();
        self.post("application/cose", out[..length].to_vec()).await
    }

    /// The next envelope of the device: one reading of a quantity.
    pub fn envelope(&mut self, quantity: &str, unit: &str, value: &str) -> Vec<u8> {
        let time = u32::try_from(clock::now_unix_milliseconds() / 1_000).unwrap();
        let base = Base { version: Some(26), name: None, time: Some(time), unit: None };
        let value = Value::Number(value.parse::<Decimal>().unwrap());
        let record = Record { name: Some(quantity), unit: Some(unit), value, time_offset_seconds: None };
        self.signed(&base, &record)
    }

    /// The next envelope of this device, with this record.
    pub fn signed(&mut self, base: &Base<'_>, record: &Record<'_>) -> Vec<u8> {
        let mut pack = [0; 512];
        self.count += 1;
        let length = encode_pack(base, &[*record], &mut pack).unwrap();
        let sequence = Sequence { boot: 1, count: self.count };
        let mut out = [0; 1024];
        let length = sign_reading(&self.device, "devnet", sequence, &pack[..length], &mut out).unwrap();
        out[..length].to_vec()
    }

    /// Submits one reading; gives its id.
    pub async fn read(&mut self, quantity: &str, unit: &str, value: &str) -> String {
        let envelope = self.envelope(quantity, unit, value);
        let answer = self.post("application/cose", envelope).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the owner was paid.
    pub async fn settled(&self) -> serde_json::Value {
        let path = format!("/api/v1/accounts/{}/statements", self.owner_account());
        let mut events = self.shared().watch(None);
        loop {
            let answer = self.get(&path).await.json();
            if answer.as_array().is_some_and(|statements| !statements.is_empty()) {
                return answer;
            }
            let told = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
            told.expect("an epoch is settled, and that is told");
        }
    }

    /// Stops the node and waits until everything is on disk.
    pub async fn stop(self) -> TempDir {
        let Ends { stop, finished, .. } = self.ends;
        drop(stop);
        finished.await.unwrap().unwrap();
        self.directory
    }
}

/// The desk of a node that is reached by `http://localhost:8080`, and the operator's link of the first run.
pub fn sign_in_desk(directory: &TempDir, shared: &Shared) -> (SignIn, Option<String>) {
    let (now, random) = (clock::now_unix_milliseconds(), clock::random_seed().unwrap());
    let origins = Origins::new(None, "127.0.0.1:8080".parse().unwrap());
    let operator = shared.state().operator();
    SignIn::open(&data(directory), "devnet", operator, origins, now, random).unwrap()
}

/// The node's data directory within the test's.
pub fn data(directory: &TempDir) -> PathBuf {
    let path: &Path = directory.path();
    path.join("data")
}
