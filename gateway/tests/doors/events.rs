//! The event stream: what happens is told as it happens, and a reader that comes back misses nothing, or hears that it did.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode, header};
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

use crate::node::Node;

/// An open stream and what was heard of it.
struct Reader {
    stream: BodyDataStream,
    heard: String,
}

impl Reader {
    async fn open(node: &Node, query: &str, last: Option<&str>) -> Reader {
        let mut request = Request::get(format!("/api/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = node.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Reader { stream: response.into_body().into_data_stream(), heard: String::new() }
    }

    /// Listens until all that was heard is as wanted.
    async fn hears(&mut self, wanted: impl Fn(&str) -> bool) -> &str {
        while !wanted(&self.heard) {
            let piece = tokio::time::timeout(Duration::from_secs(10), self.stream.next()).await;
            let piece = piece.unwrap_or_else(|_| panic!("events within 10 s, beside {:?}", self.heard));
            self.heard.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
        }
        &self.heard
    }

    fn ids(&self) -> Vec<&str> {
        self.heard.lines().filter_map(|line| line.strip_prefix("id: ")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_of_blocks_and_refusals_as_they_happen() {
    let mut node = Node::start(60).await;
    let mut reader = Reader::open(&node, "", None).await;
    let envelope = node.envelope("temp", "Cel", "1");
    node.post("application/cose", envelope.clone()).await;
    node.post("application/cose", envelope).await;
    let heard =
        reader.hears(|heard| heard.contains("event: block") && heard.contains("event: refusal")).await;
    assert!(heard.contains("\"reason\":\"replayed\""), "{heard}");
    assert!(heard.contains("\"readings\":1"), "{heard}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_back_is_told_what_happened_meanwhile_once() {
    let mut node = Node::start(60).await;
    let mut reader = Reader::open(&node, "", None).await;
    reader.hears(|heard| heard.contains("id: ")).await;
    let since = reader.ids()[0].to_owned();
    drop(reader);
    for value in ["1", "2", "3"] {
        node.read("temp", "Cel", value).await;
    }
    let mut back = Reader::open(&node, "", Some(&since)).await;
    back.hears(|heard| heard.matches("event: block").count() == 3).await;
    assert!(!back.heard.contains("event: missed"), "{}", back.heard);
    let ids: Vec<String> = back.ids().into_iter().map(str::to_owned).collect();
    assert_eq!(ids[0], since, "the stream says first from where it goes on");
    let mut sorted = ids.clone();
    sorted.dedup();
    assert_eq!(sorted.len(), 4, "every id is given once: {ids:?}");

    let mut later = Reader::open(&node, "", Some(&ids[2])).await;
    let heard = later.hears(|heard| heard.contains("event: block")).await.to_owned();
    assert_eq!(heard.matches("event: block").count(), 1, "only what came after that id: {heard}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_from_before_a_restart_is_told_that_it_missed_something() {
    let mut node = Node::start(60).await;
    node.read("temp", "Cel", "1").await;
    let mut reader = Reader::open(&node, "", Some("1.5")).await;
    let heard = reader.hears(|heard| heard.contains("event: missed")).await;
    assert!(heard.contains("data: {}"), "how many, nobody knows: {heard}");
    let mut nonsense = Reader::open(&node, "", Some("yesterday")).await;
    nonsense.hears(|heard| heard.contains("id: ")).await;
    assert!(!nonsense.heard.contains("missed"), "an id of no node is none: {}", nonsense.heard);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_hears_of_each_kind_once_in_a_while() {
    let mut node = Node::start(60).await;
    let mut first = Reader::open(&node, "", None).await;
    first.hears(|heard| heard.contains("id: ")).await;
    let since = first.ids()[0].to_owned();
    let mut envelopes = Vec::new();
    for value in ["1", "2", "3", "4"] {
        let envelope = node.envelope("temp", "Cel", value);
        node.post("application/cose", envelope.clone()).await;
        envelopes.push(envelope);
    }
    node.post("application/cose", envelopes.remove(0)).await;
    let mut page = Reader::open(&node, "?every_milliseconds=50", Some(&since)).await;
    let heard = page.hears(|heard| heard.contains("event: refusal")).await;
    assert_eq!(heard.matches("event: block").count(), 1, "the newest block of four: {heard}");
    let refused = node.get("/api/v1/events?every_milliseconds=3600000").await;
    assert!(refused.problem(StatusCode::BAD_REQUEST).contains("every_milliseconds"));
    node.stop().await;
}
