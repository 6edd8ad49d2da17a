//! The ledger's own code as one WebAssembly module: text in, JSON out.
//!
//! Invariants: the module imports nothing, so it sees no clock, no network and no page; it keeps nothing between two
//! calls but the two buffers; what it answers is what `lamppost verify` says of the same bytes, because it is the
//! same code. It never sees a private key: it makes what a key has to sign and joins it with the signature. No glue is
//! generated: a caller writes the texts behind one another at [`input`], calls [`verify`] or [`ask`] with their lengths,
//! and reads as many bytes as it returns at [`output`].
//!
//! The buffers are atomics because a static that the caller writes must be shared without `unsafe`; in a module
//! without threads they cost what plain bytes cost.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

extern crate alloc;

pub mod requests;
mod signing;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU8, Ordering};

use ledger::document;
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::limits::{RECEIPT_BYTES_MAX, STATE_PROOF_BYTES_MAX};
use ledger::proven::Proven;

/// Bytes of a genesis document and a proof together, at most.
pub const INPUT_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// Bytes of an answer at most.
pub const OUTPUT_BYTES_MAX: usize = 1_024 * 1_024;

const _: () = assert!(STATE_PROOF_BYTES_MAX < INPUT_BYTES_MAX);
// A reading's records in JSON are longer than in CBOR, but not eight times as long.
const _: () = assert!(RECEIPT_BYTES_MAX * 8 <= OUTPUT_BYTES_MAX);

/// What is said of lengths that nobody can have written.
const TOO_LONG: &str = "the texts are longer than the input";

static INPUT: [AtomicU8; INPUT_BYTES_MAX] = [const { AtomicU8::new(0) }; INPUT_BYTES_MAX];
static OUTPUT: [AtomicU8; OUTPUT_BYTES_MAX] = [const { AtomicU8::new(0) }; OUTPUT_BYTES_MAX];

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A broken invariant traps: the page's script gets an exception and no answer.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Where the texts are written: the genesis document, and right behind it the proof, both UTF-8.
#[allow(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *const AtomicU8 {
    INPUT.as_ptr()
}

/// Bytes that may be written there.
#[allow(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn input_bytes_max() -> usize {
    INPUT_BYTES_MAX
}

/// Where the answer is read.
#[allow(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const AtomicU8 {
    OUTPUT.as_ptr()
}

/// Verifies what was written; gives the answer's length. It is JSON: `{"holds":true,"proven":{…}}`, or
/// `{"holds":false,"sentence":"…"}` with the first thing that fails.
#[allow(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn verify(genesis_bytes: usize, proof_bytes: usize) -> usize {
    let answer = read(genesis_bytes, proof_bytes)
        .map_or_else(|sentence| refused(&sentence), |(genesis, proof)| answer(&genesis, &proof));
    write(&answer)
}

/// Answers a request in JSON ([`requests`]); gives the answer's length. It is JSON too: `{"sentence":"…"}` where the
/// request cannot be answered.
#[allow(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn ask(request_bytes: usize) -> usize {
    let bytes = read_bytes(request_bytes);
    let request = bytes.and_then(|bytes| text(&bytes, "request"));
    write(&request.map_or_else(|sentence| requests::unanswered(&sentence), |text| requests::answer(&text)))
}

/// What is said of a proof.
#[must_use]
pub fn answer(genesis: &str, proof: &str) -> String {
    let genesis = match Genesis::from_json(genesis) {
        Ok(genesis) => genesis,
        Err(error) => return refused(&format!("the genesis document cannot be trusted: {error}")),
    };
    match document::verify(proof, &Handovers::of_genesis(&genesis)) {
        Ok(verified) => {
            format!("{{\"holds\":true,\"proven\":{}}}", Proven::of(&verified, &genesis).to_json())
        }
        Err(error) => refused(&error.to_string()),
    }
}

fn refused(sentence: &str) -> String {
    let mut json = String::from("{\"holds\":false,\"sentence\":\"");
    for letter in sentence.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            letter if letter.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => json.push(letter),
        }
    }
    json.push_str("\"}");
    json
}

fn read(genesis_bytes: usize, proof_bytes: usize) -> Result<(String, String), String> {
    let bytes = read_bytes(genesis_bytes.saturating_add(proof_bytes))?;
    let (genesis, proof) = bytes.split_at_checked(genesis_bytes).ok_or(TOO_LONG)?;
    Ok((text(genesis, "genesis document")?, text(proof, "proof")?))
}

fn read_bytes(length: usize) -> Result<Vec<u8>, String> {
    let written = INPUT.get(..length).ok_or(TOO_LONG)?;
    Ok(written.iter().map(|byte| byte.load(Ordering::Relaxed)).collect())
}

fn text(bytes: &[u8], what: &str) -> Result<String, String> {
    String::from_utf8(bytes.to_vec())
        .map_err(|_| format!("the {what} is no text: it has a byte that is no UTF-8"))
}

fn write(answer: &str) -> usize {
    if answer.len() > OUTPUT_BYTES_MAX {
        return write(&refused("the proof says more than the output can hold"));
    }
    for (place, byte) in OUTPUT.iter().zip(answer.bytes()) {
        place.store(byte, Ordering::Relaxed);
    }
    answer.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_json_whatever_it_quotes() {
        let sentence = "an \"origin\" with \\ and \u{1b}[31m and é";
        assert_eq!(
            refused(sentence),
            "{\"holds\":false,\"sentence\":\"an \\\"origin\\\" with \\\\ and \\u001b[31m and é\"}"
        );
    }

    #[test]
    fn what_was_written_is_read_and_lengths_beyond_the_input_are_refused() {
        for (place, byte) in INPUT.iter().zip(b"{}proof") {
            place.store(*byte, Ordering::Relaxed);
        }
        assert_eq!(read(2, 5), Ok(("{}".to_string(), "proof".to_string())));
        assert!(read(INPUT_BYTES_MAX, 1).is_err());
        assert!(read(usize::MAX, 2).is_err());
        INPUT[1].store(0xff, Ordering::Relaxed);
        assert_eq!(
            read(2, 5).unwrap_err(),
            "the genesis document is no text: it has a byte that is no UTF-8"
        );
        let length = verify(2, 5);
        let said: Vec<u8> = OUTPUT.iter().take(length).map(|byte| byte.load(Ordering::Relaxed)).collect();
        assert!(String::from_utf8(said).unwrap().starts_with("{\"holds\":false,"));
    }
}
