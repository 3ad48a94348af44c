//! Fuzz target: any bytes as statements, in any sql_mode and client character set.
#![no_main]

#[path = "../statements.rs"]
mod statements;

libfuzzer_sys::fuzz_target!(|input: &[u8]| statements::take_apart(input));
