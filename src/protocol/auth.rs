//! The arithmetic of logins: scrambles and their verification, for both sides.
//!
//! Owns: mysql_native_password and caching_sha2_password as functions over bytes, and comparing in
//! constant time. Never: draws a salt, knows an account, or holds a key ([`crate::protocol::rsa`]).

use mysql_common::scramble::{scramble_native, scramble_sha256};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The plugins that Weir speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plugin {
    NativePassword,
    CachingSha2Password,
    /// The password as it is, closed by a NUL: over TLS or a unix socket only.
    ClearPassword,
}

impl Plugin {
    pub const fn name(self) -> &'static str {
        match self {
            Plugin::NativePassword => "mysql_native_password",
            Plugin::CachingSha2Password => "caching_sha2_password",
            Plugin::ClearPassword => "mysql_clear_password",
        }
    }

    pub fn by_name(name: &[u8]) -> Option<Self> {
        [Plugin::NativePassword, Plugin::CachingSha2Password, Plugin::ClearPassword]
            .into_iter()
            .find(|plugin| plugin.name().as_bytes() == name)
    }
}

/// The client's response to a salt; empty for an empty password. For
/// [`Plugin::ClearPassword`] the caller must have made sure that the stream is secure.
pub fn respond(plugin: Plugin, salt: &[u8], password: &[u8]) -> Vec<u8> {
    let scramble = match plugin {
        Plugin::NativePassword => scramble_native(salt, password).map(Vec::from),
        Plugin::CachingSha2Password => scramble_sha256(salt, password).map(Vec::from),
        Plugin::ClearPassword => return clear_password(password),
    };
    scramble.unwrap_or_default()
}

/// The password closed by a NUL, as full authentication sends it over a secure stream.
pub fn clear_password(password: &[u8]) -> Vec<u8> {
    let mut bytes = password.to_vec();
    bytes.push(0);
    bytes
}

/// What the server keeps for mysql_native_password: SHA1(SHA1(password)).
pub fn native_digest(password: &[u8]) -> [u8; 20] {
    Sha1::digest(Sha1::digest(password)).into()
}

/// What the server keeps for caching_sha2_password's fast path: SHA256(SHA256(password)).
pub fn sha2_digest(password: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(password)).into()
}

/// True where `response` proves the password behind a [`native_digest`].
pub fn verify_native(digest: &[u8; 20], salt: &[u8], response: &[u8]) -> bool {
    let Some(response) = response.first_chunk::<20>().filter(|_| response.len() == 20) else {
        return false;
    };
    // The response is SHA1(password) ^ SHA1(salt, digest): give the first back and hash it again.
    let mask: [u8; 20] = Sha1::new().chain_update(salt).chain_update(digest).finalize().into();
    let stage1: [u8; 20] = xor(*response, &mask);
    let stage2: [u8; 20] = Sha1::digest(stage1).into();
    stage2.ct_eq(digest).into()
}

/// True where `response` proves the password behind a [`sha2_digest`].
pub fn verify_sha2(digest: &[u8; 32], salt: &[u8], response: &[u8]) -> bool {
    let Some(response) = response.first_chunk::<32>().filter(|_| response.len() == 32) else {
        return false;
    };
    let mask: [u8; 32] = Sha256::new().chain_update(digest).chain_update(salt).finalize().into();
    let stage1: [u8; 32] = xor(*response, &mask);
    let stage2: [u8; 32] = Sha256::digest(stage1).into();
    stage2.ct_eq(digest).into()
}

/// True where a password that came as it is has this [`sha2_digest`].
pub fn verify_clear(digest: &[u8; 32], password: &[u8]) -> bool {
    sha2_digest(password).ct_eq(digest).into()
}

fn xor<const N: usize>(mut bytes: [u8; N], mask: &[u8; N]) -> [u8; N] {
    for (byte, mask) in bytes.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    bytes
}

/// The password and its NUL, masked by the salt, as RSA encrypts it (and back again).
pub fn mask_with_salt(bytes: &mut [u8], salt: &[u8]) {
    for (byte, mask) in bytes.iter_mut().zip(salt.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Makes random bytes fit for a salt: no NUL, no `$`, 7 bits each, as MySQL's.
pub fn salt_from(mut random: [u8; 20]) -> [u8; 20] {
    for byte in &mut random {
        *byte &= 0x7f;
        if *byte == 0 || *byte == b'$' {
            *byte += 1;
        }
    }
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; 20] = *b"abcdefghij0123456789";

    #[test]
    fn a_response_proves_its_own_password_only() {
        for password in [&b"secret"[..], b"x", b"\xff\x00", &[7; 300]] {
            let native = respond(Plugin::NativePassword, &SALT, password);
            assert!(verify_native(&native_digest(password), &SALT, &native));
            assert!(!verify_native(&native_digest(b"other"), &SALT, &native));
            assert!(!verify_native(&native_digest(password), b"another salt of 20 b", &native));
            let sha2 = respond(Plugin::CachingSha2Password, &SALT, password);
            assert!(verify_sha2(&sha2_digest(password), &SALT, &sha2));
            assert!(!verify_sha2(&sha2_digest(b"other"), &SALT, &sha2));
            for cut in 0..sha2.len() {
                assert!(!verify_sha2(&sha2_digest(password), &SALT, &sha2[..cut]));
            }
            assert!(verify_clear(&sha2_digest(password), password));
            assert!(!verify_clear(&sha2_digest(password), b"other"));
        }
    }

    #[test]
    fn an_empty_response_proves_nothing() {
        assert_eq!(respond(Plugin::NativePassword, &SALT, b""), b"");
        assert!(!verify_native(&native_digest(b""), &SALT, b""));
        assert!(!verify_sha2(&sha2_digest(b""), &SALT, b""));
    }

    #[test]
    fn native_digest_is_what_the_server_prints() {
        // SELECT PASSWORD('secret') on MariaDB 10.11.
        let hex: String = native_digest(b"secret").iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(hex, "14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
    }

    #[test]
    fn the_mask_is_its_own_inverse_and_wraps_around() {
        let mut bytes = clear_password(&[b'p'; 50]);
        mask_with_salt(&mut bytes, &SALT);
        assert_ne!(bytes[0], b'p');
        mask_with_salt(&mut bytes, &SALT);
        assert_eq!(bytes, clear_password(&[b'p'; 50]));
        mask_with_salt(&mut bytes, b"");
        assert_eq!(bytes, clear_password(&[b'p'; 50]));
    }

    #[test]
    fn salts_have_no_byte_that_ends_them() {
        for byte in 0..=255 {
            let salt = salt_from([byte; 20]);
            assert!(salt.iter().all(|&b| b != 0 && b != b'$' && b < 0x80));
        }
    }
}
