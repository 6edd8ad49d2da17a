//! What is of whoever is signed in alone: the transfers of their account as a file.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::accounts;
use super::door::{Door, Parameters};
use super::instant;
use super::problem::Problem;
use crate::limits::QUERY_ITEMS_MAX;
use crate::sign_in::{SignInError, Visitor};

/// The days that a form asks for, `2026-11-22`; empty where nobody chose one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Days {
    /// The first.
    from: String,
    /// The first that is not asked for.
    to: String,
}

/// A day's first moment, as a query of the API has it.
fn beginning(day: &str) -> Option<String> {
    (!day.is_empty()).then(|| format!("{day}T00:00:00Z"))
}

/// The transfers of the account that is signed in, newest first, as the API's CSV has them.
pub async fn payouts_csv(
    State(door): State<Door>,
    visitor: Visitor,
    Parameters(days): Parameters<Days>,
) -> Result<Response, Problem> {
    let account = visitor.session.ok_or(SignInError::SignedOut)?.account;
    let range = instant::range(beginning(&days.from).as_deref(), beginning(&days.to).as_deref())?;
    let transfers =
        door.query(move |shared| accounts::transfers_of(shared, account, &range, QUERY_ITEMS_MAX)).await?;
    Ok(accounts::table(&transfers).response(&format!("payouts-{account}.csv")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_no_day_asks_for_nothing() {
        let range = instant::range(beginning("2026-11-22").as_deref(), beginning("").as_deref()).unwrap();
        assert_eq!(range, 1_795_305_600_000..u64::MAX);
        assert!(instant::range(beginning("yesterday").as_deref(), None).is_err());
    }
}
