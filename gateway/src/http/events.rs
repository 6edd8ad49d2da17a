//! What happens, as it happens: blocks, settlements and refusals as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use serde::Serialize;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt};
use utoipa::ToSchema;

use super::amount::Amount;
use super::door::Door;
use super::instant::rfc3339;
use super::problem::Problem;
use crate::limits::EVENT_KEEP_ALIVE_SECONDS;
use crate::shared::Event;

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
    /// `missed`: the reader was too slow; so many events are lost to it.
    Missed {
        /// How many.
        events: u64,
    },
}

/// Blocks, settlements and refusals as they happen (server-sent events)
///
/// Events are named `block`, `settlement`, `refusal`, and `missed` for a reader that was too slow.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    responses(
        (status = 200, body = EventData, content_type = "text/event-stream"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn events(
    State(door): State<Door>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Problem> {
    let permit = door.stream()?;
    let stream = BroadcastStream::new(door.shared().subscribe()).map(move |event| {
        let _held_as_long_as_the_stream = &permit;
        Ok(sent(event))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(EVENT_KEEP_ALIVE_SECONDS));
    Ok(Sse::new(stream).keep_alive(keep_alive))
}

fn sent(event: Result<Event, BroadcastStreamRecvError>) -> Sent {
    let (name, data) = described(event);
    // Serialising plain structs cannot fail; were it to, the name alone still says that something happened.
    Sent::default().event(name).data(serde_json::to_string(&data).unwrap_or_default())
}

fn described(event: Result<Event, BroadcastStreamRecvError>) -> (&'static str, EventData) {
    match event {
        Ok(Event::Block { height, time_unix_milliseconds, log_size, readings, instructions }) => {
            let time = rfc3339(time_unix_milliseconds);
            ("block", EventData::Block { height, time, log_size, readings, instructions })
        }
        Ok(Event::Settlement { epoch_from, epoch_to, height, statements, paid_microtokens }) => {
            let paid = Amount::new(paid_microtokens);
            ("settlement", EventData::Settlement { epoch_from, epoch_to, height, statements, paid })
        }
        Ok(Event::Refusal { kid, sequence, reason }) => {
            let (boot, count) = (sequence.map(|number| number.boot), sequence.map(|number| number.count));
            ("refusal", EventData::Refusal { kid: kid.to_string(), boot, count, reason: reason.as_str() })
        }
        Err(BroadcastStreamRecvError::Lagged(events)) => ("missed", EventData::Missed { events }),
    }
}
