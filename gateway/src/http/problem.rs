//! Errors as RFC 9457 problem details: one document shape for everything that goes wrong.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::shared::ReadError;

/// The media type of RFC 9457 §3.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, in one document (RFC 9457 §3.1).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says the kind, `reason` says which of them.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    pub title: String,
    /// The HTTP status code.
    #[schema(example = 404)]
    pub status: u16,
    /// One sentence that says what to change.
    pub detail: String,
    /// For a refused transaction: the contract's word for the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "replayed")]
    pub reason: Option<String>,
    /// For a refused transaction whose id could be computed: the id, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Problem {
    /// A problem of this status, with one sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            reason: None,
            id: None,
        }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: nothing durable stands there.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// What could not be read: 410 for what pruning erased, 500 for anything else.
    pub fn unreadable(cause: ReadError) -> Problem {
        match cause {
            ReadError::Pruned(_) => Problem::new(StatusCode::GONE, cause.to_string()).with_reason("pruned"),
            other => Problem::internal(other),
        }
    }

    /// 500: the node could not read its own records. The cause is logged, never shown to the network.
    pub fn internal(cause: impl std::fmt::Display) -> Problem {
        tracing::error!(%cause, "a query failed");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the node could not read its own records; its log says why",
        )
    }

    /// The same problem with the word for a refusal.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Problem {
        self.reason = Some(reason.into());
        self
    }

    /// The same problem with the refused transaction's id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Problem {
        self.id = Some(id.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
