//! Mutual TLS 1.3 by raw public keys (RFC 7250): each side shows its Ed25519 key, and there are no certificates, no
//! authorities and no names. The only file that knows what rustls asks of a key.

use std::collections::BTreeSet;
use std::sync::Arc;

use devices::{PublicKey, SigningKey, signature};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, Signer, SigningKey as TlsKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureAlgorithm, SignatureScheme,
};

/// What is spoken inside (RFC 7301): another version of it is refused in the handshake.
pub const PROTOCOL: &[u8] = b"lamppost-link/1";

/// The beginning of an Ed25519 key's SubjectPublicKeyInfo; the 32 bytes follow (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A connection could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The library refused its own settings.
    #[error("TLS 1.3 cannot be set up: {0}")]
    Setup(#[from] Error),
}

/// A validator's side: it admits connections of these gateways' keys alone.
///
/// # Errors
/// When the library refuses its settings.
pub fn server_config(
    key: &SigningKey,
    admitted: impl IntoIterator<Item = PublicKey>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let admitted = Arc::new(Pinned { keys: admitted.into_iter().collect() });
    let mut config = builder
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(admitted)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own(key))));
    // Every connection proves the key anew: a gateway that is admitted no more does not come back by an old ticket.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// A gateway's side: it speaks to this validator's key alone.
///
/// # Errors
/// When the library refuses its settings.
pub fn client_config(key: &SigningKey, validator: PublicKey) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let pinned = Arc::new(Pinned { keys: BTreeSet::from([validator]) });
    let mut config = builder
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(pinned)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own(key))));
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

/// What the library wants to call a validator; nobody sends it and nobody looks at it.
pub fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into())
}

/// The key that the other side has proven to hold, once the handshake is over.
pub fn peer_key(connection: &CommonState) -> Option<PublicKey> {
    key_of(connection.peer_certificates()?.first()?)
}

fn own(key: &SigningKey) -> Arc<CertifiedKey> {
    let shown = CertificateDer::from(spki(&key.public_key()));
    Arc::new(CertifiedKey::new(vec![shown], Arc::new(Own(key.clone()))))
}

fn spki(key: &PublicKey) -> Vec<u8> {
    [&SPKI_PREFIX[..], key.as_bytes()].concat()
}

/// The key in a SubjectPublicKeyInfo, which travels where a certificate would.
fn key_of(shown: &CertificateDer<'_>) -> Option<PublicKey> {
    let key = shown.strip_prefix(&SPKI_PREFIX)?;
    PublicKey::from_bytes(key.try_into().ok()?).ok()
}

/// Our own key, as the library asks for signatures.
#[derive(Debug, Clone)]
struct Own(SigningKey);

impl TlsKey for Own {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(spki(&self.0.public_key()).into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Own {
    // RFC 8446 §4.4.3: 64 spaces and a context stand before what is signed, so it is no other text of this key's.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// The keys that the other side may show.
#[derive(Debug)]
struct Pinned {
    keys: BTreeSet<PublicKey>,
}

impl Pinned {
    fn admit(&self, shown: &CertificateDer<'_>, further: &[CertificateDer<'_>]) -> Result<(), Error> {
        let key = key_of(shown).filter(|key| further.is_empty() && self.keys.contains(key));
        key.map(drop).ok_or(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn proven(
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let signature =
            signed.signature().try_into().ok().filter(|_| signed.scheme == SignatureScheme::ED25519);
        match (key_of(shown), signature) {
            (Some(key), Some(bytes)) if signature::holds(&key, message, bytes) => {
                Ok(HandshakeSignatureValid::assertion())
            }
            _ => Err(Error::InvalidCertificate(CertificateError::BadSignature)),
        }
    }

    /// TLS 1.2 is not spoken.
    fn older() -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.admit(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Pinned::older()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Pinned::proven(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.admit(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Pinned::older()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Pinned::proven(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
