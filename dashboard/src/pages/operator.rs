//! The operator's pages, and the one for those who are not the operator.

pub mod desk;
pub mod fleet;
pub mod refused;
pub mod tariff;
pub mod validators;

use askama::Template;
use askama::filters::HtmlSafe;

use super::Shell;

/// The operator's pages: path, name, what is there.
const ROOMS: [(&str, &str); 5] = [
    ("/operator", "Now"),
    ("/operator/refused", "Refused"),
    ("/operator/fleet", "Fleet"),
    ("/operator/tariff", "Tariff"),
    ("/operator/validators", "Validators"),
];

/// A link to one of them.
struct Room {
    path: &'static str,
    name: &'static str,
    is_here: bool,
}

/// Links from each of the operator's pages to the others.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "operator_rooms.html")]
pub struct Rooms {
    here: &'static str,
}

impl HtmlSafe for Rooms {}

impl Rooms {
    /// The links on the page at `here`.
    pub fn at(here: &'static str) -> Self {
        Self { here }
    }

    fn rooms(&self) -> [Room; 5] {
        ROOMS.map(|(path, name)| Room { path, name, is_here: path == self.here })
    }
}

/// What everybody but the operator sees at the operator's addresses.
#[derive(Debug, Template)]
#[template(path = "operator_only.html")]
pub struct OperatorOnlyPage {
    shell: Shell,
}

super::is_a_page!(OperatorOnlyPage);

impl OperatorOnlyPage {
    /// The page in this shell.
    pub fn new(shell: Shell) -> Self {
        Self { shell }
    }
}
