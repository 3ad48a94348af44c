//! RSA for caching_sha2_password's full path without TLS.
//!
//! Owns: OAEP with SHA-1 through aws-lc-rs, both ways, and the public key's PEM. Never: reads a key
//! file, or decides whether a plain connection may log in.
//!
//! aws-lc decrypts in constant time; the crate `rsa` doesn't (RUSTSEC-2023-0071).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, Result};
use crate::protocol::auth::{clear_password, mask_with_salt};

/// The key pair that a listener shows to clients without TLS.
pub struct PrivateKey {
    key: OaepPrivateDecryptingKey,
    public_pem: String,
}

impl PrivateKey {
    /// A new 2,048-bit pair. Takes a fraction of a second: once, when the server starts.
    pub fn generate() -> Result<Self> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048)
            .map_err(|_| Error::internal("no RSA key can be made"))?;
        PrivateKey::with(key)
    }

    /// A pair from a PKCS#8 document in DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let key = PrivateDecryptingKey::from_pkcs8(der)
            .map_err(|error| Error::internal(format!("RSA private key: {error}")))?;
        PrivateKey::with(key)
    }

    fn with(key: PrivateDecryptingKey) -> Result<Self> {
        let der: PublicKeyX509Der<'_> = key
            .public_key()
            .as_der()
            .map_err(|_| Error::internal("the RSA public key can't be written"))?;
        let public_pem = to_pem(der.as_ref());
        let key = OaepPrivateDecryptingKey::new(key)
            .map_err(|_| Error::internal("the RSA key can't be used for OAEP"))?;
        Ok(PrivateKey { key, public_pem })
    }

    /// The public key in PEM, as the client is sent it.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The password that a client encrypted; `None` where the bytes are no such thing.
    pub fn decrypt_password(&self, encrypted: &[u8], salt: &[u8]) -> Option<Vec<u8>> {
        // One RSA block: longer input is refused by the key's own length check.
        let mut room = vec![0; self.key.min_output_size()];
        let masked = self.key.decrypt(&OAEP_SHA1_MGF1SHA1, encrypted, &mut room, None).ok()?;
        mask_with_salt(masked, salt);
        masked.strip_suffix(&[0]).map(<[u8]>::to_vec)
    }
}

/// Encrypts a password for a server that sent its public key.
///
/// # Errors
/// A key that can't be read or is too short for the password: the server's fault.
pub fn encrypt_password(public_pem: &[u8], salt: &[u8], password: &[u8]) -> Result<Vec<u8>> {
    let wrong = || Error::unavailable("rsa_key", "the server's RSA public key can't be used");
    let der = SubjectPublicKeyInfoDer::from_pem_slice(public_pem).map_err(|_| wrong())?;
    let key = PublicEncryptingKey::from_der(&der).map_err(|_| wrong())?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| wrong())?;
    let mut masked = clear_password(password);
    mask_with_salt(&mut masked, salt);
    let mut room = vec![0; key.ciphertext_size()];
    let encrypted =
        key.encrypt(&OAEP_SHA1_MGF1SHA1, &masked, &mut room, None).map_err(|_| wrong())?;
    Ok(encrypted.to_vec())
}

fn to_pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in base64(der).as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let (a, b, c) = (chunk[0], chunk.get(1), chunk.get(2));
        let bits = u32::from(a) << 16
            | u32::from(b.copied().unwrap_or(0)) << 8
            | u32::from(c.copied().unwrap_or(0));
        let symbol = |shift: u32| char::from(BASE64[(bits >> shift & 0x3f) as usize]);
        text.push(symbol(18));
        text.push(symbol(12));
        text.push(if b.is_some() { symbol(6) } else { '=' });
        text.push(if c.is_some() { symbol(0) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; 20] = *b"abcdefghij0123456789";

    #[test]
    fn a_password_survives_the_trip() {
        let key = PrivateKey::generate().unwrap();
        for password in [&b"secret"[..], b"", &[b'x'; 150]] {
            let sent = encrypt_password(key.public_pem().as_bytes(), &SALT, password).unwrap();
            assert_eq!(sent.len(), 256);
            assert_eq!(key.decrypt_password(&sent, &SALT).as_deref(), Some(password));
            assert_ne!(
                key.decrypt_password(&sent, b"some other salt 20 b").as_deref(),
                Some(password)
            );
            for cut in [0, 1, 255] {
                assert_eq!(key.decrypt_password(&sent[..cut], &SALT), None);
            }
        }
        assert!(encrypt_password(key.public_pem().as_bytes(), &SALT, &[b'x'; 300]).is_err());
    }

    #[test]
    fn a_hostile_key_is_an_error() {
        for pem in [
            "",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n",
        ] {
            let wrong = encrypt_password(pem.as_bytes(), &SALT, b"p").unwrap_err();
            assert_eq!(wrong.code, "rsa_key");
        }
    }

    #[test]
    fn base64_is_the_usual_one() {
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(b"Ma"), "TWE=");
        assert_eq!(base64(b"M"), "TQ==");
    }
}
