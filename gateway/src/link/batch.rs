//! A signed batch: a gateway's word (sequence, content hash) and the transactions that it speaks for. Pure.
//!
//! `[word, [transaction, …]]` in deterministic CBOR: the word is a COSE_Sign1 as `devices::gateway_batch` makes it, all are
//! byte strings.

use devices::cbor::{DecodeError, EncodeError, Reader, Writer};
use devices::gateway_batch::content_hash;
use devices::limits::{GATEWAY_BATCH_BYTES_MAX, INSTRUCTION_BYTES_MAX};
use devices::{DeviceId, GatewayBatch, PublicKey, Refusal, SealError, SigningKey, VerifiedGatewayBatch};

use crate::limits::{LINK_BATCH_BYTES_MAX, LINK_BATCH_OVERHEAD_BYTES, LINK_BATCH_TRANSACTIONS_MAX};

/// A batch cannot be made, or is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It has no transaction, or too many.
    #[error("a batch has 1 to {LINK_BATCH_TRANSACTIONS_MAX} transactions, not {0}")]
    Transactions(usize),
    /// It is too long.
    #[error("a batch has at most {LINK_BATCH_BYTES_MAX} bytes, not {0}")]
    Bytes(usize),
    /// A transaction is empty or too long.
    #[error("a transaction has 1 to {INSTRUCTION_BYTES_MAX} bytes, not {0}")]
    Transaction(usize),
    /// It is not in its one encoding.
    #[error("the batch is not in its one encoding: {0}")]
    Malformed(#[from] DecodeError),
    /// It could not be written.
    #[error("the batch cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// It could not be signed.
    #[error("the batch cannot be signed: {0}")]
    Seal(#[from] SealError),
    /// Another key than the gateway's signed it, or something in it was altered.
    #[error("the batch's signature does not hold: {}", .0.as_str())]
    Signature(Refusal),
    /// The transactions are not those that were signed for.
    #[error("the batch's transactions are not those that its gateway signed for")]
    Content,
}

/// A well-formed batch, of which nobody has checked the signature yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    word: Vec<u8>,
    claimed: GatewayBatch,
    kid: DeviceId,
    transactions: Vec<Vec<u8>>,
}

impl Batch {
    /// Signs transactions as the gateway's batch `sequence` and returns its bytes.
    ///
    /// # Errors
    /// When there are none or too many, or something is too long.
    pub fn sign(
        key: &SigningKey,
        network: &str,
        sequence: u64,
        transactions: &[Vec<u8>],
    ) -> Result<Vec<u8>, BatchError> {
        let bytes_max = Batch::bytes_max(transactions)?;
        let claimed = GatewayBatch {
            sequence,
            content_hash: content_hash(transactions),
            transactions: count(transactions.len())?,
        };
        let mut word = [0; GATEWAY_BATCH_BYTES_MAX];
        let length = claimed.sign(key, network, &mut word)?;
        let mut bytes = Vec::with_capacity(bytes_max);
        let mut writer = Writer::appending(&mut bytes);
        writer.array_header(2)?;
        writer.bytes(&word[..length])?;
        writer.array_header(transactions.len())?;
        transactions.iter().try_for_each(|transaction| writer.bytes(transaction))?;
        Ok(bytes)
    }

    /// The most bytes that a batch of these transactions takes.
    ///
    /// # Errors
    /// When they make no batch.
    pub fn bytes_max(transactions: &[Vec<u8>]) -> Result<usize, BatchError> {
        count(transactions.len())?;
        transactions.iter().try_for_each(|transaction| fits(transaction))?;
        let bytes = transactions.iter().map(|transaction| Batch::bytes_of(transaction)).sum::<usize>();
        let bytes = bytes + LINK_BATCH_OVERHEAD_BYTES;
        if bytes <= LINK_BATCH_BYTES_MAX { Ok(bytes) } else { Err(BatchError::Bytes(bytes)) }
    }

    /// What a transaction adds to a batch's bytes; the rest of a batch takes `LINK_BATCH_OVERHEAD_BYTES`.
    pub fn bytes_of(transaction: &[u8]) -> usize {
        transaction.len() + 3
    }

    /// Takes a batch apart. Neither hash nor signature are looked at: see [`Batch::verify`].
    ///
    /// # Errors
    /// When the bytes are not a batch in its one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Batch, BatchError> {
        if bytes.len() > LINK_BATCH_BYTES_MAX {
            return Err(BatchError::Bytes(bytes.len()));
        }
        let mut reader = Reader::new(bytes);
        if reader.array_header()? != 2 {
            return Err(DecodeError::Unexpected.into());
        }
        let word = reader.bytes()?.to_vec();
        let (claimed, kid) = GatewayBatch::decode(&word)?;
        let length = reader.array_header()?;
        count(length)?;
        let mut transactions = Vec::with_capacity(length);
        for _ in 0..length {
            let transaction = reader.bytes()?;
            fits(transaction)?;
            transactions.push(transaction.to_vec());
        }
        reader.end()?;
        Ok(Batch { word, claimed, kid, transactions })
    }

    /// The gateway's number for it.
    pub fn sequence(&self) -> u64 {
        self.claimed.sequence
    }

    /// The kid of the key that is said to have signed it.
    pub fn kid(&self) -> DeviceId {
        self.kid
    }

    /// Its transactions.
    pub fn transactions(&self) -> &[Vec<u8>] {
        &self.transactions
    }

    /// Checks that the holder of `key` signed for these transactions.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(self, key: &PublicKey, network: &str) -> Result<VerifiedBatch, BatchError> {
        let verified =
            VerifiedGatewayBatch::verify(&self.word, key, network).map_err(BatchError::Signature)?;
        let GatewayBatch { sequence, content_hash: signed, transactions } = *verified.batch();
        if count(self.transactions.len())? != transactions || content_hash(&self.transactions) != signed {
            return Err(BatchError::Content);
        }
        Ok(VerifiedBatch { sequence, content_hash: signed, transactions: self.transactions })
    }
}

/// A batch whose gateway signed for exactly these transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBatch {
    sequence: u64,
    content_hash: [u8; 32],
    transactions: Vec<Vec<u8>>,
}

impl VerifiedBatch {
    /// One that nobody signed, for tests of what comes behind the signature.
    #[cfg(all(test, feature = "bft"))]
    pub(super) fn of(sequence: u64, content_hash: [u8; 32], transactions: Vec<Vec<u8>>) -> VerifiedBatch {
        VerifiedBatch { sequence, content_hash, transactions }
    }

    /// The gateway's number for it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The hash of its transactions.
    pub fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// Its transactions.
    pub fn transactions(&self) -> &[Vec<u8>] {
        &self.transactions
    }

    /// Its transactions, to hand on.
    pub fn into_transactions(self) -> Vec<Vec<u8>> {
        self.transactions
    }
}

fn count(transactions: usize) -> Result<u32, BatchError> {
    let allowed = (1..=LINK_BATCH_TRANSACTIONS_MAX).contains(&transactions);
    u32::try_from(transactions).ok().filter(|_| allowed).ok_or(BatchError::Transactions(transactions))
}

fn fits(transaction: &[u8]) -> Result<(), BatchError> {
    let allowed = (1..=INSTRUCTION_BYTES_MAX).contains(&transaction.len());
    if allowed { Ok(()) } else { Err(BatchError::Transaction(transaction.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NETWORK: &str = "devnet";

    fn key() -> SigningKey {
        SigningKey::from_seed([9; 32])
    }

    fn judged(bytes: &[u8]) -> Result<VerifiedBatch, BatchError> {
        Batch::decode(bytes)?.verify(&key().public_key(), NETWORK)
    }

    #[test]
    fn what_makes_no_batch_is_refused_before_it_is_signed() {
        let sign = |transactions: &[Vec<u8>]| Batch::sign(&key(), NETWORK, 1, transactions).unwrap_err();
        assert_eq!(sign(&[]), BatchError::Transactions(0));
        assert_eq!(sign(&[vec![]]), BatchError::Transaction(0));
        assert_eq!(
            sign(&[vec![0; INSTRUCTION_BYTES_MAX + 1]]),
            BatchError::Transaction(INSTRUCTION_BYTES_MAX + 1)
        );
        let many = LINK_BATCH_TRANSACTIONS_MAX + 1;
        assert_eq!(sign(&vec![vec![1]; many]), BatchError::Transactions(many));
        assert!(matches!(sign(&vec![vec![1; INSTRUCTION_BYTES_MAX]; 16]), BatchError::Bytes(_)));
        assert!(Batch::sign(&key(), "no network", 1, &[vec![1]]).is_err());
    }

    #[test]
    fn the_largest_batch_fits_its_bound() {
        let each = (LINK_BATCH_BYTES_MAX - LINK_BATCH_OVERHEAD_BYTES) / LINK_BATCH_TRANSACTIONS_MAX - 3;
        let transactions = vec![vec![7; each]; LINK_BATCH_TRANSACTIONS_MAX];
        let bytes = Batch::sign(&key(), NETWORK, u64::MAX, &transactions).unwrap();
        assert!(bytes.len() <= Batch::bytes_max(&transactions).unwrap());
        let verified = judged(&bytes).unwrap();
        assert_eq!((verified.sequence(), verified.into_transactions()), (u64::MAX, transactions));
    }

    #[test]
    fn a_batch_is_altered_nowhere_without_being_refused() {
        let good = Batch::sign(&key(), NETWORK, 5, &[b"one".to_vec(), b"two".to_vec()]).unwrap();
        judged(&good).unwrap();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut altered = good.clone();
                altered[at] ^= 1 << bit;
                assert!(judged(&altered).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!((0..good.len()).all(|length| judged(&good[..length]).is_err()));
        assert!(judged(&[&good[..], &[0]].concat()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_was_signed_comes_out(
            sequence: u64,
            transactions in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..400), 1..20),
        ) {
            let bytes = Batch::sign(&key(), NETWORK, sequence, &transactions).unwrap();
            let batch = Batch::decode(&bytes).unwrap();
            prop_assert_eq!((batch.sequence(), batch.kid()), (sequence, key().kid()));
            prop_assert!(bytes.len() <= Batch::bytes_max(&transactions).unwrap());
            let other = SigningKey::from_seed([8; 32]).public_key();
            prop_assert!(batch.clone().verify(&other, NETWORK).is_err());
            prop_assert!(batch.clone().verify(&key().public_key(), "othernet").is_err());
            let verified = batch.verify(&key().public_key(), NETWORK).unwrap();
            prop_assert_eq!(verified.transactions(), &transactions[..]);
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _refused = judged(&bytes);
        }
    }
}
