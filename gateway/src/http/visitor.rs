//! Who sent a request: their session by the cookie, their address, and what the browser says of where it was sent from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use dashboard::view::Viewer;

use super::door::Door;
use crate::clock;
use crate::limits::SESSION_MILLISECONDS;
use crate::sign_in::origin::{Origin, Origins};
use crate::sign_in::secret::Secret;
use crate::sign_in::{OpenSession, SignInError, Visitor};

/// The cookie that holds a session's token.
pub const COOKIE: &str = "lamppost_session";
/// The header in which scripts of our pages send what forms send in the field `token`.
pub const FORM_TOKEN_HEADER: &str = "lamppost-form-token";

/// Where a connection comes from; the server puts it into the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Looks once a request who sent it, and keeps what is theirs out of every cache.
pub async fn identify(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let desk = door.desk().clone();
    let visitor = masked(desk.visitor(clock::now_unix_milliseconds(), tokens(request.headers())));
    let (has_cookie, signed_in) = (tokens(request.headers()).next().is_some(), visitor.session.is_some());
    if visitor.seen_anew {
        tokio::task::spawn_blocking(move || {
            if let Err(error) = desk.write() {
                tracing::warn!(%error, "when sessions were last used could not be written down");
            }
        });
    }
    // The scripts and styles of a page are the same for everybody.
    let is_everybodys = request.uri().path().starts_with("/assets/");
    let signs_in = request.method() == Method::POST && is_about_signing_in(request.uri().path());
    request.extensions_mut().insert(visitor.viewer.clone());
    request.extensions_mut().insert(visitor);
    let mut response = next.run(request).await;
    if signs_in && response.status().is_client_error() {
        door.shared().telemetry.sign_ins_refused.inc();
    }
    if has_cookie && !is_everybodys {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("cookie"));
        if signed_in {
            let private = HeaderValue::from_static("private, no-store");
            response.headers_mut().insert(header::CACHE_CONTROL, private);
        }
    }
    response
}

/// With a form token that no other page shows alike; nobody is signed in where the system has no randomness for it.
fn masked(mut visitor: Visitor) -> Visitor {
    let (Viewer::Owner(who) | Viewer::Operator(who)) = &mut visitor.viewer else { return visitor };
    match clock::random_seed() {
        Ok(mask) => who.form_token = who.form_token.under(mask),
        Err(error) => {
            tracing::error!(%error, "nobody is taken for signed in");
            return Visitor::default();
        }
    }
    visitor
}

fn is_about_signing_in(path: &str) -> bool {
    path.starts_with("/sign-in") || path.starts_with("/api/v1/sign-in")
}

/// Every value of our cookie.
fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// The header that gives a browser its session. No script reads it, and other sites' forms do not bring it; the browser
/// forgets it when the session can only have ended.
pub fn set_cookie(token: &Secret, origin: &Origin) -> (HeaderName, String) {
    let secure = if origin.is_secure() { "; Secure" } else { "" };
    let seconds = SESSION_MILLISECONDS / 1_000;
    let text = token.text();
    (
        header::SET_COOKIE,
        format!("{COOKIE}={text}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"),
    )
}

/// The header that takes it away.
pub fn drop_cookie(origin: &Origin) -> (HeaderName, String) {
    let secure = if origin.is_secure() { "; Secure" } else { "" };
    (header::SET_COOKIE, format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"))
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// What a request says of its sender.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Who is signed in.
    pub visitor: Visitor,
    /// What the browser calls itself.
    pub user_agent: String,
    peer: IpAddr,
    forwarded_for: Option<IpAddr>,
    host: String,
    origin: Option<String>,
    fetch_site: Option<String>,
    form_token: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let word =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // The last is what the nearest proxy has seen itself; what stands before it anybody can have written.
        let forwarded = parts.headers.get_all("x-forwarded-for").into_iter().next_back();
        let forwarded =
            forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        Ok(Sender {
            visitor: parts.extensions.get().cloned().unwrap_or_default(),
            user_agent: word("user-agent").unwrap_or_default(),
            peer: parts.extensions.get::<Peer>().map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.0),
            forwarded_for: forwarded,
            host: word("host").unwrap_or_default(),
            origin: word("origin"),
            fetch_site: word("sec-fetch-site"),
            form_token: word(FORM_TOKEN_HEADER),
        })
    }
}

impl Sender {
    /// The address whose attempts are counted. A proxy on this machine speaks for others, where there is one.
    pub fn address(&self, origins: &Origins) -> IpAddr {
        match self.forwarded_for {
            Some(address) if origins.are_configured() && self.peer.is_loopback() => address,
            _ => self.peer,
        }
    }

    /// The origin that the page was opened by, where it is one of this node's.
    pub fn opened_by<'o>(&self, origins: &'o Origins) -> Option<&'o Origin> {
        origins.of_host(&self.host)
    }

    /// The origin that the browser says sent it, where it says one.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref().filter(|origin| *origin != "null")
    }

    /// Refuses what another site's page sent.
    ///
    /// # Errors
    /// [`SignInError::Foreign`].
    pub fn is_of_our_page(&self, origins: &Origins) -> Result<(), SignInError> {
        match origins.sent(self.origin.as_deref(), self.fetch_site.as_deref()) {
            true => Ok(()),
            false => Err(SignInError::Foreign),
        }
    }

    /// The session that may change something of itself: the request was sent by a page of ours, of this very session.
    ///
    /// # Errors
    /// [`SignInError::SignedOut`] or [`SignInError::Foreign`].
    pub fn session(&self, origins: &Origins, field: Option<&str>) -> Result<OpenSession, SignInError> {
        self.is_of_our_page(origins)?;
        let session = self.visitor.session.ok_or(SignInError::SignedOut)?;
        let own = self.visitor.viewer.signed_in().map(|who| &who.form_token);
        match (own, field.or(self.form_token.as_deref())) {
            (Some(own), Some(sent)) if own.is_sent_as(sent) => Ok(session),
            _ => Err(SignInError::Foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_cookie_is_read_wherever_it_stands() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=b; lamppost_session=one;lamppost_session=two"),
        );
        headers
            .append(header::COOKIE, HeaderValue::from_static("xlamppost_session=no; lamppost_session =no"));
        headers.append(header::COOKIE, HeaderValue::from_static("lamppost_session=three; lamppost_session"));
        assert_eq!(tokens(&headers).collect::<Vec<_>>(), ["one", "two", "three"]);
    }

    #[test]
    fn the_cookie_is_for_this_site_and_for_no_script() {
        let token = Secret::new([1; 32]);
        let (_, plain) = set_cookie(&token, &"http://localhost:8080".parse().unwrap());
        let expected = "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax";
        assert_eq!(plain, format!("lamppost_session={}{expected}", token.text()));
        let (_, secure) = set_cookie(&token, &"https://lamppost.example".parse().unwrap());
        assert_eq!(secure, format!("lamppost_session={}{expected}; Secure", token.text()));
        let (_, gone) = drop_cookie(&"https://lamppost.example".parse().unwrap());
        assert_eq!(gone, "lamppost_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    }
}
