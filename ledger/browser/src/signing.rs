//! What an account's key has to sign, and the same joined with its signature. The key itself never comes here.

use alloc::format;
use alloc::string::{String, ToString};

use devices::limits::{
    CHALLENGE_BYTES, INSTRUCTION_BYTES_MAX, INSTRUCTION_SIG_STRUCTURE_BYTES_MAX, SIGN_IN_BYTES_MAX,
    SIGN_IN_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES,
};
use devices::{
    Decimal, DeviceId, Possession, PublicKey, SignInAnswer, SignedInstruction, UnsignedInstruction,
    VerifiedSignIn,
};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use ledger::registry::Position;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::requests::{bytes, key, written_by};

/// Decimals of a degree that the ledger keeps.
const DEGREE_DECIMALS: i8 = 6;

/// A sign-in challenge to answer.
#[derive(Debug, Deserialize)]
pub struct SignInRequest {
    public_key: String,
    network: String,
    challenge: String,
    origin: String,
    signature: Option<String>,
}

impl SignInRequest {
    /// What the key signs, or the answer with its signature.
    pub fn respond(&self) -> Result<Value, String> {
        let key = key(&self.public_key)?;
        let challenge: [u8; CHALLENGE_BYTES] = bytes(&self.challenge, "a challenge")?;
        let answer = SignInAnswer { challenge, origin: &self.origin };
        let Some(signature) = &self.signature else {
            let message =
                written_by(SIGN_IN_SIG_STRUCTURE_BYTES_MAX, |out| answer.message(&key, &self.network, out));
            return Ok(json!({ "message": hex::encode(message?) }));
        };
        let signature: [u8; SIGNATURE_BYTES] = bytes(signature, "a signature")?;
        let envelope =
            written_by(SIGN_IN_BYTES_MAX, |out| answer.join(&key, &self.network, &signature, out))?;
        VerifiedSignIn::verify(&envelope, &self.network).map_err(|_| UNSIGNED)?;
        Ok(json!({ "envelope": hex::encode(envelope) }))
    }
}

/// What is said of a signature that is not the key's.
const UNSIGNED: &str = "the browser's signature does not hold under its own key: nothing was sent";

/// Something to ask of the ledger.
#[derive(Debug, Deserialize)]
pub struct InstructionRequest {
    public_key: String,
    network: String,
    counter: String,
    carries_key: bool,
    instruction: Asked,
    signature: Option<String>,
}

/// An instruction as a page's form has it.
#[derive(Debug, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
enum Asked {
    Claim { code: String, latitude: String, longitude: String, device_key: Option<String> },
    TransferDevice { kid: String, to: Option<String> },
    AcceptDevice { kid: String },
}

impl InstructionRequest {
    /// What the key signs, or the transaction with its signature.
    pub fn respond(&self) -> Result<Value, String> {
        let key = key(&self.public_key)?;
        let counter = self.counter.parse().map_err(|_| "a counter is a decimal number")?;
        let payload = self.instruction.read(&key, &self.network)?.encode();
        let asked = UnsignedInstruction { key, counter, payload: &payload, carries_key: self.carries_key };
        let Some(signature) = &self.signature else {
            let message =
                written_by(INSTRUCTION_SIG_STRUCTURE_BYTES_MAX, |out| asked.message(&self.network, out));
            return Ok(json!({ "message": hex::encode(message?) }));
        };
        let signature: [u8; SIGNATURE_BYTES] = bytes(signature, "a signature")?;
        let envelope = written_by(INSTRUCTION_BYTES_MAX, |out| asked.join(&self.network, &signature, out))?;
        let signed = SignedInstruction::decode(envelope.as_slice()).map_err(|_| UNSIGNED)?;
        let verified = signed.verify(&key, &self.network).map_err(|_| UNSIGNED)?;
        let transaction = verified.transaction_id().to_string();
        Ok(json!({ "envelope": hex::encode(&envelope), "transaction": transaction }))
    }
}

impl Asked {
    fn read(&self, key: &PublicKey, network: &str) -> Result<Instruction, String> {
        Ok(match self {
            Asked::Claim { code, latitude, longitude, device_key } => {
                let (kid, proof) = claim_code(code)?;
                if let Some(device_key) = device_key {
                    possesses(device_key, kid, &proof, &AccountId::of(key), network)?;
                }
                Instruction::Claim { kid, position: position(latitude, longitude)?, proof }
            }
            Asked::TransferDevice { kid, to } => {
                let to = to.as_deref().map(account).transpose()?;
                Instruction::TransferDevice { kid: device(kid)?, to }
            }
            Asked::AcceptDevice { kid } => Instruction::AcceptDevice { kid: device(kid)? },
        })
    }
}

/// A claim code, `KID.PROOF`.
fn claim_code(text: &str) -> Result<(DeviceId, [u8; SIGNATURE_BYTES]), String> {
    let (kid, proof) =
        text.trim().split_once('.').ok_or("a claim code is a kid, a point and the device's proof")?;
    Ok((device(kid)?, bytes(proof, "the proof in a claim code")?))
}

/// Whether the device itself signed for this account: the ledger refuses it otherwise, and says less of why.
fn possesses(
    device_key: &str,
    kid: DeviceId,
    proof: &[u8; SIGNATURE_BYTES],
    account: &AccountId,
    network: &str,
) -> Result<(), String> {
    let key = key(device_key)?;
    let claim = Possession::Claim { account: *account.as_bytes() };
    if key.kid() == kid && claim.holds(&key, network, proof) {
        return Ok(());
    }
    Err(format!(
        "device {kid} did not sign for {account}: the code was made for another account or network, or mistyped"
    ))
}

fn device(text: &str) -> Result<DeviceId, String> {
    text.trim().parse().map_err(|_| "a kid is 16 lower-case hex digits".to_string())
}

fn account(text: &str) -> Result<AccountId, String> {
    text.trim().parse().map_err(|_| "an account id begins with lamp1 and has no mistyped letter".to_string())
}

fn position(latitude: &str, longitude: &str) -> Result<Position, String> {
    let position = Position {
        latitude_microdegrees: microdegrees(latitude)?,
        longitude_microdegrees: microdegrees(longitude)?,
    };
    if !position.is_on_earth() {
        return Err("a latitude lies from -90 to 90, a longitude from -180 to 180".to_string());
    }
    if position.is_null_island() {
        return Err("0, 0 lies in the sea, where sensors are whose place nobody has set".to_string());
    }
    Ok(position)
}

/// Degrees in decimals as millionths; finer ones the ledger does not keep.
fn microdegrees(text: &str) -> Result<i32, String> {
    let degrees: Decimal =
        text.trim().parse().map_err(|_| "a coordinate is a number such as 57.1497".to_string())?;
    let places = u32::try_from(DEGREE_DECIMALS.saturating_add(degrees.exponent()));
    let factor = places.map_err(|_| "a coordinate has at most six decimals")?;
    let scaled = 10_i128.checked_pow(factor).and_then(|factor| degrees.mantissa().checked_mul(factor));
    let scaled = scaled.and_then(|scaled| i32::try_from(scaled).ok());
    scaled.ok_or_else(|| "a coordinate lies from -180 to 180".to_string())
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test that misses a field may panic")]
mod tests {
    use super::*;
    use crate::requests;
    use devices::SigningKey;

    fn owner() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    /// Asks, signs what is to be signed, and asks again.
    fn signed(mut request: Value) -> Value {
        request["public_key"] = owner().public_key().to_string().into();
        request["network"] = "devnet".into();
        let first: Value = serde_json::from_str(&requests::answer(&request.to_string())).unwrap();
        let Some(message) = first["message"].as_str() else { return first };
        let signature = owner().sign(&hex::decode(message).unwrap());
        request["signature"] = hex::encode(signature).into();
        serde_json::from_str(&requests::answer(&request.to_string())).unwrap()
    }

    fn instruction(instruction: Value) -> Value {
        signed(json!({"ask": "instruction", "counter": "7", "carries_key": true, "instruction": instruction}))
    }

    fn decoded(answer: &Value) -> Instruction {
        let bytes = hex::decode(answer["envelope"].as_str().unwrap_or_else(|| panic!("{answer}"))).unwrap();
        let signed = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
        assert_eq!(answer["transaction"], signed.transaction_id("devnet").to_string());
        assert_eq!((signed.counter(), signed.key()), (7, Some(&owner().public_key())));
        Instruction::decode(signed.payload()).unwrap()
    }

    #[test]
    fn an_answer_to_a_challenge_is_the_one_that_the_command_makes() {
        let (challenge, origin) = ([9; 32], "http://localhost:8080");
        let answer = signed(json!({"ask": "sign_in", "challenge": hex::encode(challenge), "origin": origin}));
        let mut out = [0; SIGN_IN_BYTES_MAX];
        let length = SignInAnswer { challenge, origin }.sign(&owner(), "devnet", &mut out).unwrap();
        assert_eq!(answer["envelope"], hex::encode(out.get(..length).unwrap()));
    }

    #[test]
    fn a_claim_code_becomes_a_claim_and_one_for_somebody_else_does_not() {
        let device = SigningKey::from_seed([2; 32]);
        let proof = |account: AccountId| {
            let claim = Possession::Claim { account: *account.as_bytes() };
            claim.sign(&device, "devnet").unwrap()
        };
        let ask = |proof: [u8; 64]| {
            instruction(json!({
                "name": "claim",
                "code": format!(" {}.{} ", device.kid(), hex::encode(proof)),
                "latitude": "57.1497",
                "longitude": "-2.094300",
                "device_key": device.public_key().to_string(),
            }))
        };
        let own = proof(AccountId::of(&owner().public_key()));
        let position = Position { latitude_microdegrees: 57_149_700, longitude_microdegrees: -2_094_300 };
        assert_eq!(decoded(&ask(own)), Instruction::Claim { kid: device.kid(), position, proof: own });
        let foreign = ask(proof(AccountId::of(&device.public_key())));
        assert!(foreign["sentence"].as_str().unwrap().contains("did not sign for lamp1"), "{foreign}");
    }

    #[test]
    fn what_a_form_asks_is_what_the_ledger_reads() {
        let kid = SigningKey::from_seed([2; 32]).kid();
        let to = AccountId::of(&SigningKey::from_seed([3; 32]).public_key());
        let offer = json!({"name": "transfer_device", "kid": kid.to_string(), "to": to.to_string()});
        assert_eq!(decoded(&instruction(offer)), Instruction::TransferDevice { kid, to: Some(to) });
        let withdrawal = json!({"name": "transfer_device", "kid": kid.to_string()});
        assert_eq!(decoded(&instruction(withdrawal)), Instruction::TransferDevice { kid, to: None });
        let accepted = json!({"name": "accept_device", "kid": kid.to_string()});
        assert_eq!(decoded(&instruction(accepted)), Instruction::AcceptDevice { kid });
    }

    #[test]
    fn what_is_mistyped_is_said_and_never_signed() {
        for (asked, sentence) in [
            (json!({"name": "accept_device", "kid": "BE5DE2F4BCDC383A"}), "16 lower-case hex digits"),
            (
                json!({"name": "transfer_device", "kid": "be5de2f4bcdc383a", "to": "lamp1x"}),
                "no mistyped letter",
            ),
            (json!({"name": "claim", "code": "be5d", "latitude": "1", "longitude": "1"}), "a kid, a point"),
            (json!({"name": "dance"}), "unknown variant"),
        ] {
            let answer = instruction(asked);
            assert!(answer["sentence"].as_str().is_some_and(|said| said.contains(sentence)), "{answer}");
        }
    }

    #[test]
    fn coordinates_are_exact_and_on_the_earth() {
        assert_eq!(microdegrees("-2.0943"), Ok(-2_094_300));
        assert_eq!(microdegrees("180"), Ok(180_000_000));
        for wrong in ["57.14971234", "1e3", "", "1000000"] {
            assert!(microdegrees(wrong).is_err(), "{wrong}");
        }
        assert!(position("0", "0.0").unwrap_err().contains("sea"));
        assert!(position("90.000001", "0").is_err());
    }

    #[test]
    fn a_signature_of_another_key_is_not_sent() {
        let request = json!({
            "ask": "instruction", "counter": "7", "carries_key": false, "network": "devnet",
            "public_key": owner().public_key().to_string(), "signature": "00".repeat(64),
            "instruction": {"name": "accept_device", "kid": "be5de2f4bcdc383a"},
        });
        assert!(requests::answer(&request.to_string()).contains("does not hold under its own key"));
    }
}
