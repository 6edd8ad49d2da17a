//! The pages: each a template and the struct that fills it, drawn from one answer of the view.

pub mod account;
pub mod block;
pub mod device;
pub mod home;
pub mod missing;
pub mod parts;
pub mod sheet;
pub mod statement;
pub mod statements;
pub mod transaction;

use crate::assets;
use crate::marks::{Moment, Name};
use crate::view::Network;

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
}

impl Shell {
    /// The shell of a page at `path`.
    pub fn new(title: impl Into<String>, path: impl Into<String>, network: Network, live: bool) -> Self {
        Self { title: title.into(), path: path.into(), network, live }
    }

    /// When the page's figures were taken.
    pub fn taken(&self) -> Moment {
        Moment(self.network.now_milliseconds)
    }

    /// The network's name, made harmless.
    pub fn network_name(&self) -> Name {
        Name(self.network.name.clone())
    }

    /// Path of the style sheet.
    pub fn style(&self) -> &'static str {
        assets::STYLE.path()
    }

    /// Path of the script.
    pub fn script(&self) -> &'static str {
        assets::SCRIPT.path()
    }

    /// Path of the icon.
    pub fn icon(&self) -> &'static str {
        assets::ICON.path()
    }
}
