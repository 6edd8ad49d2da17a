//! Passkeys (WebAuthn): the one place that knows webauthn-rs. A passkey is bound to an account while that is signed in, and
//! opens sessions of it by itself later; the authenticator keeps it and finds it without being told an account.

use ledger::account::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

use super::origin::Origin;

/// A passkey could not be made or did not open anything.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// This node has no name to bind them to.
    #[error("{0}")]
    NoName(String),
    /// What the browser sent is none.
    #[error("what the browser sent is not a passkey's answer")]
    Malformed,
    /// The check failed; the library's own words go to the log alone.
    #[error("the passkey's answer does not hold: try again, or sign in another way")]
    Refused,
}

/// The site that passkeys are bound to.
#[derive(Debug)]
pub struct Passkeys {
    webauthn: Webauthn,
    host: String,
}

/// A passkey on its way to being made.
#[derive(Debug)]
pub struct Registering(PasskeyRegistration);

/// A sign-in by passkey on its way.
#[derive(Debug)]
pub struct Authenticating(DiscoverableAuthentication);

/// A passkey, without anything secret: the private key never leaves its authenticator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credential(Passkey);

impl Credential {
    /// Its id among all passkeys, as a name for pages and forms.
    pub fn name(&self) -> String {
        name_of(self.0.cred_id())
    }
}

fn name_of(credential_id: &[u8]) -> String {
    hex::encode(&Sha256::digest(credential_id)[..16])
}

/// The account as authenticators know it: half of its id, which is public anyway. One authenticator keeps one passkey of it.
fn handle(account: &AccountId) -> Uuid {
    let mut half = [0; 16];
    half.copy_from_slice(&account.as_bytes()[..16]);
    Uuid::from_bytes(half)
}

impl Passkeys {
    /// Passkeys of the site that is reached by this origin.
    ///
    /// # Errors
    /// [`PasskeyError::NoName`] where the origin has an IP address instead of a name, or is neither encrypted nor of this
    /// machine: browsers make no passkeys there.
    pub fn of(origin: &Origin) -> Result<Passkeys, PasskeyError> {
        if !origin.has_a_name() {
            let sentence = "passkeys are bound to a name, and this node is reached by an address: the operator starts it with --public-url";
            return Err(PasskeyError::NoName(sentence.to_owned()));
        }
        if !origin.is_secure() && !origin.is_this_machine() {
            let sentence = "browsers make passkeys over encrypted connections alone: the operator puts a TLS proxy before the node and starts it with --public-url https://…";
            return Err(PasskeyError::NoName(sentence.to_owned()));
        }
        let host = origin.host().to_owned();
        let refused =
            |_| PasskeyError::NoName("this node's name is none that passkeys can be bound to".to_owned());
        let url = Url::parse(&origin.to_string())
            .map_err(|_| PasskeyError::NoName("this node's address is no URL".to_owned()))?;
        let builder = WebauthnBuilder::new(&host, &url).map_err(refused)?.rp_name("Lamppost");
        Ok(Passkeys { webauthn: builder.build().map_err(refused)?, host })
    }

    /// The name that they are bound to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Begins to make a passkey for an account: what the browser is asked, as `navigator.credentials.create` takes it with
    /// its bytes in base64url. Authenticators that hold one of `have` make no second one.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn register(
        &self,
        account: &AccountId,
        have: &[Credential],
    ) -> Result<(Value, Registering), PasskeyError> {
        let name = account.to_string();
        let shown = format!("{}…{}", &name[..10], &name[name.len() - 4..]);
        let have = have.iter().map(|credential| credential.0.cred_id().clone()).collect();
        let started = self.webauthn.start_passkey_registration(handle(account), &name, &shown, Some(have));
        let (options, state) = started.map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(|_| PasskeyError::Malformed)?;
        // Without this an authenticator may keep nothing by which it finds the passkey again on its own.
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        selection["residentKey"] = "required".into();
        selection["requireResidentKey"] = true.into();
        Ok((options, Registering(state)))
    }

    /// The new passkey, where the browser's answer holds.
    ///
    /// # Errors
    /// When it does not.
    pub fn registered(&self, answer: Value, state: &Registering) -> Result<Credential, PasskeyError> {
        let answer: RegisterPublicKeyCredential =
            serde_json::from_value(answer).map_err(|_| PasskeyError::Malformed)?;
        self.webauthn.finish_passkey_registration(&answer, &state.0).map(Credential).map_err(refused)
    }

    /// Begins a sign-in by whichever passkey the authenticator finds: what the browser is asked, as
    /// `navigator.credentials.get` takes it.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn authenticate(&self) -> Result<(Value, Authenticating), PasskeyError> {
        let (options, state) = self.webauthn.start_discoverable_authentication().map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(|_| PasskeyError::Malformed)?;
        // Somebody pressed a button: the browser shows its choice at once.
        if let Some(options) = options.as_object_mut() {
            options.remove("mediation");
        }
        Ok((options, Authenticating(state)))
    }

    /// Reads the browser's answer, as far as to know which passkey it claims to be of.
    ///
    /// # Errors
    /// When it is none.
    pub fn claimed(answer: Value) -> Result<Claimed, PasskeyError> {
        let answer: PublicKeyCredential =
            serde_json::from_value(answer).map_err(|_| PasskeyError::Malformed)?;
        Ok(Claimed(answer))
    }

    /// Checks that the answer is of this account's passkey, which is brought up to date.
    ///
    /// # Errors
    /// When it is not, or its counter says that the authenticator was copied.
    pub fn authenticated(
        &self,
        claimed: &Claimed,
        state: Authenticating,
        account: &AccountId,
        credential: &mut Credential,
    ) -> Result<(), PasskeyError> {
        if claimed.0.get_user_unique_id() != Some(handle(account).as_bytes().as_slice()) {
            return Err(PasskeyError::Refused);
        }
        let result = self.webauthn.finish_discoverable_authentication_v2(&claimed.0, state.0, &credential.0);
        credential.0.update_credential(&result.map_err(refused)?);
        Ok(())
    }
}

/// An answer to a sign-in, of which nobody has checked anything yet.
#[derive(Debug)]
pub struct Claimed(PublicKeyCredential);

impl Claimed {
    /// The name of the passkey that it claims to be of.
    pub fn name(&self) -> String {
        name_of(self.0.get_credential_id())
    }
}

fn refused(error: webauthn_rs::prelude::WebauthnError) -> PasskeyError {
    tracing::debug!(%error, "a passkey was refused");
    PasskeyError::Refused
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn site() -> Passkeys {
        Passkeys::of(&"http://localhost:8080".parse().unwrap()).unwrap()
    }

    #[test]
    fn passkeys_are_made_where_browsers_make_them_and_elsewhere_it_is_said_why_not() {
        for able in ["http://localhost:8080", "https://lamppost.example"] {
            assert!(Passkeys::of(&able.parse().unwrap()).is_ok(), "{able}");
        }
        for unable in
            ["http://127.0.0.1:8080", "https://192.0.2.1", "https://[2001:db8::1]", "http://lamppost.example"]
        {
            let error = Passkeys::of(&unable.parse().unwrap()).unwrap_err();
            assert!(error.to_string().contains("--public-url"), "{unable}: {error}");
        }
    }

    #[test]
    fn a_passkey_is_asked_for_that_is_found_without_an_account_and_after_a_finger_or_a_pin() {
        let account = AccountId::from_bytes([7; 32]);
        let (options, _) = site().register(&account, &[]).unwrap();
        let options = &options["publicKey"];
        assert_eq!(options["rp"]["id"], "localhost");
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        let (options, _) = site().authenticate().unwrap();
        assert_eq!(options["publicKey"]["allowCredentials"], json!([]));
        assert_eq!(options["publicKey"]["userVerification"], "required");
        assert!(options.get("mediation").is_none());
    }

    #[test]
    fn nonsense_is_no_answer() {
        for nonsense in [
            json!(null),
            json!({}),
            json!([1]),
            json!({"id": "a", "rawId": "a", "response": {}, "type": "public-key"}),
        ] {
            assert!(Passkeys::claimed(nonsense.clone()).is_err());
            let (_, state) = site().register(&AccountId::from_bytes([7; 32]), &[]).unwrap();
            assert!(site().registered(nonsense, &state).is_err());
        }
    }
}
