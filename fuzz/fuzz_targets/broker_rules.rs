//! libFuzzer over the entry point `broker_rules` of tests/decoders, which says what is claimed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::run("broker_rules", bytes));
