//! Small pieces of HTML that every page uses alike: amounts, times, ages, links to things with an id.
//!
//! They are the only markup made outside the templates. What they hold is integers and text of their own, or is
//! escaped here; each is marked [`HtmlSafe`] for that reason alone.

use askama::filters::HtmlSafe;
use std::fmt::{Display, Formatter, Result};

use crate::{moments, names, numbers};

/// An integer, however many references lie before it: templates pass fields and loop variables alike.
pub trait Integer {
    /// Its value.
    fn value(&self) -> u64;
}

impl Integer for u64 {
    fn value(&self) -> u64 {
        *self
    }
}

impl Integer for usize {
    fn value(&self) -> u64 {
        *self as u64
    }
}

impl<T: Integer> Integer for &T {
    fn value(&self) -> u64 {
        (**self).value()
    }
}

/// [`Amount`] of that many micro-tokens.
pub fn amount(microtokens: impl Integer) -> Amount {
    Amount(microtokens.value())
}

/// [`Number`] of it.
pub fn number(of: impl Integer) -> Number {
    Number(of.value())
}

/// [`Moment`] at that Unix time in milliseconds.
pub fn moment(unix_milliseconds: impl Integer) -> Moment {
    Moment(unix_milliseconds.value())
}

/// [`ShortMoment`] at that Unix time in milliseconds.
pub fn short_moment(unix_milliseconds: impl Integer) -> ShortMoment {
    ShortMoment(unix_milliseconds.value())
}

/// [`Name`] of text from outside.
pub fn name(text: impl AsRef<str>) -> Name {
    Name(text.as_ref().to_owned())
}

/// Escapes text for element content and quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// An amount: exact tokens, its micro-tokens in the element's value and on hover.
#[derive(Debug, Clone, Copy)]
pub struct Amount(pub u64);

impl Display for Amount {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(
            out,
            r#"<data class="amount" value="{}" title="{} micro-tokens">{}</data>"#,
            self.0,
            numbers::grouped(self.0),
            numbers::tokens(self.0)
        )
    }
}

/// A count with its thousands grouped.
#[derive(Debug, Clone, Copy)]
pub struct Number(pub u64);

impl Display for Number {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(&numbers::grouped(self.0))
    }
}

/// A moment in full.
#[derive(Debug, Clone, Copy)]
pub struct Moment(pub u64);

impl Display for Moment {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, r#"<time datetime="{}">{}</time>"#, moments::rfc3339(self.0), moments::long(self.0))
    }
}

/// A moment within a table whose heading says UTC.
#[derive(Debug, Clone, Copy)]
pub struct ShortMoment(pub u64);

impl Display for ShortMoment {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, r#"<time datetime="{}">{}</time>"#, moments::rfc3339(self.0), moments::medium(self.0))
    }
}

/// An age; the script keeps it counting.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    /// The page's now.
    pub now_milliseconds: u64,
    /// What it is the age of.
    pub then_milliseconds: u64,
}

impl Display for Age {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(
            out,
            r#"<time data-age datetime="{}" title="{}">{}</time>"#,
            moments::rfc3339(self.then_milliseconds),
            moments::long(self.then_milliseconds),
            moments::age(self.now_milliseconds, self.then_milliseconds)
        )
    }
}

/// A time to come; the script keeps it counting.
#[derive(Debug, Clone, Copy)]
pub struct Until {
    /// The page's now.
    pub now_milliseconds: u64,
    /// What is awaited.
    pub then_milliseconds: u64,
}

impl Display for Until {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(
            out,
            r#"<time data-until datetime="{}" title="{}">{}</time>"#,
            moments::rfc3339(self.then_milliseconds),
            moments::long(self.then_milliseconds),
            moments::until(self.now_milliseconds, self.then_milliseconds)
        )
    }
}

/// What an id is of, and so where its page is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Device,
    Account,
    Transaction,
    Receipt,
}

/// A link to the page of an id (or to a receipt), the id percent-encoded where it is not plain.
#[derive(Debug, Clone)]
pub struct Link {
    kind: Kind,
    id: String,
}

impl Link {
    /// To a device's page.
    pub fn device(kid: impl AsRef<str>) -> Self {
        Self { kind: Kind::Device, id: kid.as_ref().to_owned() }
    }

    /// To an account's page.
    pub fn account(id: impl AsRef<str>) -> Self {
        Self { kind: Kind::Account, id: id.as_ref().to_owned() }
    }

    /// To a transaction's page.
    pub fn transaction(id: impl AsRef<str>) -> Self {
        Self { kind: Kind::Transaction, id: id.as_ref().to_owned() }
    }

    /// To a transaction's receipt, as a file.
    pub fn receipt(id: impl AsRef<str>) -> Self {
        Self { kind: Kind::Receipt, id: id.as_ref().to_owned() }
    }
}

/// An id as one path segment.
pub fn segment(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl Display for Link {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let path = segment(&self.id);
        let short = escaped(&names::short(&self.id));
        match self.kind {
            Kind::Device => write!(out, r#"<a class="id" href="/devices/{path}">{short}</a>"#),
            Kind::Account => write!(
                out,
                r#"<a class="id" href="/accounts/{path}" title="{}">{short}</a>"#,
                escaped(&names::shown(&self.id, 80))
            ),
            Kind::Transaction => write!(out, r#"<a class="id" href="/transactions/{path}">{short}</a>"#),
            Kind::Receipt => {
                let file = segment(self.id.get(..16).unwrap_or("entry"));
                write!(
                    out,
                    r#"<a href="/api/v1/transactions/{path}/receipt" download="{file}.receipt">receipt</a>"#
                )
            }
        }
    }
}

/// A name from outside: cut, marked, escaped, and kept from turning the direction of what follows.
#[derive(Debug, Clone)]
pub struct Name(pub String);

impl Display for Name {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let text = names::shown(&self.0, crate::limits::NAME_CHARACTERS_MAX);
        write!(out, "<bdi>{}</bdi>", escaped(&text))
    }
}

impl HtmlSafe for Amount {}
impl HtmlSafe for Number {}
impl HtmlSafe for Moment {}
impl HtmlSafe for ShortMoment {}
impl HtmlSafe for Age {}
impl HtmlSafe for Until {}
impl HtmlSafe for Link {}
impl HtmlSafe for Name {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_id_stays_inside_its_link() {
        let link = Link::account("\"><script>alert(1)</script>").to_string();
        assert!(!link.contains("<script"), "{link}");
        assert!(link.contains("href=\"/accounts/%22%3E%3Cscript"), "{link}");
    }

    #[test]
    fn a_hostile_name_is_text() {
        assert_eq!(Name("<b>\u{202e}".to_owned()).to_string(), "<bdi>&lt;b&gt;⟨202E⟩</bdi>");
    }
}
