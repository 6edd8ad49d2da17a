//! The pages about signing in, and their forms: complete without JavaScript, except for passkeys, which say so.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use dashboard::sign_in::{Frame, PasskeyRow, Passkeys, SessionRow};
use dashboard::view::{Network, View, Viewer};
use serde::Deserialize;

use super::super::door::Door;
use super::super::problem::Problem;
use super::super::visitor::{Sender, drop_cookie, set_cookie};
use super::{Opening, open_session, random, sentence};
use crate::clock;
use crate::limits::QUERY_BYTES_MAX;
use crate::sign_in::keyring::OwnPasskey;
use crate::sign_in::secret::SecretHash;
use crate::sign_in::sessions::{Session, Way};
use crate::sign_in::{OpenSession, SignIn, SignInError};

/// What the pages are drawn from.
#[derive(Clone)]
pub struct Rooms {
    door: Door,
    view: Arc<dyn View>,
}

/// The pages and what their forms are sent to.
pub fn router(door: Door, view: Arc<dyn View>) -> Router {
    Router::new()
        .route("/sign-in", get(ways_in))
        .route("/sign-in/link", post(follow_link))
        .route("/sign-in/command", get(command_in).post(answer_command))
        .route("/sign-out", post(sign_out))
        .route("/sessions", get(sessions))
        .route("/sessions/revoke", post(revoke))
        .route("/sessions/revoke-all", post(revoke_all))
        .route("/passkeys/rename", post(rename_passkey))
        .route("/passkeys/remove", post(remove_passkey))
        .with_state(Rooms { door, view })
}

/// What a form sends; each uses what it needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    token: Option<String>,
    id: String,
    name: String,
    link: String,
    answer: String,
}

type Sent = Result<Form<Fields>, FormRejection>;

fn fields(sent: Sent) -> Result<Fields, Problem> {
    sent.map(|Form(fields)| fields).map_err(|_| Problem::bad_request("this is no form of ours"))
}

impl Rooms {
    fn desk(&self) -> &SignIn {
        self.door.desk()
    }

    async fn frame(&self, viewer: Viewer, alert: Option<String>) -> Frame {
        let view = self.view.clone();
        let network = tokio::task::spawn_blocking(move || view.network().unwrap_or_default()).await;
        Frame { network: network.unwrap_or_else(|_| Network::default()), viewer, alert }
    }

    /// Whether passkeys can be used on a page that was opened like this.
    fn passkeys(&self, sender: &Sender) -> Passkeys {
        let origins = self.desk().origins();
        if let Err(error) = self.desk().site() {
            return Passkeys::Not(error.to_string());
        }
        match sender.opened_by(origins) {
            Some(origin) if origin == origins.own() => Passkeys::Here,
            _ => Passkeys::Not(format!(
                "they are bound to a name, so open this page as {}/sign-in",
                origins.own()
            )),
        }
    }

    async fn ways_in(&self, status: StatusCode, sender: &Sender, alert: Option<String>) -> Response {
        let frame = self.frame(sender.visitor.viewer.clone(), alert).await;
        let node = &frame.network.http_url;
        let command = match self.desk().origins().are_configured() {
            true => format!(
                "lamppost login --key owner.pem --node {node} --origin {}",
                self.desk().origins().own()
            ),
            false => format!("lamppost login --key owner.pem --node {node}"),
        };
        dashboard::sign_in::ways_in(status, frame, self.passkeys(sender), command)
    }

    async fn command_in(&self, status: StatusCode, sender: &Sender, alert: Option<String>) -> Response {
        let (desk, now) = (self.desk(), clock::now_unix_milliseconds());
        let asked = desk
            .attempt(now, sender.address(desk.origins()))
            .map_err(Problem::from)
            .and_then(|()| Ok(desk.challenge(now, random()?)));
        let challenge = match asked {
            Ok(challenge) => challenge,
            Err(problem) => return self.refused(sender, &problem).await,
        };
        let origin = sender.opened_by(desk.origins()).unwrap_or(desk.origins().own());
        let command = format!(
            "lamppost login --key owner.pem --origin {origin} --network {} --challenge {}",
            desk.network(),
            hex::encode(challenge.as_bytes())
        );
        let frame = self.frame(sender.visitor.viewer.clone(), alert).await;
        dashboard::sign_in::command_in(status, frame, command)
    }

    async fn sessions(
        &self,
        status: StatusCode,
        sender: &Sender,
        own: OpenSession,
        alert: Option<String>,
    ) -> Response {
        let (now, desk) = (clock::now_unix_milliseconds(), self.desk());
        let session = |(token, session): (SecretHash, Session)| SessionRow {
            id: token.name(),
            own: token == own.token,
            way: said(session.way),
            created_milliseconds: session.created_unix_milliseconds,
            seen_milliseconds: session.seen_unix_milliseconds,
            until_milliseconds: session.until_unix_milliseconds(),
            user_agent: session.user_agent,
        };
        let sessions = desk.sessions_of(now, &own.account).into_iter().map(session).collect();
        let passkey = |own: OwnPasskey| PasskeyRow {
            id: own.credential.name(),
            name: own.name,
            host: own.host,
            created_milliseconds: own.created_unix_milliseconds,
            used_milliseconds: own.used_unix_milliseconds,
        };
        let passkeys = desk.passkeys_of(&own.account).into_iter().map(passkey).collect();
        let frame = self.frame(sender.visitor.viewer.clone(), alert).await;
        dashboard::sign_in::sessions(status, frame, sessions, passkeys, self.passkeys(sender))
    }

    /// A refusal on the page where whoever is refused can go on.
    async fn refused(&self, sender: &Sender, problem: &Problem) -> Response {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let alert = Some(sentence(problem));
        match sender.visitor.session {
            Some(own) => self.sessions(status, sender, own, alert).await,
            None => self.ways_in(status, sender, alert).await,
        }
    }

    /// Opens a session and leads on.
    async fn open(&self, sender: &Sender, opening: Opening) -> Result<Response, Problem> {
        let origin = opening.origin.clone();
        let (token, home) = open_session(&self.door, sender, opening).await?;
        let headers = [set_cookie(&token, &origin), (header::LOCATION, home.path().to_owned())];
        Ok((StatusCode::SEE_OTHER, headers).into_response())
    }

    /// Changes something of the session that sent a form, beside the event loop, and leads back to the sessions.
    async fn change(
        &self,
        sender: &Sender,
        sent: Sent,
        change: impl FnOnce(&SignIn, OpenSession, Fields) -> Result<(), SignInError> + Send + 'static,
    ) -> Result<(), Problem> {
        let fields = fields(sent)?;
        let session = sender.session(self.desk().origins(), fields.token.as_deref())?;
        let desk = self.door.desk().clone();
        self.door.query(move |_| Ok(change(&desk, session, fields)?)).await
    }

    async fn after(&self, sender: &Sender, changed: Result<(), Problem>) -> Response {
        match changed {
            Ok(()) => (StatusCode::SEE_OTHER, [(header::LOCATION, "/sessions")]).into_response(),
            Err(problem) => self.refused(sender, &problem).await,
        }
    }

    /// The same where the browser's own session has ended with it.
    async fn after_the_end(&self, sender: &Sender, changed: Result<(), Problem>) -> Response {
        match changed {
            Ok(()) => {
                let gone = drop_cookie(self.desk().origins().own());
                (StatusCode::SEE_OTHER, [gone, (header::LOCATION, "/sign-in".to_owned())]).into_response()
            }
            Err(problem) => self.refused(sender, &problem).await,
        }
    }
}

/// How a session was opened, in words.
fn said(way: Way) -> &'static str {
    match way {
        Way::Key => "with the account's key",
        Way::Link => "by a link of lamppost login",
        Way::FirstRun => "by the link of the first run",
        Way::Passkey => "with a passkey",
    }
}

async fn ways_in(State(rooms): State<Rooms>, sender: Sender, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let Some(link) = query.split('&').find_map(|pair| pair.strip_prefix("link=")) else {
        return rooms.ways_in(StatusCode::OK, &sender, None).await;
    };
    let (desk, now) = (rooms.desk(), clock::now_unix_milliseconds());
    // Looking tells whether a link is one of ours, so it counts as an attempt.
    let looked = desk.attempt(now, sender.address(desk.origins())).and_then(|()| {
        let bounded = Some(link).filter(|link| link.len() <= QUERY_BYTES_MAX);
        bounded.and_then(|link| desk.look_at_link(now, link)).ok_or(SignInError::Link)
    });
    match looked {
        Ok(account) => {
            let operator = rooms.door.shared().state().operator() == account;
            let frame = rooms.frame(sender.visitor.viewer.clone(), None).await;
            dashboard::sign_in::link_in(frame, account.to_string(), operator, link.to_owned())
        }
        Err(error) => rooms.refused(&sender, &error.into()).await,
    }
}

async fn follow_link(State(rooms): State<Rooms>, sender: Sender, sent: Sent) -> Response {
    let (desk, now) = (rooms.desk(), clock::now_unix_milliseconds());
    let followed = async {
        sender.is_of_our_page(desk.origins())?;
        desk.attempt(now, sender.address(desk.origins()))?;
        let (account, way) = desk.follow_link(now, &fields(sent)?.link)?;
        let origin = sender.opened_by(desk.origins()).unwrap_or(desk.origins().own()).clone();
        rooms.open(&sender, Opening { account, way, origin }).await
    };
    match followed.await {
        Ok(response) => response,
        Err(problem) => rooms.refused(&sender, &problem).await,
    }
}

async fn command_in(State(rooms): State<Rooms>, sender: Sender) -> Response {
    rooms.command_in(StatusCode::OK, &sender, None).await
}

async fn answer_command(State(rooms): State<Rooms>, sender: Sender, sent: Sent) -> Response {
    let (desk, now) = (rooms.desk(), clock::now_unix_milliseconds());
    let answered = async {
        sender.is_of_our_page(desk.origins())?;
        desk.attempt(now, sender.address(desk.origins()))?;
        let fields = fields(sent)?;
        let pasted: String = fields.answer.split_whitespace().collect();
        let bytes = Base64UrlUnpadded::decode_vec(&pasted).map_err(|_| SignInError::Malformed)?;
        let proven = desk.answer(now, &bytes)?;
        rooms.open(&sender, Opening { account: proven.account, way: Way::Key, origin: proven.origin }).await
    };
    match answered.await {
        Ok(response) => response,
        // A new challenge beside the sentence: the old one may be spent.
        Err(problem) if problem.status != StatusCode::TOO_MANY_REQUESTS.as_u16() => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::FORBIDDEN);
            rooms.command_in(status, &sender, Some(sentence(&problem))).await
        }
        Err(problem) => rooms.refused(&sender, &problem).await,
    }
}

async fn sign_out(State(rooms): State<Rooms>, sender: Sender, sent: Sent) -> Response {
    let ended = rooms.change(&sender, sent, |desk, session, _| desk.end(session)).await;
    rooms.after_the_end(&sender, ended).await
}

async fn sessions(State(rooms): State<Rooms>, sender: Sender) -> Response {
    match sender.visitor.session {
        Some(own) => rooms.sessions(StatusCode::OK, &sender, own, None).await,
        None => (StatusCode::SEE_OTHER, [(header::LOCATION, "/sign-in")]).into_response(),
    }
}

async fn revoke(State(rooms): State<Rooms>, sender: Sender, sent: Sent) -> Response {
    let own = sender.visitor.session.map(|session| session.token.name());
    let itself = sent.as_ref().is_ok_and(|Form(fields)| own.is_some_and(|own| own == fields.id));
    let ended = rooms
        .change(&sender, sent, |desk, session, fields| desk.end_named(&session.account, &fields.id))
        .await;
    if itself { rooms.after_the_end(&sender, ended).await } else { rooms.after(&sender, ended).await }
}

async fn revoke_all(State(rooms): State<Rooms>, sender: Sender, sent: Sent) -> Response {
    let ended = rooms.change(&sender, sent, |desk, session, _| desk.end_all(&session.account)).await;
    rooms.after_the_end(&sender, ended).await
}

async fn rename_passkey(State(rooms): State<Rooms>, sender: Sender, sent: Sent) -> Response {
    let renamed = rooms.change(&sender, sent, |desk, session, fields| {
        desk.rename_passkey(&session.account, &fields.id, &fields.name)
    });
    rooms.after(&sender, renamed.await).await
}

async fn remove_passkey(State(rooms): State<Rooms>, sender: Sender, sent: Sent) -> Response {
    let removed = rooms
        .change(&sender, sent, |desk, session, fields| desk.remove_passkey(&session.account, &fields.id));
    rooms.after(&sender, removed.await).await
}
