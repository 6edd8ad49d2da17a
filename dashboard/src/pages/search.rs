//! Search: what somebody may have at hand (a kid, an account, a transaction's id, a height), and where its page is.

use askama::Template;

use super::Shell;
use crate::limits::SEARCH_CHARACTERS_MAX;
use crate::marks::segment;
use crate::names;
use crate::view::{Network, View, ViewError, Viewer};

/// The page of a search that found nothing, or has not been asked for anything yet.
#[derive(Debug, Template)]
#[template(path = "search.html")]
pub struct SearchPage {
    shell: Shell,
    text: String,
    /// What was looked for, and was not there.
    looked_for: Vec<&'static str>,
}

super::is_a_page!(SearchPage);

impl SearchPage {
    /// The page about `text`, which was looked for as each of `looked_for`.
    pub fn new(text: &str, looked_for: Vec<&'static str>, network: Network) -> Self {
        let shell = Shell::new("Search", format!("/search?q={}", segment(text)), network, false);
        Self { shell, text: text.to_owned(), looked_for }
    }

    fn is_asked(&self) -> bool {
        !self.text.is_empty()
    }

    fn shown(&self) -> String {
        names::shown(&self.text, SEARCH_CHARACTERS_MAX)
    }
}

/// What a search came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The page of what was looked for.
    Page(String),
    /// It was looked for as each of these, and is not there; none when the text looks like nothing that has a page.
    Nothing(Vec<&'static str>),
}

/// What somebody typed or pasted, as it is looked for: without the spaces around and the commas within a height.
pub fn cleaned(text: &str) -> String {
    text.trim().chars().filter(|character| !character.is_control()).take(SEARCH_CHARACTERS_MAX).collect()
}

/// Looks for `text` as everything that it may be. Sixteen digits are a kid before they are a height.
///
/// # Errors
/// When the view cannot answer.
pub fn find(view: &dyn View, text: &str) -> Result<Found, ViewError> {
    let lower = text.to_ascii_lowercase();
    let is_hex = lower.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut looked_for = Vec::new();
    if is_hex && lower.len() == 16 {
        if view.device(&Viewer::Public, &lower, 0, 0)?.is_some() {
            return Ok(Found::Page(format!("/devices/{lower}")));
        }
        looked_for.push("a device with this kid");
    }
    if is_hex && lower.len() == 64 {
        if view.transaction(&lower, 0)?.is_some() {
            return Ok(Found::Page(format!("/transactions/{lower}")));
        }
        looked_for.push("a transaction with this id");
    }
    if lower.starts_with("lamp1") {
        if view.account(&lower, 0, 0, 0)?.is_some() {
            return Ok(Found::Page(format!("/accounts/{}", segment(&lower))));
        }
        looked_for.push("an account with this id");
    }
    let digits = lower.trim_start_matches('#').replace([',', ' '], "");
    // Nobody writes a height with noughts before it; a kid often begins with some.
    if let Ok(height) = digits.parse::<u64>()
        && height.to_string() == digits
    {
        if view.block(height, 0, 0)?.is_some() {
            return Ok(Found::Page(format!("/blocks/{height}")));
        }
        looked_for.push("a block of this height");
    }
    Ok(Found::Nothing(looked_for))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_is_cleaned_and_bounded() {
        assert_eq!(cleaned("  be5de2f4bcdc383a\n"), "be5de2f4bcdc383a");
        assert_eq!(cleaned(&"a".repeat(10_240)).len(), SEARCH_CHARACTERS_MAX);
    }
}
