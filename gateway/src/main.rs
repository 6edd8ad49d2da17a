//! The binary `lamppost`.
fn main() {}
