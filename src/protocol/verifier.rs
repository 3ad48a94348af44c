//! What is kept of a password: enough to check it, too little to know it.
//!
//! Owns: the three stored forms, their text, and checking a login against each. Never: chooses which
//! plugin a client must use.
//!
//! | text | holds | proves |
//! |---|---|---|
//! | `*` and 40 hex digits | SHA1(SHA1(password)) | mysql_native_password |
//! | `sha2:` and 64 hex digits | SHA256(SHA256(password)) | caching_sha2_password, its fast path too |
//! | `$A$005$…`, or `0x` and its hex digits | MySQL's salted slow hash | caching_sha2_password by the password itself |
//!
//! The first two let anyone who reads them log in with some skill (they are unsalted): they belong in
//! a secret, not in a public file.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::protocol::auth;
use crate::protocol::sha256_crypt;

const CRYPT_PREFIX: &[u8] = b"$A$";
const CRYPT_SALT: usize = 20;
const CRYPT_HASH: usize = 43;
const SHA2_PREFIX: &str = "sha2:";

/// One stored verifier.
#[derive(Clone, PartialEq, Eq)]
pub enum Verifier {
    Native([u8; 20]),
    Sha2([u8; 32]),
    Sha2Crypt {
        /// Thousands of rounds, 1 to 0xFFF.
        thousands: u16,
        salt: [u8; CRYPT_SALT],
        hash: [u8; CRYPT_HASH],
    },
}

impl Verifier {
    /// Reads the text of a verifier. `None` where it is none of the three forms.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            [b'*', digits @ ..] => unhex(digits)?.try_into().ok().map(Verifier::Native),
            [b'0', b'x' | b'X', digits @ ..] => parse_crypt(&unhex(digits)?),
            _ if text.starts_with(CRYPT_PREFIX) => parse_crypt(text),
            _ => {
                let digits = text.strip_prefix(SHA2_PREFIX.as_bytes())?;
                unhex(digits)?.try_into().ok().map(Verifier::Sha2)
            }
        }
    }

    pub fn native(password: &[u8]) -> Self {
        Verifier::Native(auth::native_digest(password))
    }

    pub fn sha2(password: &[u8]) -> Self {
        Verifier::Sha2(auth::sha2_digest(password))
    }

    /// MySQL's stored form with 5,000 rounds. `salt` is as [`auth::salt_from`] makes it.
    pub fn sha2_crypt(password: &[u8], salt: [u8; CRYPT_SALT]) -> Self {
        let hash = sha256_crypt::hash(password, &salt, 5_000);
        Verifier::Sha2Crypt { thousands: 5, salt, hash }
    }

    /// True where this is the password. Slow on purpose for the salted form (milliseconds), which
    /// is why its callers cache an [`auth::sha2_digest`] after the first success.
    pub fn verify_clear(&self, password: &[u8]) -> bool {
        match self {
            Verifier::Native(digest) => auth::native_digest(password).ct_eq(digest).into(),
            Verifier::Sha2(digest) => auth::verify_clear(digest, password),
            Verifier::Sha2Crypt { thousands, salt, hash } => {
                let rounds = u32::from(*thousands) * 1_000;
                sha256_crypt::hash(password, salt, rounds).ct_eq(hash).into()
            }
        }
    }
}

fn parse_crypt(text: &[u8]) -> Option<Verifier> {
    let rest = text.strip_prefix(CRYPT_PREFIX)?;
    let (digits, rest) = rest.split_at_checked(3)?;
    let rest = rest.strip_prefix(b"$")?;
    let (salt, hash) = rest.split_at_checked(CRYPT_SALT)?;
    // The count is hexadecimal: MySQL 9.7 writes 10,000 rounds as `00A`.
    let thousands = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    if thousands == 0 {
        return None;
    }
    let (salt, hash) = (salt.try_into().ok()?, hash.try_into().ok()?);
    Some(Verifier::Sha2Crypt { thousands, salt, hash })
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn put_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
}

impl fmt::Display for Verifier {
    /// The text that [`Verifier::parse`] reads; the salted form in hex, for its salt is no text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verifier::Native(digest) => {
                f.write_str("*")?;
                put_hex(f, digest)
            }
            Verifier::Sha2(digest) => {
                f.write_str(SHA2_PREFIX)?;
                put_hex(f, digest)
            }
            Verifier::Sha2Crypt { thousands, salt, hash } => {
                f.write_str("0x")?;
                put_hex(f, format!("$A${thousands:03X}$").as_bytes())?;
                put_hex(f, salt)?;
                put_hex(f, hash)
            }
        }
    }
}

impl fmt::Debug for Verifier {
    /// Only the kind: verifiers don't belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verifier::Native(_) => "Verifier::Native",
            Verifier::Sha2(_) => "Verifier::Sha2",
            Verifier::Sha2Crypt { .. } => "Verifier::Sha2Crypt",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mysql.user.authentication_string` of MySQL 9.7.4 for the password `secret`.
    const STORED: &str = "0x2441243030412446626D5F4D197B36612530507C3445450E7B261C6754776536684B6C2E787359656D6B4231304835704969636571566C45646D767843533345444343755639";
    /// The same for a password longer than a digest.
    const STORED_LONG: &str = "0x244124303041247A32570958254270143F140F062B206903486B6471305970366A4C4C3666786A5857334636597347365645327A3751676F692F656C6D6B5266367A61597342";

    #[test]
    fn reads_what_mysql_stores() {
        let verifier = Verifier::parse(STORED.as_bytes()).unwrap();
        assert!(matches!(verifier, Verifier::Sha2Crypt { thousands: 10, .. }));
        assert!(verifier.verify_clear(b"secret"));
        assert!(!verifier.verify_clear(b"Secret"));
        assert_eq!(verifier.to_string(), STORED);
        let long = Verifier::parse(STORED_LONG.as_bytes()).unwrap();
        assert!(long.verify_clear(
            "a longer pass phrase with ümlaut, more than thirty-two bytes".as_bytes()
        ));
    }

    #[test]
    fn text_round_trips() {
        let salt = auth::salt_from([0x24; 20]);
        for verifier in
            [Verifier::native(b"p"), Verifier::sha2(b"p"), Verifier::sha2_crypt(b"p", salt)]
        {
            let text = verifier.to_string();
            assert_eq!(Verifier::parse(text.as_bytes()).as_ref(), Some(&verifier));
            assert!(verifier.verify_clear(b"p") && !verifier.verify_clear(b""));
            for cut in 0..text.len() {
                assert_eq!(Verifier::parse(&text.as_bytes()[..cut]), None);
            }
            assert!(!format!("{verifier:?}").contains(&text));
        }
    }

    #[test]
    fn refuses_what_is_no_verifier() {
        for text in
            ["", "secret", "*12", "*ZZE65567ABDB5135D0CFD9A70B3032C179A49EE7", "sha2:", "$A$000$"]
        {
            assert_eq!(Verifier::parse(text.as_bytes()), None, "{text}");
        }
    }
}
