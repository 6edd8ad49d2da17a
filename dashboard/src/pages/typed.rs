//! What people type into the address of a page, before it is shown as part of a command: only what has the form that it
//! must have, so that no link makes somebody run what they did not mean.

/// Hex digits of a kid.
const KID_DIGITS: usize = 16;
/// Hex digits of a device's proof.
const PROOF_DIGITS: usize = 128;
/// Letters of an account id: `lamp1`, 32 bytes in fives of bits, and a checksum.
const ACCOUNT_LETTERS: usize = 63;

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A transaction's id.
pub fn transaction(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| is_hex(text, 64))
}

/// The kid and the proof of a claim code.
pub fn claim_code(text: &str) -> Option<(&str, &str)> {
    let (kid, proof) = text.trim().split_once('.')?;
    (is_hex(kid, KID_DIGITS) && is_hex(proof, PROOF_DIGITS)).then_some((kid, proof))
}

/// An account id; whether its checksum holds is for whoever reads the command.
pub fn account(text: &str) -> Option<&str> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let text = text.trim();
    (text.len() == ACCOUNT_LETTERS && text.starts_with("lamp1") && text.bytes().all(is_letter))
        .then_some(text)
}

/// A coordinate in degrees, of at most this size: a sign, digits, and at most six decimals.
pub fn degrees(text: &str, most: u32) -> Option<&str> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_number = digits(whole, 3) && digits(decimals, 6);
    let fits = whole.parse::<u32>().is_ok_and(|degrees| degrees <= most);
    (is_number && fits).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_act_on_is_in_no_command() {
        for hostile in ["$(reboot)", "`id`", "x; rm -rf ~", "a'b", "--help", "", "лampl", "\u{202e}"] {
            assert_eq!(transaction(hostile), None, "{hostile}");
            assert_eq!(claim_code(&format!("be5de2f4bcdc383a.{hostile}")), None, "{hostile}");
            assert_eq!(
                account(&format!("lamp1{hostile:q<58}")).filter(|_| !hostile.is_empty()),
                None,
                "{hostile}"
            );
            assert_eq!(degrees(hostile, 180), None, "{hostile}");
        }
    }

    #[test]
    fn what_has_its_form_is_taken_without_the_blanks_around_it() {
        let proof = "0f".repeat(64);
        let code = format!(" be5de2f4bcdc383a.{proof}\n");
        assert_eq!(claim_code(&code), Some(("be5de2f4bcdc383a", proof.as_str())));
        assert_eq!(transaction(&format!(" {} ", "0f".repeat(32))), Some("0f".repeat(32).as_str()));
        let id = format!("lamp1{}", "q".repeat(58));
        assert_eq!(account(&id), Some(id.as_str()));
    }

    #[test]
    fn coordinates_are_numbers_on_the_earth() {
        for (text, most) in [("57.1497", 90), ("-2.0943", 180), ("0", 90), ("-180", 180), ("180.0", 180)] {
            assert_eq!(degrees(text, most), Some(text));
        }
        for text in ["--1", "1.", ".5", "1e3", "91", "1.1234567", "1,5", "- 1", "+1"] {
            assert_eq!(degrees(text, 90), None, "{text}");
        }
    }
}
