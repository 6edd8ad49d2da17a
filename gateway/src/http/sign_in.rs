//! Signing in by programs and scripts: challenges, one-time links, sessions, passkeys. The pages are in `pages`.

pub mod pages;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::http::{HeaderName, StatusCode};
use dashboard::view::Viewer;
use ledger::account::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::door::Door;
use super::instant::rfc3339;
use super::problem::Problem;
use super::visitor::{Sender, set_cookie};
use crate::clock;
use crate::limits::{CHALLENGE_MILLISECONDS, LINK_MILLISECONDS, SESSION_IDLE_MILLISECONDS};
use crate::shared::Shared;
use crate::sign_in::origin::Origin;
use crate::sign_in::passkey::PasskeyError;
use crate::sign_in::secret::Secret;
use crate::sign_in::sessions::{Session, Way};
use crate::sign_in::{SignInError, Visitor};

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Problem {
        let status = match &error {
            SignInError::TooOften => StatusCode::TOO_MANY_REQUESTS,
            SignInError::Malformed | SignInError::Passkey(PasskeyError::Malformed) => StatusCode::BAD_REQUEST,
            SignInError::Signature
            | SignInError::Origin { .. }
            | SignInError::Challenge
            | SignInError::Link
            | SignInError::Foreign
            | SignInError::Stranger
            | SignInError::Passkey(PasskeyError::Refused) => StatusCode::FORBIDDEN,
            SignInError::SignedOut => StatusCode::UNAUTHORIZED,
            SignInError::Gone => StatusCode::NOT_FOUND,
            SignInError::Keyring(_) | SignInError::Passkey(PasskeyError::NoName(_)) => StatusCode::CONFLICT,
            SignInError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, error.to_string())
    }
}

/// What an account's key has to sign.
#[derive(Debug, Serialize, ToSchema)]
pub struct Challenge {
    /// 32 bytes in hex, good for one answer.
    challenge: String,
    /// What this node is reached by; an answer is for the origin that stands in it.
    #[schema(example = "https://lamppost.example")]
    origin: String,
    /// The network that the answer is signed for.
    #[schema(example = "devnet")]
    network: String,
    /// Until when it may be answered.
    expires: String,
}

/// Asks for a challenge to sign in with
///
/// The answer is a COSE_Sign1 by the account's key, as an instruction is, with the key in its header, the counter 0, the
/// external_aad `lamppost/1/{network}/sign-in` and the payload `[challenge, origin]`.
#[utoipa::path(post, path = "/api/v1/sign-in/challenges", tag = "sign-in",
    responses((status = 201, body = Challenge),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub async fn challenge(
    State(door): State<Door>,
    sender: Sender,
) -> Result<(StatusCode, Json<Challenge>), Problem> {
    let (desk, now) = (door.desk(), clock::now_unix_milliseconds());
    desk.attempt(now, sender.address(desk.origins()))?;
    let challenge = desk.challenge(now, random()?);
    let answer = Challenge {
        challenge: hex::encode(challenge.as_bytes()),
        origin: desk.origins().own().to_string(),
        network: desk.network().to_owned(),
        expires: rfc3339(now.saturating_add(CHALLENGE_MILLISECONDS)),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// A one-time link.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneTimeLink {
    /// Opened in a browser it shows a button, which signs that browser in.
    #[schema(example = "https://lamppost.example/sign-in?link=…")]
    url: String,
    /// The account that it signs in.
    account: String,
    /// Until when it works.
    expires: String,
}

/// Trades an answered challenge for a one-time link, as `lamppost login` does
#[utoipa::path(post, path = "/api/v1/sign-in/links", tag = "sign-in",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses((status = 201, body = OneTimeLink),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "the answer does not hold", body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub async fn link(
    State(door): State<Door>,
    sender: Sender,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<OneTimeLink>), Problem> {
    let (desk, now) = (door.desk(), clock::now_unix_milliseconds());
    desk.attempt(now, sender.address(desk.origins()))?;
    let proven = desk.answer(now, &body.map_err(|_| SignInError::Malformed)?)?;
    let answer = OneTimeLink {
        url: desk.link(now, &proven, random()?),
        account: proven.account.to_string(),
        expires: rfc3339(now.saturating_add(LINK_MILLISECONDS)),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// A session that was opened for this browser.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenedSession {
    /// Whose it is.
    account: String,
    /// `owner` or `operator`.
    role: &'static str,
    /// The page to go on with.
    #[schema(example = "/mine")]
    home: String,
    /// When it ends unless it is used.
    expires: String,
}

type Opened = (StatusCode, [(HeaderName, String); 1], Json<OpenedSession>);

/// Trades an answered challenge for a session, which the answer's cookie holds: for a key that lies in the browser
#[utoipa::path(post, path = "/api/v1/sign-in/sessions", tag = "sign-in",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses((status = 201, body = OpenedSession),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "the answer does not hold, or another site sent it", body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub async fn session(
    State(door): State<Door>,
    sender: Sender,
    body: Result<Bytes, BytesRejection>,
) -> Result<Opened, Problem> {
    let (desk, now) = (door.desk(), clock::now_unix_milliseconds());
    sender.is_of_our_page(desk.origins())?;
    desk.attempt(now, sender.address(desk.origins()))?;
    let proven = desk.answer(now, &body.map_err(|_| SignInError::Malformed)?)?;
    let signed = proven.origin.to_string();
    if sender.origin().is_some_and(|origin| origin != signed) {
        let own = sender.origin().unwrap_or_default().to_owned();
        return Err(SignInError::Origin { signed, own }.into());
    }
    let opening = Opening { account: proven.account, way: Way::Key, origin: proven.origin };
    open(&door, &sender, opening).await
}

/// Who signs in, and how.
pub struct Opening {
    /// The account.
    pub account: AccountId,
    /// By which way.
    pub way: Way,
    /// The origin that the browser reaches this node by.
    pub origin: Origin,
}

/// Opens a session for the sender, and says so in JSON.
async fn open(door: &Door, sender: &Sender, opening: Opening) -> Result<Opened, Problem> {
    let now = clock::now_unix_milliseconds();
    let (account, origin) = (opening.account, opening.origin.clone());
    let (token, home) = open_session(door, sender, opening).await?;
    let answer = OpenedSession {
        account: account.to_string(),
        role: if home == Home::Network { "operator" } else { "owner" },
        home: home.path().to_owned(),
        expires: rfc3339(now.saturating_add(SESSION_IDLE_MILLISECONDS)),
    };
    Ok((StatusCode::CREATED, [set_cookie(&token, &origin)], Json(answer)))
}

/// Opens a session for the sender: its token, and where to go on.
pub async fn open_session(door: &Door, sender: &Sender, opening: Opening) -> Result<(Secret, Home), Problem> {
    let (desk, former) = (door.desk().clone(), sender.visitor.session);
    let (user_agent, random) = (sender.user_agent.clone(), random()?);
    door.query(move |shared| {
        let now = clock::now_unix_milliseconds();
        let known = is_known(shared, &opening.account);
        let session = Session::new(now, opening.account, known, opening.way, &user_agent);
        let is_operator = opening.account == shared.state().operator();
        let home = if is_operator { Home::Network } else { Home::Own };
        let token = desk.open_session(now, session, former, random)?;
        shared.telemetry.sign_ins.inc();
        Ok((token, home))
    })
    .await
}

/// Where somebody goes on who has just signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// The operator, to the whole network.
    Network,
    /// An owner, or somebody who becomes one, to what is theirs.
    Own,
}

impl Home {
    /// The page's path.
    pub fn path(self) -> &'static str {
        match self {
            Home::Network => "/",
            Home::Own => "/mine",
        }
    }
}

/// Whether the ledger knows the account: it owns a device, was paid or has signed, or is the network's own.
pub fn is_known(shared: &Shared, account: &AccountId) -> bool {
    let state = shared.state();
    state.account(*account).is_some()
        || state.devices_of(*account).next().is_some()
        || *account == state.operator()
        || *account == state.treasury()
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoIs {
    /// `public`, `owner` or `operator`.
    #[schema(example = "owner")]
    viewer: &'static str,
    /// The account that is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
}

/// Who is signed in by this request's cookie
#[utoipa::path(get, path = "/api/v1/session", tag = "sign-in", responses((status = 200, body = WhoIs)))]
pub async fn who_is(visitor: Visitor) -> Json<WhoIs> {
    let viewer = match &visitor.viewer {
        Viewer::Public => "public",
        Viewer::Owner(_) => "owner",
        Viewer::Operator(_) => "operator",
    };
    Json(WhoIs { viewer, account: visitor.viewer.account().map(str::to_owned) })
}

/// What a browser is asked about passkeys.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ceremony {
    /// Names a sign-in under way; it goes back with the browser's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ceremony: Option<String>,
    /// What `navigator.credentials` takes (WebAuthn Level 3 §5.4, §5.5), bytes in base64url.
    #[schema(value_type = Object)]
    options: Value,
}

/// Begins a sign-in by passkey
#[utoipa::path(post, path = "/api/v1/sign-in/passkeys", tag = "sign-in",
    responses((status = 201, body = Ceremony),
        (status = 403, description = "another site sent it", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "this node has no name to bind passkeys to", body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub async fn begin_passkey_sign_in(
    State(door): State<Door>,
    sender: Sender,
) -> Result<(StatusCode, Json<Ceremony>), Problem> {
    let (desk, now) = (door.desk(), clock::now_unix_milliseconds());
    sender.is_of_our_page(desk.origins())?;
    desk.attempt(now, sender.address(desk.origins()))?;
    let (ceremony, options) = desk.begin_sign_in(now, random()?)?;
    Ok((StatusCode::CREATED, Json(Ceremony { ceremony: Some(ceremony), options })))
}

/// A browser's answer by passkey.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PasskeySignIn {
    /// As it was named.
    ceremony: String,
    /// The browser's `PublicKeyCredential`, bytes in base64url.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Signs in by passkey; the answer's cookie holds the session
#[utoipa::path(post, path = "/api/v1/sign-in/passkeys/sessions", tag = "sign-in", request_body = PasskeySignIn,
    responses((status = 201, body = OpenedSession),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "the answer does not hold, or another site sent it", body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub async fn finish_passkey_sign_in(
    State(door): State<Door>,
    sender: Sender,
    body: Result<Json<PasskeySignIn>, JsonRejection>,
) -> Result<Opened, Problem> {
    let (desk, now) = (door.desk(), clock::now_unix_milliseconds());
    sender.is_of_our_page(desk.origins())?;
    desk.attempt(now, sender.address(desk.origins()))?;
    let Json(body) = body.map_err(|_| SignInError::Passkey(PasskeyError::Malformed))?;
    let checking = desk.clone();
    let account =
        door.query(move |_| Ok(checking.finish_sign_in(now, &body.ceremony, body.credential)?)).await?;
    let origin = desk.origins().own().clone();
    open(&door, &sender, Opening { account, way: Way::Passkey, origin }).await
}

/// Begins to make a passkey for the account that is signed in
///
/// The header `lamppost-form-token` carries what the session's own pages carry.
#[utoipa::path(post, path = "/api/v1/passkeys/challenges", tag = "sign-in",
    responses((status = 201, body = Ceremony),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "another page sent it, or the ledger does not know the account", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "no room, or no name to bind it to", body = Problem, content_type = "application/problem+json")))]
pub async fn begin_passkey(
    State(door): State<Door>,
    sender: Sender,
) -> Result<(StatusCode, Json<Ceremony>), Problem> {
    let (desk, now) = (door.desk(), clock::now_unix_milliseconds());
    let session = sender.session(desk.origins(), None)?;
    desk.attempt(now, sender.address(desk.origins()))?;
    if !door.query(move |shared| Ok(is_known(shared, &session.account))).await? {
        return Err(SignInError::Stranger.into());
    }
    let options = desk.begin_passkey(now, session)?;
    Ok((StatusCode::CREATED, Json(Ceremony { ceremony: None, options })))
}

/// A passkey that a browser made.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewPasskey {
    /// What to call it.
    name: String,
    /// The browser's `PublicKeyCredential`, bytes in base64url.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Keeps the passkey that the browser made
#[utoipa::path(post, path = "/api/v1/passkeys", tag = "sign-in", request_body = NewPasskey,
    responses((status = 201, body = WhoIs),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json")))]
pub async fn add_passkey(
    State(door): State<Door>,
    sender: Sender,
    body: Result<Json<NewPasskey>, JsonRejection>,
) -> Result<(StatusCode, Json<WhoIs>), Problem> {
    let session = sender.session(door.desk().origins(), None)?;
    door.desk().attempt(clock::now_unix_milliseconds(), sender.address(door.desk().origins()))?;
    let Json(body) = body.map_err(|_| SignInError::Passkey(PasskeyError::Malformed))?;
    let desk = door.desk().clone();
    door.query(move |_| {
        Ok(desk.add_passkey(clock::now_unix_milliseconds(), session, &body.name, body.credential)?)
    })
    .await?;
    Ok((StatusCode::CREATED, who_is(sender.visitor).await))
}

/// 32 bytes for a secret.
fn random() -> Result<[u8; 32], Problem> {
    clock::random_seed().map_err(Problem::internal)
}

/// A problem as what a page says.
pub fn sentence(problem: &Problem) -> String {
    let mut letters = problem.detail.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
