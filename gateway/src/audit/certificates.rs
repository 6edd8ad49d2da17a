//! The judge of certificates: whether more than two thirds of the validators of its height decided a block. Pure.

use ledger::block::Seal;
use ledger::certificate::{Certificate, CertificateError};
use ledger::merkle::Hash;
use ledger::validators::Validators;

/// Why it is not shown that a block was decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// There is none.
    #[error("no certificate says that the validators decided this block")]
    Missing,
    /// It is of another block.
    #[error("the certificate is of block {found}, not of this one")]
    Height {
        /// What it says.
        found: u64,
    },
    /// It is of another block of this height.
    #[error("the certificate is of another block of this height: the block was altered, or the log forked")]
    Block,
    /// It does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Judges what lies beside a block by the validators of its height: those of the state before it.
///
/// # Errors
/// The first thing that is wrong.
pub fn judge(
    certificate: Option<&[u8]>,
    seal: &Seal,
    genesis_hash: &Hash,
    validators: &Validators,
) -> Result<(), CertificateFault> {
    let bytes = certificate.ok_or(CertificateFault::Missing)?;
    let certificate = Certificate::decode(bytes).map_err(CertificateError::from)?;
    if certificate.height != seal.height {
        return Err(CertificateFault::Height { found: certificate.height });
    }
    if certificate.block_id != seal.id() {
        return Err(CertificateFault::Block);
    }
    Ok(certificate.verify(genesis_hash, validators)?)
}
