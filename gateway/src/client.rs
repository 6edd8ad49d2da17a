//! The commands' HTTP client: asks a node, and turns everything that goes wrong into one sentence.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Response, StatusCode};

use crate::limits::{CLIENT_ANSWER_BYTES_MAX, CLIENT_SECONDS_MAX};

/// Why a node's answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("\"{0}\" is no node's address: write it as http://HOST:PORT")]
    Address(String),
    /// Nobody answers there.
    #[error("no node answers at {url}: {cause}")]
    Unreachable {
        /// The node's address.
        url: String,
        /// What the network said.
        cause: String,
    },
    /// The node refused, with its own sentence.
    #[error("the node answers {status}: {sentence}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's `detail`.
        sentence: String,
        /// The problem's `reason`, where it has one.
        reason: Option<String>,
    },
    /// The answer is not what a node says.
    #[error("what answers at {0} is no Lamppost node, or one of another version")]
    NotANode(String),
}

impl ClientError {
    /// Whether the node said that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ClientError::Refused { status: 404, .. })
    }
}

/// One node, as the commands reach it.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    /// A client of the node at `url` (`http://HOST:PORT`); nothing is sent yet.
    ///
    /// # Errors
    /// When the address is no `http://` address.
    pub fn new(url: &str) -> Result<Client, ClientError> {
        let url = url.trim_end_matches('/');
        let authority = url
            .strip_prefix("http://")
            .filter(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', ' ']));
        let authority = authority.ok_or_else(|| ClientError::Address(printable(url)))?;
        let mut configuration = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(CLIENT_SECONDS_MAX)))
            .user_agent(concat!("lamppost/", env!("CARGO_PKG_VERSION")));
        if ["127.", "localhost", "[::1]"].iter().any(|own| authority.starts_with(own)) {
            // A proxy that the environment names cannot reach this machine's own addresses.
            configuration = configuration.proxy(None);
        }
        Ok(Client { agent: configuration.build().new_agent(), url: url.to_owned() })
    }

    /// The node's address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// When nobody answers, the node refuses, or the answer is no JSON.
    pub fn json(&self, path: &str) -> Result<Value, ClientError> {
        let bytes = self.bytes(path, "application/json")?;
        serde_json::from_slice(&bytes).map_err(|_| self.not_a_node())
    }

    /// Gets a text.
    ///
    /// # Errors
    /// When nobody answers, the node refuses, or the answer is no UTF-8.
    pub fn text(&self, path: &str) -> Result<String, ClientError> {
        String::from_utf8(self.bytes(path, "text/plain")?).map_err(|_| self.not_a_node())
    }

    /// Gets bytes.
    ///
    /// # Errors
    /// When nobody answers or the node refuses.
    pub fn bytes(&self, path: &str, accept: &str) -> Result<Vec<u8>, ClientError> {
        let answer = self.agent.get(format!("{}{path}", self.url)).header("accept", accept).call();
        self.body(answer)
    }

    /// Submits one COSE_Sign1 and waits until it is durable; returns what the node says of it.
    ///
    /// # Errors
    /// When nobody answers, or the transaction is refused.
    pub fn submit(&self, transaction: &[u8]) -> Result<Value, ClientError> {
        self.post("/api/v1/transactions", "application/cose", transaction)
    }

    /// Posts a body and gives the JSON document of the answer.
    ///
    /// # Errors
    /// When nobody answers, the node refuses, or the answer is no JSON.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, ClientError> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let answer = request.content_type(content_type).header("accept", "application/json").send(body);
        serde_json::from_slice(&self.body(answer)?).map_err(|_| self.not_a_node())
    }

    fn body(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Vec<u8>, ClientError> {
        let unreachable =
            |error: ureq::Error| ClientError::Unreachable { url: self.url.clone(), cause: error.to_string() };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(CLIENT_ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(unreachable)?;
        if status.is_success() { Ok(bytes) } else { Err(refused(status, &bytes)) }
    }

    fn not_a_node(&self) -> ClientError {
        ClientError::NotANode(self.url.clone())
    }
}

/// The problem document of a refusal (RFC 9457), or the bare status where the answer is none.
fn refused(status: StatusCode, body: &[u8]) -> ClientError {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |name: &str| problem.get(name).and_then(Value::as_str).map(printable);
    let sentence =
        word("detail").unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
    ClientError::Refused { status: status.as_u16(), sentence, reason: word("reason") }
}

/// What a stranger wrote, fit for a terminal: no control characters, and not endless.
pub fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_named() {
        for bad in ["", "127.0.0.1:8080", "https://node", "http://", "http://a/b", "ftp://a", "http://a b"] {
            assert!(matches!(Client::new(bad), Err(ClientError::Address(_))), "{bad}");
        }
        assert_eq!(Client::new("http://127.0.0.1:8080/").unwrap().url(), "http://127.0.0.1:8080");
    }

    #[test]
    fn a_node_that_does_not_answer_is_named() {
        // Port 9 of the own machine: nothing listens there, the connection is refused at once.
        let error = Client::new("http://127.0.0.1:9").unwrap().json("/healthz").unwrap_err();
        assert!(error.to_string().starts_with("no node answers at http://127.0.0.1:9: "), "{error}");
    }

    #[test]
    fn a_refusal_carries_the_nodes_own_sentence_without_control_characters() {
        let error = refused(StatusCode::CONFLICT, br#"{"detail":"no \u001b[31mred","reason":"replayed"}"#);
        assert_eq!(error.to_string(), "the node answers 409: no [31mred");
        assert!(matches!(error, ClientError::Refused { reason: Some(reason), .. } if reason == "replayed"));
        assert_eq!(
            refused(StatusCode::BAD_GATEWAY, b"<html>").to_string(),
            "the node answers 502: Bad Gateway"
        );
    }
}
