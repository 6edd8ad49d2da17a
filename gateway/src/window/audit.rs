//! The auditor's figures: who signed, the log at epochs' ends, every token, and that the log only grew.

use base64ct::{Base64, Encoding as _};
use dashboard::view::{EpochEnd, Growth, Proof, Supply};
use ledger::checkpoint::SignedCheckpoint;
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::note::Note;

use crate::proofs;
use crate::running::Look;
use crate::shared::{ReadError, Shared};

/// Names of the validators whose signatures on a checkpoint hold; none where too few do.
pub fn signers(handovers: &Handovers, checkpoint: &str) -> Vec<String> {
    let note = Note::parse(checkpoint).ok();
    let signed = note.and_then(|note| SignedCheckpoint::verify(&note, handovers).ok());
    signed.map(|signed| signed.signers().to_vec()).unwrap_or_default()
}

/// The last epochs' ends, the newest first.
pub fn epoch_ends(shared: &Shared, most: usize) -> Result<Vec<EpochEnd>, ReadError> {
    let mut ends = Vec::new();
    for (height, settlement) in shared.index.last_settlements(most)? {
        let place = shared.index.block(height)?.ok_or(ReadError::Disagree)?;
        let log_size = place.first_index.saturating_add(place.entries.into());
        ends.push(EpochEnd {
            epoch: settlement.last_epoch,
            height,
            time_milliseconds: place.time_unix_milliseconds,
            log_size,
            root: Base64::encode_string(&shared.rows.root(log_size)?),
            paid_microtokens: settlement.paid_microtokens,
        });
    }
    Ok(ends)
}

/// Every token on both sides, each account looked at.
pub fn supply(genesis: &Genesis, look: &Look<'_>) -> Supply {
    let state = &look.state;
    let made = genesis.pool_microtokens.saturating_add(genesis.treasury_microtokens);
    let named = [state.pool(), state.treasury(), state.supply()];
    let others = state.accounts().map(|(id, _)| id).filter(|id| !named.contains(id));
    let (mut holders, mut held) = (0_u64, 0_u64);
    for balance in others.map(|id| state.balance_microtokens(id)).filter(|balance| *balance > 0) {
        holders = holders.saturating_add(1);
        held = held.saturating_add(balance);
    }
    // A device's escrow is emptied when it gets an owner, so only those without one have any.
    let ownerless = state.devices().filter(|(_, device)| device.owner().is_none());
    let escrows = ownerless.map(|(kid, _)| state.balance_microtokens(state.escrow(kid)));
    let (mut escrow, mut full_escrows) = (0_u64, 0_u64);
    for balance in escrows.filter(|balance| *balance > 0) {
        full_escrows = full_escrows.saturating_add(1);
        escrow = escrow.saturating_add(balance);
    }
    Supply {
        genesis_microtokens: made,
        issued_since_microtokens: state.issued_microtokens().saturating_sub(made),
        pool_microtokens: state.balance_microtokens(state.pool()),
        treasury_microtokens: state.balance_microtokens(state.treasury()),
        escrow_microtokens: escrow,
        holders_microtokens: held.saturating_sub(escrow),
        holders: holders.saturating_sub(full_escrows),
    }
}

/// The proof between two sizes, or why there is none.
pub fn growth(shared: &Shared, from: u64, to: u64) -> Result<Growth, ReadError> {
    let size = shared.checkpoint_and_size().1;
    if from == 0 {
        let sentence = "A log of no entries proves nothing: every log begins with it. Ask from 1 on.";
        return Ok(Growth::Refused(sentence.to_owned()));
    }
    if from > to {
        return Ok(Growth::Refused(format!(
            "A log only grows: the size of {from} entries comes after that of {to}. Ask the other way round."
        )));
    }
    let Some(path) = proofs::consistency(shared, from, to)? else {
        return Ok(Growth::Refused(format!(
            "The log has {size} entries, so nobody has signed a checkpoint of {to}. If somebody shows you one, keep it."
        )));
    };
    let root =
        |size: u64| -> Result<String, ReadError> { Ok(Base64::encode_string(&shared.rows.root(size)?)) };
    Ok(Growth::Proven(Proof {
        from,
        to,
        from_root: root(from)?,
        to_root: root(to)?,
        hashes: path.iter().map(|hash| Base64::encode_string(hash)).collect(),
    }))
}
