//! What pages load that verify, sign or reckon in the browser with the ledger's own code.

use crate::assets::{self, Asset};

/// The scripts of such a page, in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripts {
    /// The ledger's own code.
    pub module: &'static str,
    /// What brings it into the page.
    pub ledger: &'static str,
    /// The page's own.
    pub own: Vec<&'static str>,
}

impl Scripts {
    /// The scripts with these of the page's own; `None` where this build has no module to go with them.
    pub fn with(own: &[&'static Asset]) -> Option<Self> {
        Some(Self {
            module: assets::MODULE.path()?,
            ledger: assets::LEDGER_SCRIPT.path()?,
            own: own.iter().filter_map(|asset| asset.path()).collect(),
        })
    }

    /// Those of a page whose form is signed by the key in the browser.
    pub fn of_forms() -> Option<Self> {
        Self::with(&[&assets::KEY_SCRIPT, &assets::INSTRUCT])
    }
}
