//! The document that a network begins with: who validates, who operates, what there is to pay and for what.

use crate::limits::{EPOCH_SECONDS_MAX, NETWORK_BYTES_MAX, VALIDATORS_MAX};
use crate::note::{NoteError, VerifierKey, is_key_name};
use crate::tariff::{Tariff, TariffError};
use crate::validators::quorum_of;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use devices::identity::PublicKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Micro-tokens that a network's pool and treasury begin with unless its document says otherwise: a million tokens each.
const BEGINNING_MICROTOKENS: u64 = 1_000_000_000_000;

/// One whose signature under a checkpoint counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// The key's name in signature lines.
    pub name: String,
    /// The verifier key in signed-note form.
    pub vkey: String,
}

/// How a network begins. Its hash is bound by block 0, so everything that follows commits to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The network's id: lower-case letters, digits and hyphens.
    pub network: String,
    /// The checkpoints' first line.
    pub origin: String,
    /// When epoch 0 begins: Unix milliseconds, a multiple of the epoch.
    pub time_unix_milliseconds: u64,
    /// Seconds of an epoch.
    pub epoch_seconds: u64,
    /// Who signs checkpoints; with one validator its name is the origin.
    pub validators: Vec<Validator>,
    /// The key that enrols devices.
    #[serde(with = "key_text")]
    pub operator: PublicKey,
    /// The key that issues tokens.
    #[serde(with = "key_text")]
    pub treasury: PublicKey,
    /// What the reward pool begins with.
    #[serde(with = "decimal_text")]
    pub pool_microtokens: u64,
    /// What the treasury begins with.
    #[serde(with = "decimal_text")]
    pub treasury_microtokens: u64,
    /// The first price list.
    pub tariff: Tariff,
}

/// What is wrong with a genesis document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not the JSON of a genesis document.
    #[error("the genesis document is not valid JSON of the known fields: {0}")]
    Json(String),
    /// The network id's form.
    #[error("the network id must be 1 to {NETWORK_BYTES_MAX} of a-z, 0-9 and -")]
    Network,
    /// The origin's form.
    #[error("the origin must be without spaces, plus signs and control characters")]
    Origin,
    /// The epoch's length.
    #[error("an epoch lasts from 1 to {EPOCH_SECONDS_MAX} seconds")]
    EpochSeconds,
    /// Genesis does not begin on an epoch's edge.
    #[error("the genesis time must be a multiple of the epoch")]
    Time,
    /// No validators, too many, or two of one name or key.
    #[error("there must be 1 to {VALIDATORS_MAX} validators with names and keys of their own")]
    Validators,
    /// A validator's name is not that of its key, or the key is no verifier key.
    #[error("the verifier key of {0:?} is not usable: {1}")]
    VerifierKey(String, NoteError),
    /// A lone validator that does not sign under the origin.
    #[error("a single validator must sign under the origin as its name")]
    LoneValidator,
    /// Operator and treasury share a kid but not a key.
    #[error("operator and treasury have different keys of the same kid")]
    SameKid,
    /// More tokens than a u64 counts.
    #[error("pool and treasury together exceed what a u64 counts")]
    Supply,
    /// The price list.
    #[error(transparent)]
    Tariff(#[from] TariffError),
}

impl Genesis {
    /// A devnet of one validator that begins at the epoch's edge at or before `time_unix_milliseconds`.
    ///
    /// # Errors
    /// When the network id, the origin or the epoch is not as it must be.
    pub fn devnet(
        network: &str,
        origin: &str,
        validator: PublicKey,
        operator: PublicKey,
        treasury: PublicKey,
        epoch_seconds: u64,
        time_unix_milliseconds: u64,
    ) -> Result<Self, GenesisError> {
        if !is_key_name(origin) {
            return Err(GenesisError::Origin);
        }
        let validators = alloc::vec![(origin.to_owned(), validator)];
        Self::network(network, origin, validators, operator, treasury, epoch_seconds, time_unix_milliseconds)
    }

    /// A network of these validators, each under its own name, that begins at the epoch's edge at or before
    /// `time_unix_milliseconds`. One alone signs under the origin.
    ///
    /// ```
    /// # use ledger::genesis::Genesis;
    /// # use devices::identity::SigningKey;
    /// let key = |seed| SigningKey::from_seed([seed; 32]).public_key();
    /// let names = ["city", "utility", "university", "operator"].map(String::from);
    /// let validators = names.into_iter().zip((1..).map(key)).collect();
    /// let genesis = Genesis::network("testnet", "lamppost/testnet", validators, key(5), key(6), 60, 0).unwrap();
    /// assert_eq!((genesis.validators.len(), genesis.quorum()), (4, 3));
    /// ```
    ///
    /// # Errors
    /// When the network id, the origin, a name or the epoch is not as it must be, or a name or key occurs twice.
    pub fn network(
        network: &str,
        origin: &str,
        validators: Vec<(String, PublicKey)>,
        operator: PublicKey,
        treasury: PublicKey,
        epoch_seconds: u64,
        time_unix_milliseconds: u64,
    ) -> Result<Self, GenesisError> {
        let validator = |(name, key): (String, PublicKey)| match VerifierKey::new(&name, key) {
            Ok(vkey) => Ok(Validator { name, vkey: vkey.to_string() }),
            Err(error) => Err(GenesisError::VerifierKey(name, error)),
        };
        let epoch_milliseconds = epoch_seconds.saturating_mul(1_000);
        let past =
            time_unix_milliseconds.checked_rem(epoch_milliseconds).ok_or(GenesisError::EpochSeconds)?;
        let genesis = Self {
            network: network.to_owned(),
            origin: origin.to_owned(),
            time_unix_milliseconds: time_unix_milliseconds.saturating_sub(past),
            epoch_seconds,
            validators: validators.into_iter().map(validator).collect::<Result<_, GenesisError>>()?,
            operator,
            treasury,
            pool_microtokens: BEGINNING_MICROTOKENS,
            treasury_microtokens: BEGINNING_MICROTOKENS,
            tariff: Tariff::default(),
        };
        genesis.validate()?;
        Ok(genesis)
    }

    /// Reads a genesis document; unknown fields are refused.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn from_json(json: &str) -> Result<Self, GenesisError> {
        let genesis: Self =
            serde_json::from_str(json).map_err(|error| GenesisError::Json(error.to_string()))?;
        genesis.validate()?;
        Ok(genesis)
    }

    /// The document as JSON, the same text for the same genesis.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("plain text and integers always serialise");
        json.push('\n');
        json
    }

    /// SHA-256 of [`Self::to_json`]: formatting a received document anew does not change it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_json()).into()
    }

    /// The validators' keys, in order.
    #[must_use]
    pub fn verifier_keys(&self) -> Vec<VerifierKey> {
        self.validators.iter().filter_map(|validator| validator.vkey.parse().ok()).collect()
    }

    /// How many validators' signatures make a checkpoint good: more than two thirds.
    #[must_use]
    pub fn quorum(&self) -> usize {
        quorum_of(self.validators.len())
    }

    /// Milliseconds of an epoch.
    #[must_use]
    pub fn epoch_milliseconds(&self) -> u64 {
        self.epoch_seconds.saturating_mul(1_000)
    }

    /// Checks every bound and relation.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn validate(&self) -> Result<(), GenesisError> {
        let network_form = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=NETWORK_BYTES_MAX).contains(&self.network.len()) || !self.network.bytes().all(network_form) {
            return Err(GenesisError::Network);
        }
        if !is_key_name(&self.origin) {
            return Err(GenesisError::Origin);
        }
        if !(1..=EPOCH_SECONDS_MAX).contains(&self.epoch_seconds) {
            return Err(GenesisError::EpochSeconds);
        }
        if self.time_unix_milliseconds.checked_rem(self.epoch_milliseconds()) != Some(0) {
            return Err(GenesisError::Time);
        }
        self.validate_validators()?;
        if self.operator != self.treasury && self.operator.kid() == self.treasury.kid() {
            return Err(GenesisError::SameKid);
        }
        self.pool_microtokens.checked_add(self.treasury_microtokens).ok_or(GenesisError::Supply)?;
        Ok(self.tariff.validate()?)
    }

    fn validate_validators(&self) -> Result<(), GenesisError> {
        if !(1..=VALIDATORS_MAX).contains(&self.validators.len()) {
            return Err(GenesisError::Validators);
        }
        let mut keys: Vec<VerifierKey> = Vec::new();
        for validator in &self.validators {
            let error = |error| GenesisError::VerifierKey(validator.name.clone(), error);
            let vkey: VerifierKey = validator.vkey.parse().map_err(error)?;
            if vkey.name() != validator.name {
                return Err(error(NoteError::KeyName));
            }
            if keys.iter().any(|other| other.name() == vkey.name() || other.key() == vkey.key()) {
                return Err(GenesisError::Validators);
            }
            keys.push(vkey);
        }
        match self.validators.as_slice() {
            [lone] if lone.name != self.origin => Err(GenesisError::LoneValidator),
            _ => Ok(()),
        }
    }
}

/// Amounts in JSON: decimal text, since JavaScript's numbers end at 2^53.
pub(crate) mod decimal_text {
    use alloc::string::{String, ToString};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(amount: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let amount: u64 = text.parse().map_err(|_| D::Error::custom("an amount must be decimal digits"))?;
        if amount.to_string() != text {
            return Err(D::Error::custom("an amount must be decimal digits without leading zeroes"));
        }
        Ok(amount)
    }
}

/// Public keys in JSON: lower-case hex.
mod key_text {
    use alloc::string::String;
    use devices::identity::PublicKey;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &PublicKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(key)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
