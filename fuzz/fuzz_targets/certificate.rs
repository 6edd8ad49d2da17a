//! libFuzzer over the entry point `certificate` of tests/decoders, which says what is claimed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::run("certificate", bytes));
