//! What commands print: lines and JSON on stdout; a reader that went away ends the command quietly.

use std::io::{ErrorKind, Write as _, stdout};

use anyhow::Context as _;
use serde_json::Value;

/// Prints text as it is.
///
/// # Errors
/// When stdout cannot be written. A closed pipe (`lamppost device list | head`) is no error.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the output could not be written"),
    }
}

/// Prints one line.
///
/// # Errors
/// As [`text`].
pub fn line(line: impl AsRef<str>) -> anyhow::Result<()> {
    text(&format!("{}\n", line.as_ref()))
}

/// Prints a JSON document, indented, with a newline at its end.
///
/// # Errors
/// As [`text`].
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// A member of a JSON document as a person reads it: strings without quotes, `-` where there is none.
pub fn member(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => crate::client::printable(text),
        Some(other) => other.to_string(),
    }
}
