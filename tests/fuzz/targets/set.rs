//! Fuzz target: any bytes behind SET.
#![no_main]

#[path = "../statements.rs"]
mod statements;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [mode, rest, values @ ..] = input else { return };
    let statement = [b"SET ".as_slice(), values].concat();
    statements::take_apart_as(&statement, &statements::dialect(*mode, *rest));
});
