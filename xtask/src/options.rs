//! The words after a task's name: options with a value, and names.

use crate::process::Failure;
use std::str::FromStr;

/// What was typed and not taken yet.
#[derive(Debug)]
pub struct Options {
    values: Vec<(String, String)>,
    names: Vec<String>,
}

impl Options {
    /// Words of which `known` options take the next one as their value.
    ///
    /// # Errors
    /// An option that is not known, or has no value.
    pub fn parse(arguments: &[String], known: &[&str]) -> Result<Self, Failure> {
        let mut options = Options { values: Vec::new(), names: Vec::new() };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                options.names.push(word.clone());
            } else if known.contains(&word.as_str()) {
                let value = words.next().ok_or_else(|| Failure::new(format!("{word} needs a value")))?;
                options.values.push((word.clone(), value.clone()));
            } else {
                return Err(Failure::new(format!("there is no option {word}; --help names them")));
            }
        }
        Ok(options)
    }

    /// The number behind an option, or `otherwise`; also of 0x and hexadecimal digits.
    ///
    /// # Errors
    /// A value that is no number.
    pub fn number<T: FromStr + TryFrom<u64>>(&mut self, name: &str, otherwise: T) -> Result<T, Failure> {
        let Some(at) = self.values.iter().position(|(option, _)| option == name) else {
            return Ok(otherwise);
        };
        let (_, value) = self.values.remove(at);
        let hexadecimal = value.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let number = match hexadecimal {
            Some(number) => T::try_from(number).ok(),
            None => value.parse().ok(),
        };
        number.ok_or_else(|| Failure::new(format!("{name} takes a number, not `{value}`")))
    }

    /// The word behind an option.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let at = self.values.iter().position(|(option, _)| option == name)?;
        Some(self.values.remove(at).1)
    }

    /// The words that are no options.
    pub fn names(&mut self) -> Vec<String> {
        std::mem::take(&mut self.names)
    }

    /// Whether everything was taken.
    ///
    /// # Errors
    /// Names the first word that nobody asked for.
    pub fn nothing_else(self) -> Result<(), Failure> {
        let option = self.values.first().map(|(option, _)| option);
        match option.or(self.names.first()) {
            Some(word) => Err(Failure::new(format!("`{word}` is one word too many; --help says more"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, Failure> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Options::parse(&words, &["--rounds", "--seed"])
    }

    #[test]
    fn numbers_and_names_are_told_apart() -> Result<(), Failure> {
        let mut options = parse(&["--rounds", "3", "receipt", "--seed", "0x1f"])?;
        assert_eq!(options.number("--rounds", 1_u32)?, 3);
        assert_eq!(options.number("--seed", 1_u64)?, 31);
        assert_eq!(options.number("--jobs", 5_u64)?, 5);
        assert_eq!(options.names(), ["receipt"]);
        options.nothing_else()?;
        let mut options = parse(&["--seed", "elsewhere"])?;
        assert_eq!(options.text("--seed").as_deref(), Some("elsewhere"));
        assert_eq!(options.text("--seed"), None);
        options.nothing_else()
    }

    #[test]
    fn what_nobody_asked_for_is_named() -> Result<(), Failure> {
        assert!(parse(&["--speed", "3"]).is_err_and(|failure| failure.to_string().contains("--speed")));
        assert!(parse(&["--seed"]).is_err_and(|failure| failure.to_string().contains("needs a value")));
        let mut options = parse(&["--seed", "many"])?;
        assert!(options.number("--seed", 1_u64).is_err_and(|failure| failure.to_string().contains("`many`")));
        let left = parse(&["receipt"])?.nothing_else();
        assert!(left.is_err_and(|failure| failure.to_string().contains("`receipt`")));
        Ok(())
    }
}
