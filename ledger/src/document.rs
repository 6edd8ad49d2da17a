//! Everything that is verified offline, told apart by its first line: receipts, state proofs, consistency proofs.

use crate::consistency::{self, ConsistencyError, ConsistencyProof, VerifiedConsistency};
use crate::handovers::Handovers;
use crate::receipt::{self, Receipt, ReceiptError, VerifiedReceipt};
use crate::state_proof::{self, StateProof, StateProofError, VerifiedState};
use alloc::boxed::Box;

/// Why a document proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// No known kind.
    #[error(
        "the first line is that of no proof: it must be {}, {} or {}",
        receipt::HEADER,
        state_proof::HEADER,
        consistency::HEADER
    )]
    Kind,
    /// A receipt that does not hold.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A state proof that does not hold.
    #[error(transparent)]
    State(#[from] StateProofError),
    /// A consistency proof that does not hold.
    #[error(transparent)]
    Consistency(#[from] ConsistencyError),
}

/// A document that holds, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// An entry stands in the log.
    Receipt(VerifiedReceipt),
    /// A leaf stands in the state.
    State(Box<VerifiedState>),
    /// A log only grew.
    Consistency(VerifiedConsistency),
}

/// Checks a document against a network's validators, as its genesis document and their changes tell them, and nothing else.
///
/// # Errors
/// The first thing that fails, in one sentence.
pub fn verify(text: &str, handovers: &Handovers) -> Result<Verified, DocumentError> {
    match text.split('\n').next() {
        Some(receipt::HEADER) => Ok(Verified::Receipt(Receipt::parse(text)?.verify(handovers)?)),
        Some(state_proof::HEADER) => {
            Ok(Verified::State(Box::new(StateProof::parse(text)?.verify(handovers)?)))
        }
        Some(consistency::HEADER) => {
            Ok(Verified::Consistency(ConsistencyProof::parse(text)?.verify(handovers)?))
        }
        _ => Err(DocumentError::Kind),
    }
}
