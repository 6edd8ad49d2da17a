//! The page that verifies receipts and proofs in the browser; without a script, the commands that do the same.

use askama::Template;

use super::Shell;
use super::signing::Scripts;
use super::typed;
use crate::assets;
use crate::view::Network;

/// The page.
#[derive(Debug, Template)]
#[template(path = "verify.html")]
pub struct VerifyPage {
    shell: Shell,
    scripts: Option<Scripts>,
    id: String,
    complaint: Option<&'static str>,
}

super::is_a_page!(VerifyPage);

impl VerifyPage {
    /// The page, asked for the receipt of a transaction or of none.
    pub fn new(network: Network, asked: Option<&str>) -> Self {
        let id = asked.and_then(typed::transaction);
        let is_wrong = asked.is_some_and(|asked| !asked.trim().is_empty()) && id.is_none();
        let path = id.map_or_else(|| "/verify".to_owned(), |id| format!("/verify?id={id}"));
        Self {
            shell: Shell::new("Verify", path, network, false),
            scripts: Scripts::with(&[&assets::VERIFY]),
            id: id.unwrap_or_default().to_owned(),
            complaint: is_wrong
                .then_some("A transaction's id is 64 lower-case hex digits; its page shows it."),
        }
    }

    /// The transaction as the command names it.
    fn named(&self) -> &str {
        if self.id.is_empty() { "TXID" } else { &self.id }
    }
}
