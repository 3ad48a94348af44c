//! Fuzz target: any bytes as any packet.
#![no_main]

#[path = "../packets.rs"]
mod packets;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| packets::parse_everything(payload));
