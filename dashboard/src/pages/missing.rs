//! What is shown where there is no such page, or the view could not answer.

use askama::Template;

use super::Shell;

/// A page that says what is missing and where to go on.
#[derive(Debug, Template)]
#[template(path = "missing.html")]
pub struct MissingPage {
    shell: Shell,
    heading: String,
    sentence: String,
}

super::is_a_page!(MissingPage);

impl MissingPage {
    /// `heading` says what is the matter, `sentence` why and what to do.
    pub fn new(shell: Shell, heading: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { shell, heading: heading.into(), sentence: sentence.into() }
    }
}
