//! What clients are shown at the door: version, TLS, RSA key, default plugin.
//!
//! Owns: these, and the passwords' fast verifiers learnt from full logins. Never: runs a login
//! (`session` does).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;

use crate::backend::topology::Topology;
use crate::backend::version::{Collation, Kind};
use crate::error::Result;
use crate::name::UserName;
use crate::protocol::auth::Plugin;
use crate::protocol::rsa::PrivateKey;
use crate::sql::lex::ServerKind;
use crate::wire::tls::Identity;

/// What the servers behind are, as clients and the lexer must know it. Taken from the backends:
/// a driver asks for what a version has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Such as `10.11.19-MariaDB`.
    pub version: String,
    pub kind: ServerKind,
    /// Major × 10,000 + minor × 100 + patch.
    pub number: u32,
    /// The server's default collation id, its low byte in the greeting.
    pub collation: u16,
    /// `@@global.sql_mode`.
    pub sql_mode: String,
    /// The collations that this server knows, by id; empty before one has answered.
    pub collations: Arc<[Collation]>,
}

impl Default for Announced {
    /// Before any backend has answered.
    fn default() -> Self {
        Announced {
            version: "8.4.0-weir".to_owned(),
            kind: ServerKind::MySql,
            number: 80_400,
            collation: 45,
            sql_mode: "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                       ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
                .to_owned(),
            collations: Arc::from([]),
        }
    }
}

impl Announced {
    /// The oldest of the servers that were probed, so that nothing is promised that one lacks;
    /// `None` before the first answer.
    pub fn of(topology: &Topology) -> Option<Announced> {
        let facts = topology.groups().iter().filter_map(|group| group.facts());
        let oldest = facts.min_by_key(|facts| facts.version.number)?;
        let kind = match oldest.version.kind {
            Kind::MySql => ServerKind::MySql,
            Kind::MariaDb => ServerKind::MariaDb,
        };
        let collation = oldest.collation_by_name(&oldest.collation).map_or(45, |found| found.id);
        Some(Announced {
            version: oldest.version.text.to_string(),
            kind,
            number: oldest.version.number,
            collation,
            sql_mode: oldest.sql_mode.to_string(),
            collations: oldest.collations.clone(),
        })
    }

    /// The character set and collation that a client's collation id means here. An id that the
    /// server doesn't know gives the server's default, as the server itself does it.
    pub fn charset_of(&self, id: u16) -> Option<(Arc<str>, Arc<str>)> {
        let known = |id: u16| self.collations.iter().find(|collation| collation.id == id);
        let found = known(id).or_else(|| known(self.collation))?;
        Some((found.charset.clone(), found.name.clone()))
    }

    /// The plugin that the greeting names: the one that this kind of server has as its default, so
    /// that clients which know only one of them know this one.
    pub fn plugin(&self) -> Plugin {
        match self.kind {
            ServerKind::MariaDb => Plugin::NativePassword,
            ServerKind::MySql => Plugin::CachingSha2Password,
        }
    }
}

/// The door.
#[derive(Default)]
pub struct Front {
    announced: ArcSwap<Announced>,
    tls: ArcSwapOption<Offered>,
    rsa: OnceLock<Arc<PrivateKey>>,
    learnt: Mutex<HashMap<UserName, Learnt>>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("announced", &self.announced).finish_non_exhaustive()
    }
}

/// A certificate and key that were renewed.
#[derive(Clone, Debug)]
pub struct Renewal(Identity);

struct Offered {
    identity: Identity,
    required: bool,
}

/// A fast verifier, and the stored one that it was learnt for.
#[derive(Clone)]
struct Learnt {
    stored: Box<[u8]>,
    digest: [u8; 32],
}

impl std::fmt::Debug for Learnt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Learnt(…)")
    }
}

impl Front {
    /// Offers TLS from now on, to new clients; `required` refuses plain TCP logins.
    pub fn set_tls(&self, identity: Identity, required: bool) {
        self.tls.store(Some(Arc::new(Offered { identity, required })));
    }

    /// `None`: TLS isn't offered.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.load().as_ref().map(|offered| offered.identity.config.clone())
    }

    /// What these files hold, where it is another identity than the offered one. Blocks on the files.
    ///
    /// # Errors
    /// As [`Identity::read`].
    pub fn renewal(&self, certificate: &Path, key: &Path) -> Result<Option<Renewal>> {
        let offered = self.tls.load();
        let Some(offered) = offered.as_ref() else { return Ok(None) };
        let identity = Identity::read(certificate, key)?;
        let is_new = identity.source != offered.identity.source;
        Ok(is_new.then_some(Renewal(identity)))
    }

    /// Shows new clients the renewed certificate.
    pub fn renew(&self, Renewal(identity): Renewal) {
        self.set_tls(identity, self.tls_required());
    }

    /// Plain TCP logins are refused.
    pub fn tls_required(&self) -> bool {
        self.tls.load().as_ref().is_some_and(|offered| offered.required)
    }

    /// The key pair that clients without TLS encrypt their password with; made at its first use,
    /// which takes a fraction of a second.
    pub fn rsa(&self) -> Result<Arc<PrivateKey>> {
        if let Some(key) = self.rsa.get() {
            return Ok(key.clone());
        }
        let key = Arc::new(PrivateKey::generate()?);
        Ok(self.rsa.get_or_init(|| key).clone())
    }

    pub fn announced(&self) -> Arc<Announced> {
        self.announced.load_full()
    }

    /// The backends were probed: this is what they are.
    pub fn announce(&self, announced: Announced) {
        if *self.announced.load_full() != announced {
            self.announced.store(Arc::new(announced));
        }
    }

    /// The fast verifier of a user, learnt from a full login against the same stored verifier.
    pub fn learnt(&self, user: &UserName, stored: &[u8]) -> Option<[u8; 32]> {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.get(user).filter(|entry| *entry.stored == *stored).map(|entry| entry.digest)
    }

    /// Remembers the fast verifier after a full login. One entry for each declared user.
    pub fn learn(&self, user: &UserName, stored: &[u8], digest: [u8; 32]) {
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.insert(user.clone(), Learnt { stored: Box::from(stored), digest });
    }
}
