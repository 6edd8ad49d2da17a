//! libFuzzer over the entry point `evidence` of tests/decoders, which says what is claimed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::run("evidence", bytes));
