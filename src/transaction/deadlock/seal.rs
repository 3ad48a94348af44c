//! The seal on what proxies tell each other in the texts of their statements.
//!
//! Owns: making and checking it. Never: decides what is told.
//!
//! Clients' statements stand in the same lists, by the same account where a group names none of its
//! own for control. A text counts only if who wrote it knows that account's password, which no
//! client needs: HMAC (RFC 2104) with SHA-256. Saying again what a proxy has said does no harm: it
//! names transactions by numbers that a server never uses twice, or is of an earlier time. Who may see
//! all sessions' statements could try passwords against a seal: it is as strong as the password is,
//! and none where there is none.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::backend::spec::Account;

/// Hex digits of half of the code, as RFC 2104 allows.
pub const DIGITS: usize = 32;

/// Of one account.
pub struct Seal(Hmac<Sha256>);

impl Seal {
    pub fn new(account: &Account) -> Seal {
        let key = account.password.as_bytes();
        #[expect(clippy::expect_used, reason = "a key of any length is taken")]
        Seal(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    pub fn of(&self, text: &str) -> String {
        let code = self.0.clone().chain_update(text).finalize().into_bytes();
        let digits: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        digits[..DIGITS].to_owned()
    }

    /// Whether this is the seal of that text. (Both are in a list that whoever can see it may read:
    /// the time that the comparison takes tells nothing.)
    pub fn is_of(&self, mark: &str, text: &str) -> bool {
        mark == self.of(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_of_one_text_and_one_password() {
        let seal =
            |password: &str| Seal::new(&Account { user: "weir".into(), password: password.into() });
        // RFC 4231, test case 2, cut to half.
        assert_eq!(
            seal("Jefe").of("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c7"
        );
        assert!(seal("a").is_of(&seal("a").of("text"), "text"));
        assert!(!seal("a").is_of(&seal("a").of("text"), "text "));
        assert!(!seal("a").is_of(&seal("b").of("text"), "text"));
        assert!(!seal("a").is_of("", "text"));
    }
}
