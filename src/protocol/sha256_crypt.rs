//! SHA-256 crypt, the slow hash in caching_sha2_password's stored form.
//!
//! Owns: Ulrich Drepper's algorithm ("Unix crypt using SHA-256 and SHA-512") over raw salts. Never:
//! parses a stored form ([`crate::protocol::verifier`] does).

use sha2::{Digest, Sha256};

/// The alphabet of crypt's base 64.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The order in which the digest's bytes go into the text, three for each four characters.
const ORDER: [[usize; 3]; 10] = [
    [0, 10, 20],
    [21, 1, 11],
    [12, 22, 2],
    [3, 13, 23],
    [24, 4, 14],
    [15, 25, 5],
    [6, 16, 26],
    [27, 7, 17],
    [18, 28, 8],
    [9, 19, 29],
];

/// The hash's 43 characters.
pub fn hash(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 43] {
    encode(&digest(password, salt, rounds))
}

/// Appends `length` bytes of `block`, repeated.
fn repeated(block: &[u8; 32], length: usize) -> Vec<u8> {
    block.iter().copied().cycle().take(length).collect()
}

fn digest(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let alternate: [u8; 32] = Sha256::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut hasher = Sha256::new();
    hasher.update(password);
    hasher.update(salt);
    hasher.update(repeated(&alternate, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            hasher.update(alternate)
        } else {
            hasher.update(password)
        }
        bits >>= 1;
    }
    let mut current: [u8; 32] = hasher.finalize().into();

    let mut hasher = Sha256::new();
    for _ in 0..password.len() {
        hasher.update(password);
    }
    let password_block = repeated(&hasher.finalize().into(), password.len());
    let mut hasher = Sha256::new();
    for _ in 0..16 + usize::from(current[0]) {
        hasher.update(salt);
    }
    let salt_block = repeated(&hasher.finalize().into(), salt.len());

    for round in 0..rounds {
        let mut hasher = Sha256::new();
        if round % 2 == 1 {
            hasher.update(&password_block)
        } else {
            hasher.update(current)
        }
        if round % 3 != 0 {
            hasher.update(&salt_block);
        }
        if round % 7 != 0 {
            hasher.update(&password_block);
        }
        if round % 2 == 1 {
            hasher.update(current)
        } else {
            hasher.update(&password_block)
        }
        current = hasher.finalize().into();
    }
    current
}

fn encode(digest: &[u8; 32]) -> [u8; 43] {
    let mut text = [0; 43];
    let mut places = text.iter_mut();
    let mut put = |value: u32, count: usize| {
        for (index, place) in places.by_ref().take(count).enumerate() {
            *place = ALPHABET[(value >> (6 * index) & 0x3f) as usize];
        }
    };
    for [a, b, c] in ORDER {
        put(u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]), 4);
    }
    put(u32::from(digest[31]) << 8 | u32::from(digest[30]), 3);
    text
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn agrees_with_glibc() {
        let text = |password: &str, salt: &str, rounds| {
            String::from_utf8(hash(password.as_bytes(), salt.as_bytes(), rounds).to_vec()).unwrap()
        };
        assert_eq!(
            text("Hello world!", "saltstring", 5000),
            "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
        );
        assert_eq!(
            text("Hello world!", "saltstringsaltst", 10_000),
            "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"
        );
        assert_eq!(text("", "x", 5000), "yHbtfs4Y8t6X1xcJemNX.4JQRfUTafA2qQenWGLBee2");
        assert_eq!(
            text("we have a short salt string but not a short password", "anotherlongsalts", 1400),
            "njY8e8Oazdt6LVB1IFQuzVqvw.kEeITfw0rzKvFXP9/"
        );
    }
}
