//! A command on a device's `down` topic: signed by the account that the device obeys.
//!
//! It is a COSE_Sign1 whose external_aad ends with `/down`, so it can stand for no transaction, and whose payload names the
//! device, so that no other takes it. The header carries the key: a device knows the account whom it obeys by its
//! thumbprint alone. The cti is a counter that rises with every command to this device, so that a broker which repeats an
//! old one changes nothing.

use crate::cbor::{DecodeError, EncodeError, Reader, Writer};
use crate::configuration::Configuration;
use crate::cose::{self, ContentType, Header, SealError, Sign1};
use crate::identity::{DeviceId, PublicKey, SigningKey};
use crate::limits::{
    COMMAND_BYTES_MAX, COMMAND_PAYLOAD_BYTES_MAX, COMMAND_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES,
};
use crate::refusal::Refusal;
use crate::signature;

/// The end of the external_aad, after `lamppost/1/{network}`.
const PURPOSE: &str = "/down";
const CONFIGURE: &str = "configure";
const ROTATE_KEY: &str = "rotate_key";
const USE_KEY: &str = "use_key";
const HAND_OVER: &str = "hand_over";

/// What an owner asks of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order<'a> {
    /// Sample and send like this from now on.
    Configure(Configuration<'a>),
    /// Prove that you have the key of this generation, from 1.
    RotateKey(u32),
    /// Sign with the key of this generation from now on, from 1.
    UseKey(u32),
    /// Obey the account of this id from now on, and no longer the one that signs this.
    HandOver([u8; 32]),
}

impl Order<'_> {
    /// The word that names it in the payload.
    pub const fn name(&self) -> &'static str {
        match self {
            Order::Configure(_) => CONFIGURE,
            Order::RotateKey(_) => ROTATE_KEY,
            Order::UseKey(_) => USE_KEY,
            Order::HandOver(_) => HAND_OVER,
        }
    }
}

/// An order to one device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command<'a> {
    /// The device, by the kid that it has when it gets this.
    pub device: DeviceId,
    /// Higher than that of every earlier command to this device.
    pub counter: u64,
    /// What is asked.
    pub order: Order<'a>,
}

impl<'a> Command<'a> {
    /// Signs with the account's key and writes the COSE_Sign1 into `out`; returns its length.
    ///
    /// ```
    /// use devices::{SigningKey, command::{Command, Order, VerifiedCommand}, limits::COMMAND_BYTES_MAX};
    /// let (owner, device) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    /// let command = Command { device: device.kid(), counter: 7, order: Order::RotateKey(1) };
    /// let mut out = [0; COMMAND_BYTES_MAX];
    /// let length = command.sign(&owner, "devnet", &mut out)?;
    /// let verified = VerifiedCommand::verify(&out[..length], "devnet").unwrap();
    /// assert_eq!((verified.key(), verified.command()), (&owner.public_key(), &command));
    /// assert!(VerifiedCommand::verify(&out[..length], "othernet").is_err());
    /// # Ok::<(), devices::SealError>(())
    /// ```
    ///
    /// # Errors
    /// When the network id is none or the configuration too long.
    pub fn sign(&self, key: &SigningKey, network: &str, out: &mut [u8]) -> Result<usize, SealError> {
        let mut payload = [0; COMMAND_PAYLOAD_BYTES_MAX];
        let length = self.encode(&mut payload)?;
        let header = Header {
            content_type: ContentType::Cbor,
            kid: key.kid(),
            cti: self.counter.to_be_bytes(),
            key: Some(key.public_key()),
        };
        let mut scratch = [0; COMMAND_SIG_STRUCTURE_BYTES_MAX];
        cose::seal_with(key, PURPOSE, network, &header, &payload[..length], &mut scratch, out)
    }

    /// Writes the payload `[device kid, name, argument]`.
    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut writer = Writer::new(out);
        writer.array_header(3)?;
        writer.bytes(self.device.as_bytes())?;
        writer.text(self.order.name())?;
        match &self.order {
            Order::Configure(configuration) => writer.raw(configuration.as_bytes())?,
            Order::RotateKey(generation) | Order::UseKey(generation) => {
                writer.unsigned((*generation).into())?;
            }
            Order::HandOver(account) => writer.bytes(account)?,
        }
        Ok(writer.position())
    }

    fn decode(counter: u64, payload: &'a [u8]) -> Result<Command<'a>, DecodeError> {
        let mut reader = Reader::new(payload);
        if reader.array_header()? != 3 {
            return Err(DecodeError::Unexpected);
        }
        let device = DeviceId(*reader.byte_array()?);
        let order = match reader.text()? {
            CONFIGURE => {
                let rest = &payload[reader.position()..];
                return Ok(Command {
                    device,
                    counter,
                    order: Order::Configure(Configuration::decode(rest)?),
                });
            }
            ROTATE_KEY => Order::RotateKey(generation(&mut reader)?),
            USE_KEY => Order::UseKey(generation(&mut reader)?),
            HAND_OVER => Order::HandOver(*reader.byte_array()?),
            _ => return Err(DecodeError::Unexpected),
        };
        reader.end()?;
        Ok(Command { device, counter, order })
    }
}

/// Generation 0 is what the identity page holds, and nobody can ask for it.
fn generation(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    match reader.unsigned_32()? {
        0 => Err(DecodeError::OutOfRange),
        generation => Ok(generation),
    }
}

/// A well-formed command, of which nobody has checked the signature yet.
#[derive(Clone, Copy, Debug)]
pub struct SignedCommand<'a> {
    command: Command<'a>,
    key: PublicKey,
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8; SIGNATURE_BYTES],
}

impl<'a> SignedCommand<'a> {
    /// Takes the COSE_Sign1 apart.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn decode(bytes: &'a [u8]) -> Result<SignedCommand<'a>, Refusal> {
        if bytes.len() > COMMAND_BYTES_MAX {
            return Err(Refusal::Malformed);
        }
        let sign1 = Sign1::decode(bytes, ContentType::Cbor).map_err(|_| Refusal::Malformed)?;
        let counter = u64::from_be_bytes(sign1.header.cti);
        let command = Command::decode(counter, sign1.payload).map_err(|_| Refusal::Malformed)?;
        let key = sign1.header.key.ok_or(Refusal::Malformed)?;
        let signature = bytes.last_chunk().ok_or(Refusal::Malformed)?;
        Ok(SignedCommand { command, key, protected: sign1.protected, payload: sign1.payload, signature })
    }

    /// The key of the account that claims to have signed it: an account is its key's thumbprint.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What it asks, if the signature holds.
    pub fn command(&self) -> &Command<'a> {
        &self.command
    }

    /// Checks the signature by ZIP-215's rules, with no more tables than signing needs: it is few bytes of flash, and a
    /// command comes seldom.
    ///
    /// # Errors
    /// [`Refusal::Signature`].
    pub fn verify(self, network: &str) -> Result<VerifiedCommand<'a>, Refusal> {
        let mut scratch = [0; COMMAND_SIG_STRUCTURE_BYTES_MAX];
        let length = cose::sig_structure_for(PURPOSE, self.protected, network, self.payload, &mut scratch)
            .map_err(|_| Refusal::Malformed)?;
        if signature::holds_without_tables(&self.key, &scratch[..length], self.signature) {
            Ok(VerifiedCommand { signed: self })
        } else {
            Err(Refusal::Signature)
        }
    }
}

/// A command whose signature holds under the key that it carries. Whether the device obeys that key's account, and has not
/// taken the command before, is the device's to know.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedCommand<'a> {
    signed: SignedCommand<'a>,
}

impl<'a> VerifiedCommand<'a> {
    /// Takes the COSE_Sign1 apart and checks its signature.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] or [`Refusal::Signature`].
    pub fn verify(bytes: &'a [u8], network: &str) -> Result<VerifiedCommand<'a>, Refusal> {
        SignedCommand::decode(bytes)?.verify(network)
    }

    /// The account's key.
    pub fn key(&self) -> &PublicKey {
        &self.signed.key
    }

    /// What it asks.
    pub fn command(&self) -> &Command<'a> {
        &self.signed.command
    }
}
