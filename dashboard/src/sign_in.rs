//! The pages about signing in: ways to do it, what a link would open, the account's sessions and passkeys.
//!
//! They are drawn from plain values like all pages. Who is asked, what is checked and what a form does is decided by
//! whoever mounts them; every form carries the viewer's own token where there is a viewer.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::assets;
use crate::marks::{Age, Link, Name, Until};
use crate::names;
use crate::pages::{Page, Shell};
use crate::routes::guarded;
use crate::view::{FormToken, Network, Viewer};

/// What surrounds a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Figures of the network at this moment.
    pub network: Network,
    /// Who looks.
    pub viewer: Viewer,
    /// What went wrong just now, in one sentence.
    pub alert: Option<String>,
}

/// Whether passkeys can be used on this page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passkeys {
    /// They can.
    Here,
    /// They cannot; one sentence says why and what to do.
    Not(String),
}

impl Passkeys {
    fn not(&self) -> Option<&str> {
        match self {
            Passkeys::Here => None,
            Passkeys::Not(sentence) => Some(sentence),
        }
    }
}

/// The ways to sign in.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
struct WaysIn {
    shell: Shell,
    alert: Option<String>,
    passkeys: Passkeys,
    command: String,
}

crate::pages::is_a_page!(WaysIn);

/// Draws the ways to sign in; `command` prints a link.
pub fn ways_in(status: StatusCode, frame: Frame, passkeys: Passkeys, command: String) -> Response {
    let shell = Shell::new("Sign in", "/sign-in", frame.network, false);
    respond(status, frame.viewer, WaysIn { shell, alert: frame.alert, passkeys, command })
}

impl WaysIn {
    fn script(&self) -> &'static str {
        assets::PASSKEY.path().unwrap_or_default()
    }
}

/// A command whose answer is pasted here.
#[derive(Debug, Template)]
#[template(path = "sign_in_command.html")]
struct CommandIn {
    shell: Shell,
    alert: Option<String>,
    command: String,
}

crate::pages::is_a_page!(CommandIn);

/// Draws the page for those whose command reaches no node: `command` holds the challenge and prints the answer.
pub fn command_in(status: StatusCode, frame: Frame, command: String) -> Response {
    let shell = Shell::new("Sign in with a command", "/sign-in/command", frame.network, false);
    respond(status, frame.viewer, CommandIn { shell, alert: frame.alert, command })
}

/// What a one-time link would open.
#[derive(Debug, Template)]
#[template(path = "sign_in_link.html")]
struct LinkIn {
    shell: Shell,
    account: String,
    operator: bool,
    link: String,
    replaces: Option<String>,
}

crate::pages::is_a_page!(LinkIn);

/// Draws the page of a one-time link, whose button spends it: looking at it does not.
pub fn link_in(frame: Frame, account: String, operator: bool, link: String) -> Response {
    let replaces = frame.viewer.account().filter(|own| *own != account).map(str::to_owned);
    let shell = Shell::new("Sign in by link", "/sign-in", frame.network, false);
    respond(StatusCode::OK, frame.viewer, LinkIn { shell, account, operator, link, replaces })
}

/// One open session.
#[derive(Debug, Clone, Default)]
pub struct SessionRow {
    /// What a form names it by.
    pub id: String,
    /// Whether it is the one that asks.
    pub own: bool,
    /// How it was opened, in words.
    pub way: &'static str,
    /// What the browser calls itself.
    pub user_agent: String,
    /// When it was opened.
    pub created_milliseconds: u64,
    /// When it was last used, to within minutes.
    pub seen_milliseconds: u64,
    /// When it ends unless it is used.
    pub until_milliseconds: u64,
}

impl SessionRow {
    fn browser(&self) -> String {
        if self.user_agent.is_empty() {
            return "did not say".to_owned();
        }
        short_name(&self.user_agent).unwrap_or_else(|| names::shown(&self.user_agent, 120))
    }
}

/// Browsers by the word of theirs that no other one says, those first that say others' words too.
const BROWSERS: [(&str, &str); 5] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
];
/// Systems, likewise.
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// `Firefox 129 on Linux`; none of what is nobody's usual name.
fn short_name(user_agent: &str) -> Option<String> {
    let (word, browser) = BROWSERS.iter().find(|(word, _)| user_agent.contains(word))?;
    let (_, system) = SYSTEMS.iter().find(|(word, _)| user_agent.contains(word))?;
    let version = user_agent.split_once(word)?.1.split(|letter: char| !letter.is_ascii_digit()).next()?;
    (1..=4).contains(&version.len()).then(|| format!("{browser} {version} on {system}"))
}

/// One passkey.
#[derive(Debug, Clone, Default)]
pub struct PasskeyRow {
    /// What a form names it by.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The host that it is bound to.
    pub host: String,
    /// When it was made.
    pub created_milliseconds: u64,
    /// When it last opened a session.
    pub used_milliseconds: Option<u64>,
}

impl PasskeyRow {
    fn shown(&self) -> Name {
        Name(self.name.clone())
    }
}

/// The account's sessions and passkeys.
#[derive(Debug, Template)]
#[template(path = "sessions.html")]
struct Sessions {
    shell: Shell,
    alert: Option<String>,
    token: FormToken,
    sessions: Vec<SessionRow>,
    passkeys: Vec<PasskeyRow>,
    here: Passkeys,
}

crate::pages::is_a_page!(Sessions);

/// Draws the account's sessions and passkeys.
pub fn sessions(
    status: StatusCode,
    frame: Frame,
    sessions: Vec<SessionRow>,
    passkeys: Vec<PasskeyRow>,
    here: Passkeys,
) -> Response {
    let shell = Shell::new("Sessions and passkeys", "/sessions", frame.network, false);
    let token = frame.viewer.signed_in().map(|who| who.form_token).unwrap_or_default();
    respond(status, frame.viewer, Sessions { shell, alert: frame.alert, token, sessions, passkeys, here })
}

impl Sessions {
    fn script(&self) -> &'static str {
        assets::PASSKEY.path().unwrap_or_default()
    }

    fn age(&self, then: &u64) -> Age {
        Age { now_milliseconds: self.shell.network.now_milliseconds, then_milliseconds: *then }
    }

    fn until(&self, then: &u64) -> Until {
        Until { now_milliseconds: self.shell.network.now_milliseconds, then_milliseconds: *then }
    }
}

/// A whole page with the headers of all pages. It is nobody else's, so no cache keeps it.
fn respond(status: StatusCode, viewer: Viewer, mut page: impl Page) -> Response {
    let mut response = match page.draw_for(viewer) {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be drawn.").into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guarded(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_as_people_know_it_and_a_stranger_as_it_names_itself() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1";
        assert_eq!(short_name(chrome).as_deref(), Some("Chrome 137 on Linux"));
        assert_eq!(short_name(safari).as_deref(), Some("Safari 17 on iPhone"));
        assert_eq!(short_name("curl/8.5.0"), None);
        assert_eq!(short_name("Firefox/<script> Linux"), None);
        let row = SessionRow { user_agent: "curl/8.5.0".to_owned(), ..SessionRow::default() };
        assert_eq!(row.browser(), "curl/8.5.0");
    }
}
