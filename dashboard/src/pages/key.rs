//! The page about the key that lies in this browser. All of it happens there: the node draws the same for everybody.

use askama::Template;

use super::Shell;
use super::signing::Scripts;
use crate::assets;
use crate::view::Network;

/// The page.
#[derive(Debug, Template)]
#[template(path = "key.html")]
pub struct KeyPage {
    shell: Shell,
    scripts: Option<Scripts>,
}

super::is_a_page!(KeyPage);

impl KeyPage {
    /// The page of a network, whose account the key will be.
    pub fn new(network: Network) -> Self {
        Self {
            shell: Shell::new("Key in this browser", "/key", network, false),
            scripts: Scripts::with(&[&assets::KEY_SCRIPT, &assets::KEY_PAGE]),
        }
    }
}
