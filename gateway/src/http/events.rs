//! What happens, as it happens: blocks, settlements and refusals as server-sent events.

#![allow(unused_qualifications, reason = "utoipa writes parameters' types with their paths")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::mem::discriminant;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio_stream::Stream;
use utoipa::{IntoParams, ToSchema};

use super::amount::Amount;
use super::door::{Door, Parameters};
use super::instant::rfc3339;
use super::problem::Problem;
use crate::events::{Event, EventId, Told, Watcher};
use crate::limits::{EVENT_KEEP_ALIVE_SECONDS, EVENT_PAUSE_MILLISECONDS_MAX};

/// The data of one event; the event's name says which.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventData {
    /// `block`: a block is durable.
    Block {
        /// Its height.
        height: u64,
        /// Its time.
        time: String,
        /// Entries in the log after it.
        log_size: u64,
        /// Readings it accepted.
        readings: u64,
        /// Instructions it carried out.
        instructions: u64,
    },
    /// `settlement`: epochs were settled and rewards posted.
    Settlement {
        /// First epoch.
        epoch_from: u64,
        /// Last epoch.
        epoch_to: u64,
        /// Height of the block that settled them.
        height: u64,
        /// Statements written.
        statements: u64,
        /// Paid in all.
        paid: Amount,
    },
    /// `refusal`: a reading was refused.
    Refusal {
        /// The device it claimed to come from.
        kid: String,
        /// The device's number of it, where it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        boot: Option<u32>,
        /// The device's number of it, where it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
        /// The contract's word.
        reason: &'static str,
    },
    /// `missed`: the reader was too slow, or away too long; these events are lost to it.
    Missed {
        /// How many; absent when they were told before the node was started.
        #[serde(skip_serializing_if = "Option::is_none")]
        events: Option<u64>,
    },
}

/// How much a reader wants to hear.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// At most one delivery in so many milliseconds, and in it only the newest event of each kind: enough for a page
    /// that is fetched anew on any of them. Without it every event is delivered.
    #[param(example = 2000)]
    every_milliseconds: Option<u64>,
}

/// Blocks, settlements and refusals as they happen (server-sent events)
///
/// Events are named `block`, `settlement` and `refusal`, and each has an id. A reader that comes back with the header
/// `Last-Event-ID` is told first what has happened since, or `missed`, where that is no longer known.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<String>, Header, description = "The last id that was heard")),
    responses(
        (status = 200, body = EventData, content_type = "text/event-stream"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn events(
    State(door): State<Door>,
    headers: HeaderMap,
    Parameters(query): Parameters<EventQuery>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Problem> {
    let pause = query.every_milliseconds;
    if pause.is_some_and(|pause| pause > EVENT_PAUSE_MILLISECONDS_MAX) {
        let sentence =
            format!("the parameter `every_milliseconds` is at most {EVENT_PAUSE_MILLISECONDS_MAX}");
        return Err(Problem::bad_request(sentence));
    }
    // An id that no node of ours gave, as of a reader that was led here from another stream, is none.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let permit = door.stream()?;
    let watcher = door.shared().watch(last);
    // What is told before anything happens: else a reader that is cut off now would come back knowing nothing.
    let opening = Sent::default().id(watcher.last().to_string()).comment("since");
    let deliveries = Deliveries {
        ready: VecDeque::from([opening]),
        coming: Box::pin(delivery(watcher, Duration::ZERO, pause.is_some())),
        pause: pause.map(Duration::from_millis),
        _held_as_long_as_the_stream: permit,
    };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(EVENT_KEEP_ALIVE_SECONDS));
    Ok(Sse::new(deliveries).keep_alive(keep_alive))
}

type Coming = Pin<Box<dyn Future<Output = (Watcher, Vec<Sent>)> + Send>>;

/// A reader's events, delivery by delivery.
struct Deliveries {
    ready: VecDeque<Sent>,
    coming: Coming,
    pause: Option<Duration>,
    _held_as_long_as_the_stream: OwnedSemaphorePermit,
}

impl Stream for Deliveries {
    type Item = Result<Sent, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(sent) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(sent)));
            }
            let (watcher, ready) = std::task::ready!(self.coming.as_mut().poll(context));
            self.ready = ready.into();
            self.coming = Box::pin(delivery(watcher, self.pause.unwrap_or_default(), self.pause.is_some()));
        }
    }
}

async fn delivery(mut watcher: Watcher, pause: Duration, brief: bool) -> (Watcher, Vec<Sent>) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    let batch = watcher.next().await;
    let missed =
        batch.missed.map(|missed| sent(missed.until, "missed", &EventData::Missed { events: missed.events }));
    let told = if brief { newest_of_each_kind(batch.told) } else { batch.told };
    let told = told.into_iter().map(|told| {
        let (name, data) = described(told.event);
        sent(told.id, name, &data)
    });
    (watcher, missed.into_iter().chain(told).collect())
}

/// In their order, so that the last one has the newest id of all.
fn newest_of_each_kind(told: Vec<Told>) -> Vec<Told> {
    let mut kept: Vec<Told> = Vec::new();
    for told in told.into_iter().rev() {
        if kept.iter().all(|later| discriminant(&later.event) != discriminant(&told.event)) {
            kept.push(told);
        }
    }
    kept.reverse();
    kept
}

fn sent(id: EventId, name: &str, data: &EventData) -> Sent {
    // Serialising plain structs cannot fail; were it to, the name alone still says that something happened.
    Sent::default().id(id.to_string()).event(name).data(serde_json::to_string(data).unwrap_or_default())
}

fn described(event: Event) -> (&'static str, EventData) {
    match event {
        Event::Block { height, time_unix_milliseconds, log_size, readings, instructions } => {
            let time = rfc3339(time_unix_milliseconds);
            ("block", EventData::Block { height, time, log_size, readings, instructions })
        }
        Event::Settlement { epoch_from, epoch_to, height, statements, paid_microtokens } => {
            let paid = Amount::new(paid_microtokens);
            ("settlement", EventData::Settlement { epoch_from, epoch_to, height, statements, paid })
        }
        Event::Refusal { kid, sequence, reason } => {
            let (boot, count) = (sequence.map(|number| number.boot), sequence.map(|number| number.count));
            ("refusal", EventData::Refusal { kid: kid.to_string(), boot, count, reason: reason.as_str() })
        }
    }
}
