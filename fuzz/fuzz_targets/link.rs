//! libFuzzer over the entry point `link` of tests/decoders, which says what is claimed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::run("link", bytes));
