//! A gateway's word for a batch of transactions that it submits to validators: which batch of its own, and of what.
//!
//! It is a COSE_Sign1 whose external_aad ends with `/batch`, so it can stand for no transaction, and whose payload is
//! `[content hash, number of transactions]`. What it speaks for is carried beside it and bound by the hash.

use sha2::{Digest, Sha256};

use crate::cbor::{DecodeError, Reader, Writer};
use crate::cose::{self, ContentType, Header, SealError, Sign1};
use crate::identity::{DeviceId, PublicKey, SigningKey};
use crate::limits::{
    GATEWAY_BATCH_BYTES_MAX, GATEWAY_BATCH_PAYLOAD_BYTES_MAX, GATEWAY_BATCH_SIG_STRUCTURE_BYTES_MAX,
};
use crate::refusal::Refusal;
use crate::signature;

/// The end of the external_aad, after `lamppost/1/{network}`.
const PURPOSE: &str = "/batch";

/// What a gateway signs of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GatewayBatch {
    /// The gateway's own number for it, never used for another one.
    pub sequence: u64,
    /// [`content_hash`] of its transactions.
    pub content_hash: [u8; 32],
    /// How many transactions it has.
    pub transactions: u32,
}

/// SHA-256 over each transaction with its length before it, 32 bits big-endian: no two batches have the same.
pub fn content_hash<T: AsRef<[u8]>>(transactions: impl IntoIterator<Item = T>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for transaction in transactions {
        let bytes = transaction.as_ref();
        // No transaction is longer than 16 bits tell (see `limits`); a longer one hashes to what no decoder accepts.
        hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(bytes);
    }
    hash.finalize().into()
}

impl GatewayBatch {
    /// Signs with the gateway's key and writes the COSE_Sign1 into `out`; returns its length.
    ///
    /// ```
    /// use devices::gateway_batch::{GatewayBatch, VerifiedGatewayBatch, content_hash};
    /// use devices::{Refusal, SigningKey, limits::GATEWAY_BATCH_BYTES_MAX};
    /// let key = SigningKey::from_seed([1; 32]);
    /// let batch = GatewayBatch { sequence: 7, content_hash: content_hash([b"one", b"two"]), transactions: 2 };
    /// let mut out = [0; GATEWAY_BATCH_BYTES_MAX];
    /// let length = batch.sign(&key, "devnet", &mut out)?;
    /// let verified = VerifiedGatewayBatch::verify(&out[..length], &key.public_key(), "devnet").unwrap();
    /// assert_eq!(verified.batch(), &batch);
    /// let elsewhere = VerifiedGatewayBatch::verify(&out[..length], &key.public_key(), "othernet");
    /// assert_eq!(elsewhere.unwrap_err(), Refusal::Signature);
    /// # Ok::<(), devices::SealError>(())
    /// ```
    ///
    /// # Errors
    /// When the network id is none.
    pub fn sign(&self, key: &SigningKey, network: &str, out: &mut [u8]) -> Result<usize, SealError> {
        let mut payload = [0; GATEWAY_BATCH_PAYLOAD_BYTES_MAX];
        let mut writer = Writer::new(&mut payload);
        writer.array_header(2)?;
        writer.bytes(&self.content_hash)?;
        writer.unsigned(self.transactions.into())?;
        let length = writer.position();
        let cti = self.sequence.to_be_bytes();
        let header = Header { content_type: ContentType::Cbor, kid: key.kid(), cti, key: None };
        let mut scratch = [0; GATEWAY_BATCH_SIG_STRUCTURE_BYTES_MAX];
        cose::seal_with(key, PURPOSE, network, &header, &payload[..length], &mut scratch, out)
    }

    /// What a COSE_Sign1 says, and the kid of who is said to have signed it, before anybody has checked that.
    ///
    /// # Errors
    /// When the bytes are no such COSE_Sign1.
    pub fn decode(bytes: &[u8]) -> Result<(GatewayBatch, DeviceId), DecodeError> {
        let (batch, sign1) = GatewayBatch::take_apart(bytes)?;
        Ok((batch, sign1.header.kid))
    }

    fn take_apart(bytes: &[u8]) -> Result<(GatewayBatch, Sign1<'_>), DecodeError> {
        if bytes.len() > GATEWAY_BATCH_BYTES_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let sign1 = Sign1::decode(bytes, ContentType::Cbor)?;
        let mut reader = Reader::new(sign1.payload);
        // Validators know their gateways' keys, so none is carried: one batch has one encoding.
        if sign1.header.key.is_some() || reader.array_header()? != 2 {
            return Err(DecodeError::Unexpected);
        }
        let content_hash = *reader.byte_array()?;
        let transactions = reader.unsigned_32()?;
        reader.end()?;
        let sequence = u64::from_be_bytes(sign1.header.cti);
        Ok((GatewayBatch { sequence, content_hash, transactions }, sign1))
    }
}

/// A gateway's word whose signature holds under its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifiedGatewayBatch {
    batch: GatewayBatch,
}

impl VerifiedGatewayBatch {
    /// Takes the COSE_Sign1 apart and checks its signature under `key` by ZIP-215's rules.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] or [`Refusal::Signature`].
    pub fn verify(bytes: &[u8], key: &PublicKey, network: &str) -> Result<VerifiedGatewayBatch, Refusal> {
        let (batch, sign1) = GatewayBatch::take_apart(bytes).map_err(|_| Refusal::Malformed)?;
        let signature = bytes.last_chunk().ok_or(Refusal::Malformed)?;
        let mut scratch = [0; GATEWAY_BATCH_SIG_STRUCTURE_BYTES_MAX];
        let length = cose::sig_structure_for(PURPOSE, sign1.protected, network, sign1.payload, &mut scratch)
            .map_err(|_| Refusal::Malformed)?;
        let is_signed = sign1.header.kid == key.kid() && signature::holds(key, &scratch[..length], signature);
        if is_signed { Ok(VerifiedGatewayBatch { batch }) } else { Err(Refusal::Signature) }
    }

    /// What was signed.
    pub fn batch(&self) -> &GatewayBatch {
        &self.batch
    }
}
