//! Names that came from outside, made harmless to read: cut, and with invisible characters made visible.
//!
//! Escaping is the templates' work; this is about what survives escaping: marks that reverse the reading
//! direction, characters of no width, and ten kilobytes of text where a word was expected.

/// Whether a character would act on the text around it without being seen.
fn acts_unseen(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0x00ad                      // soft hyphen
            | 0x034f                    // combining grapheme joiner
            | 0x061c                    // Arabic letter mark
            | 0x115f..=0x1160 | 0x3164 | 0xffa0 // Hangul fillers
            | 0x17b4..=0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f           // zero width, direction marks
            | 0x2028..=0x202e           // separators, embeddings, overrides
            | 0x2060..=0x206f           // joiners, isolates
            | 0xfe00..=0xfe0f | 0xfeff  // variation selectors, byte order mark
            | 0xfff0..=0xfffb
            | 0xe0000..=0xe0fff) // tags
}

/// At most `characters_max` characters of `text`; an unseen one is written as its code point, `⟨202E⟩`.
/// Stacked combining marks are cut to two, so that no name grows over its neighbours.
pub fn shown(text: impl AsRef<str>, characters_max: usize) -> String {
    let mut out = String::new();
    let mut marks = 0_usize;
    for (place, character) in text.as_ref().chars().enumerate() {
        if place == characters_max {
            out.push('…');
            break;
        }
        if is_combining(character) {
            marks += 1;
            if marks > 2 {
                continue;
            }
        } else {
            marks = 0;
        }
        if acts_unseen(character) {
            out.push_str(&format!("⟨{:04X}⟩", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    if out.trim().is_empty() { "(no name)".to_owned() } else { out }
}

fn is_combining(character: char) -> bool {
    matches!(u32::from(character),
        0x0300..=0x036f | 0x0483..=0x0489 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f)
}

/// An identifier's beginning and end, for where the whole is in the link: `lamp1qx3…8f0k`.
/// Identifiers are ASCII; anything else is shown as a name.
pub fn short(id: &str) -> String {
    if !id.is_ascii() || id.len() <= 20 {
        return shown(id, 20);
    }
    let (head, tail) = (id.get(..10).unwrap_or_default(), id.get(id.len() - 4..).unwrap_or_default());
    format!("{head}…{tail}")
}

/// A SenML unit (RFC 8428 §12.1) as people write it.
pub fn unit(senml: &str) -> String {
    match senml {
        "" => String::new(),
        "Cel" => "°C".to_owned(),
        "%RH" => "% RH".to_owned(),
        "ug/m3" => "µg/m³".to_owned(),
        "m3" => "m³".to_owned(),
        "m/s2" => "m/s²".to_owned(),
        "W/m2" => "W/m²".to_owned(),
        other => shown(other, 16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_override_is_seen_and_does_not_act() {
        assert_eq!(shown("temp\u{202e}gnp.exe", 48), "temp⟨202E⟩gnp.exe");
        assert_eq!(shown("a\u{200b}b\0", 48), "a⟨200B⟩b⟨0000⟩");
    }

    #[test]
    fn ten_kilobytes_become_a_short_name() {
        let name = shown("x".repeat(10_240), 48);
        assert_eq!(name.chars().count(), 49);
        assert!(name.ends_with('…'));
    }

    #[test]
    fn towers_of_marks_are_cut() {
        let tower = format!("a{}b", "\u{0301}".repeat(500));
        assert_eq!(shown(&tower, 600), "a\u{0301}\u{0301}b");
    }

    #[test]
    fn no_name_says_so() {
        assert_eq!(shown("", 48), "(no name)");
        assert_eq!(shown("  ", 48), "(no name)");
    }
}
