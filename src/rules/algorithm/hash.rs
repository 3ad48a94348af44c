//! Hash functions of keys. All are published and stable: they decide where rows live for ever.
//!
//! Owns: the functions and the bytes that a key gives them. Never: seeds them by chance.
//!
//! | function | integers are hashed as | number |
//! |---|---|---|
//! | `xxh64` (default) | 8 bytes, little endian, two's complement | XXH64, seed 0, 64 bits |
//! | `crc32` | decimal text, so that it equals MySQL's `CRC32(key)` | CRC-32 (ISO-HDLC) |
//! | `murmur3` | decimal text | MurmurHash3_x86_32, seed 0 |
//! | `java` | as `Long.hashCode()`; texts as `String.hashCode()` | its absolute value |
//!
//! Texts are hashed as UTF-8 (java: UTF-16) after folding, or as the weights of a collation; dates
//! as `YYYY-MM-DD[ hh:mm:ss[.ffffff]]`; decimals as text without zeros at the end. With several
//! key columns the bytes of each follow its length (4 bytes, little endian).

use crate::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashFunction {
    Xxh64,
    Crc32,
    Murmur3,
    Java,
}

impl HashFunction {
    /// The hash of one key's columns, already folded.
    pub fn of(self, values: &[&Value]) -> u64 {
        if let [only] = values {
            return match (self, only) {
                (HashFunction::Java, Value::Text(text)) => {
                    java_string(&String::from_utf8_lossy(&text.bytes)).unsigned_abs().into()
                }
                (HashFunction::Java, Value::Int(number)) => {
                    java_long(*number).unsigned_abs().into()
                }
                (HashFunction::Xxh64, Value::Int(number)) => xxh64(&number.to_le_bytes()),
                _ => self.bytes(&self.input(only)),
            };
        }
        let mut joined = Vec::new();
        for value in values {
            let bytes = self.input(value);
            joined.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            joined.extend_from_slice(&bytes);
        }
        self.bytes(&joined)
    }

    /// The bytes that stand for a value.
    fn input(self, value: &Value) -> Vec<u8> {
        match (self, value) {
            (HashFunction::Xxh64, Value::Int(number)) => number.to_le_bytes().to_vec(),
            (HashFunction::Xxh64, Value::UInt(number)) => number.to_le_bytes().to_vec(),
            (_, Value::Decimal(decimal)) => decimal.canonical().to_string().into_bytes(),
            (_, Value::Text(text)) => text.bytes.to_vec(),
            (_, Value::Binary(bytes)) => bytes.to_vec(),
            (_, other) => other.to_string().into_bytes(),
        }
    }

    fn bytes(self, bytes: &[u8]) -> u64 {
        match self {
            HashFunction::Xxh64 => xxh64(bytes),
            HashFunction::Crc32 => u64::from(crc32(bytes)),
            HashFunction::Murmur3 => u64::from(murmur3(bytes)),
            HashFunction::Java => {
                java_string(&String::from_utf8_lossy(bytes)).unsigned_abs().into()
            }
        }
    }
}

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

/// XXH64 with seed 0, after its published specification.
pub fn xxh64(bytes: &[u8]) -> u64 {
    let round = |acc: u64, lane: u64| {
        acc.wrapping_add(lane.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
    };
    let mut stripes = bytes.chunks_exact(32);
    let mut hash = if bytes.len() >= 32 {
        let mut acc = [P1.wrapping_add(P2), P2, 0, 0u64.wrapping_sub(P1)];
        for stripe in &mut stripes {
            for (acc, lane) in acc.iter_mut().zip(stripe.chunks_exact(8)) {
                *acc = round(*acc, little_endian(lane));
            }
        }
        let [a, b, c, d] = acc;
        let mut hash = a
            .rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18));
        for acc in [a, b, c, d] {
            hash = (hash ^ round(0, acc)).wrapping_mul(P1).wrapping_add(P4);
        }
        hash
    } else {
        P5
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let mut eights = stripes.remainder().chunks_exact(8);
    for lane in &mut eights {
        hash = (hash ^ round(0, little_endian(lane)))
            .rotate_left(27)
            .wrapping_mul(P1)
            .wrapping_add(P4);
    }
    let mut fours = eights.remainder().chunks_exact(4);
    for lane in &mut fours {
        hash = (hash ^ little_endian(lane).wrapping_mul(P1))
            .rotate_left(23)
            .wrapping_mul(P2)
            .wrapping_add(P3);
    }
    for &byte in fours.remainder() {
        hash = (hash ^ u64::from(byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(P2);
    hash = (hash ^ hash >> 29).wrapping_mul(P3);
    hash ^ hash >> 32
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// CRC-32 as MySQL's CRC32() and zlib compute it.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// MurmurHash3_x86_32 with seed 0, after its public-domain description.
pub fn murmur3(bytes: &[u8]) -> u32 {
    const C1: u32 = 0xCC9E_2D51;
    const C2: u32 = 0x1B87_3593;
    let scramble = |block: u32| block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let mut hash = 0u32;
    let mut blocks = bytes.chunks_exact(4);
    for block in &mut blocks {
        let block = u32::try_from(little_endian(block)).unwrap_or(0);
        hash = (hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64);
    }
    let tail = u32::try_from(little_endian(blocks.remainder())).unwrap_or(0);
    hash ^= scramble(tail);
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ hash >> 13).wrapping_mul(0xC2B2_AE35);
    hash ^ hash >> 16
}

/// Java's `String.hashCode()`.
pub fn java_string(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Java's `Long.hashCode()`.
pub fn java_long(number: i64) -> i32 {
    let folded = (number ^ ((number as u64) >> 32) as i64) as u64;
    (folded as u32) as i32
}
