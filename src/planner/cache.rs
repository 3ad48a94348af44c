//! Plans by template.
//!
//! Owns: the bounded map from everything that a plan depends on to the plan. Never: is shared:
//! each worker has its own, so a hit takes no lock.
//!
//! A hit compares the template's bytes and the rest of the key, never the hash alone
//! (mysql-traps 18).

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};

use crate::name::SchemaName;
use crate::planner::Plan;
use crate::sql::lex::Dialect;
use crate::sql::template::Lexed;

/// What besides the template decides a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances<'a> {
    pub dialect: Dialect,
    pub schema: Option<&'a str>,
    pub rules: u64,
    /// Of a session's temporary tables.
    pub overlay: u64,
    pub catalog: u64,
}

#[derive(Debug)]
struct Key {
    hash: u64,
    template: Box<[u8]>,
    own: bool,
    dialect: Dialect,
    schema: Option<SchemaName>,
    rules: u64,
    overlay: u64,
    catalog: u64,
}

/// A key that borrows the statement at hand.
struct Sought<'a> {
    lexed: &'a Lexed,
    circumstances: &'a Circumstances<'a>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.template == other.template
            && self.own == other.own
            && self.dialect == other.dialect
            && self.schema == other.schema
            && self.rules == other.rules
            && self.overlay == other.overlay
            && self.catalog == other.catalog
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.lexed.hash());
    }
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        let wanted = self.circumstances;
        key.rules == wanted.rules
            && key.overlay == wanted.overlay
            && key.catalog == wanted.catalog
            && key.dialect == wanted.dialect
            && key.schema.as_ref().map(SchemaName::as_str) == wanted.schema
            && key.own == self.lexed.is_own()
            && *key.template == *self.lexed.template()
    }
}

#[derive(Clone)]
struct BySize;

impl Weighter<Key, Arc<Plan>> for BySize {
    fn weight(&self, key: &Key, _plan: &Arc<Plan>) -> u64 {
        (key.template.len() + PLAN_BYTES) as u64
    }
}

/// A rough size of a plan besides its template, in bytes.
const PLAN_BYTES: usize = 1_024;

type Plans = Cache<Key, Arc<Plan>, BySize, foldhash::fast::FixedState>;

/// Plans of one worker: about `entries` of them, at most `bytes` of templates and plans.
pub struct PlanCache {
    plans: Plans,
    template_bytes_max: usize,
}

impl PlanCache {
    pub fn new(entries: usize, bytes: usize) -> Self {
        PlanCache {
            plans: Cache::with(
                entries.max(1),
                bytes as u64,
                BySize,
                foldhash::fast::FixedState::default(),
                DefaultLifecycle::default(),
            ),
            // One statement must not push out everything else.
            template_bytes_max: bytes / 8,
        }
    }

    /// The plan of a template under these circumstances.
    pub fn get(&self, lexed: &Lexed, circumstances: &Circumstances) -> Option<Arc<Plan>> {
        self.plans.get(&Sought { lexed, circumstances }).map(Arc::clone)
    }

    /// Keeps a plan. A template that is large beside the whole bound isn't kept.
    pub fn put(&mut self, lexed: &Lexed, circumstances: &Circumstances, plan: Arc<Plan>) {
        if lexed.template().len() > self.template_bytes_max {
            return;
        }
        let key = Key {
            hash: lexed.hash(),
            template: lexed.template().into(),
            own: lexed.is_own(),
            dialect: circumstances.dialect,
            schema: circumstances.schema.map(SchemaName::new),
            rules: circumstances.rules,
            overlay: circumstances.overlay,
            catalog: circumstances.catalog,
        };
        self.plans.insert(key, plan);
    }

    pub fn len(&self) -> usize {
        self.plans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }
}
