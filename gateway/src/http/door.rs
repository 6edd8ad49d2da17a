//! What the handlers share: the node's reads, bounded, and the ways a request's parts are read.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::limits::{EVENT_STREAMS_MAX, HTTP_QUERIES_MAX, QUERY_ITEMS_DEFAULT, QUERY_ITEMS_MAX};
use crate::shared::Shared;
use crate::sign_in::SignIn;

/// The handlers' state.
#[derive(Clone)]
pub struct Door {
    shared: Arc<Shared>,
    desk: Arc<SignIn>,
    queries: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Door {
    /// A door to a node, with a desk beside it.
    pub fn new(shared: Arc<Shared>, desk: Arc<SignIn>) -> Door {
        Door {
            shared,
            desk,
            queries: Arc::new(Semaphore::new(HTTP_QUERIES_MAX)),
            streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
        }
    }

    /// The node's reads, for what neither waits nor touches the disk.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Where people sign in.
    pub fn desk(&self) -> &Arc<SignIn> {
        &self.desk
    }

    /// Runs a query beside the event loop: it may take a lock or read the disk. At most `HTTP_QUERIES_MAX` run at once.
    ///
    /// # Errors
    /// What the query says.
    pub async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Shared) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.queries).acquire_owned().await.map_err(Problem::internal)?;
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || {
            let _until_done = permit;
            query(&shared)
        });
        task.await.map_err(Problem::internal)?
    }

    /// Leave to open one more event stream.
    ///
    /// # Errors
    /// 503 when `EVENT_STREAMS_MAX` are open.
    pub fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = |_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open; try again later")
        };
        Arc::clone(&self.streams).try_acquire_owned().map_err(busy)
    }
}

/// A request's query parameters; a wrong or unknown one is a problem document with one sentence.
pub struct Parameters<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|query| Parameters(query.0)).map_err(|rejection| {
            Problem::bad_request(format!("the query is not understood: {}", rejection.body_text()))
        })
    }
}

/// How many items a query may return.
///
/// # Errors
/// 400 when nothing or more than `QUERY_ITEMS_MAX` is asked for.
pub fn items(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(QUERY_ITEMS_DEFAULT) {
        limit @ 1..=QUERY_ITEMS_MAX => Ok(limit),
        _ => Err(Problem::bad_request(format!("the parameter `limit` lies from 1 to {QUERY_ITEMS_MAX}"))),
    }
}

/// Reads a name that stands in a path; what it must look like is said when it does not.
///
/// # Errors
/// 400 with one sentence.
pub fn named<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::bad_request(format!("this is no {what}: {error}")))
}
