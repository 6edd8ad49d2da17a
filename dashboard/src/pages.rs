//! The pages: each a template and the struct that fills it, drawn from one answer of the view.

pub mod account;
pub mod agreement;
pub mod audit;
pub mod block;
pub mod claim;
pub mod device;
pub mod handover;
pub mod home;
pub mod key;
pub mod map;
pub mod mine;
pub mod missing;
pub mod operator;
pub mod parts;
pub mod payouts;
pub mod search;
pub mod sheet;
pub mod signing;
pub mod statement;
pub mod statements;
pub mod transaction;
pub mod typed;
pub mod verify;

use crate::assets;
use crate::marks::{Link, Moment, Name};
use crate::view::{Network, Viewer};

/// A page that can be drawn for somebody.
pub trait Page {
    /// What surrounds it.
    fn shell(&mut self) -> &mut Shell;

    /// The whole document.
    fn draw(&self) -> askama::Result<String>;

    /// The whole document as this viewer is shown it.
    fn draw_for(&mut self, viewer: Viewer) -> askama::Result<String> {
        self.shell().viewer = viewer;
        self.draw()
    }
}

/// Says that a template with a `shell` is a page.
macro_rules! is_a_page {
    ($page:ty) => {
        impl $crate::pages::Page for $page {
            fn shell(&mut self) -> &mut $crate::pages::Shell {
                &mut self.shell
            }

            fn draw(&self) -> askama::Result<String> {
                askama::Template::render(self)
            }
        }
    };
}
pub(crate) use is_a_page;

/// What surrounds every page: title, figures of the network, assets.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The document's title, before the product's name.
    pub title: String,
    /// This page's own path and query, for reloading without a script.
    pub path: String,
    /// Figures of the network.
    pub network: Network,
    /// Whether the script keeps the page's figures current.
    pub live: bool,
    /// Who looks; set where the page is drawn.
    pub viewer: Viewer,
}

impl Shell {
    /// The shell of a page at `path`.
    pub fn new(title: impl Into<String>, path: impl Into<String>, network: Network, live: bool) -> Self {
        Self { title: title.into(), path: path.into(), network, live, viewer: Viewer::Public }
    }

    /// When the page's figures were taken.
    pub fn taken(&self) -> Moment {
        Moment(self.network.now_milliseconds)
    }

    /// The network's name, made harmless.
    pub fn network_name(&self) -> Name {
        Name(self.network.name.clone())
    }

    /// `Owner` or `Operator`, for the header.
    pub fn role(&self) -> &'static str {
        if self.viewer.is_operator() { "Operator" } else { "Owner" }
    }

    /// Link to the account that is signed in.
    pub fn viewer_account(&self) -> Link {
        Link::account(self.viewer.account().unwrap_or_default())
    }

    /// Path of the style sheet.
    pub fn style(&self) -> &'static str {
        assets::STYLE.path().unwrap_or_default()
    }

    /// Path of the script.
    pub fn script(&self) -> &'static str {
        assets::SCRIPT.path().unwrap_or_default()
    }

    /// Path of the icon.
    pub fn icon(&self) -> &'static str {
        assets::ICON.path().unwrap_or_default()
    }

    /// Path of what refreshes a page, for a page that is to be; `None` where this build has no libraries.
    pub fn htmx(&self) -> Option<&'static str> {
        assets::HTMX.path().filter(|_| self.live)
    }

    /// Whether this build has the libraries that charts, map and live pages use.
    pub fn has_libraries(&self) -> bool {
        assets::HTMX.path().is_some()
    }

    /// Where the libraries' licences are shown.
    pub fn licences(&self) -> &'static str {
        assets::LICENCES_PATH
    }
}
