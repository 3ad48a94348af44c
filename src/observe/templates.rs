//! Statistics by template, for SHOW TEMPLATES.
//!
//! Owns: a bounded table per worker. Never: keeps a literal (a template has none), or grows with
//! what clients send: beyond its bound everything else is counted together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longer templates are shown shortened.
const SHOWN: usize = 4096;

/// What the statements of one template cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub count: u64,
    pub errors: u64,
    pub total: Duration,
    pub longest: Duration,
}

impl Statistics {
    fn add(&mut self, other: &Statistics) {
        self.count += other.count;
        self.errors += other.errors;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }
}

/// One template in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The hash of the template's bytes.
    pub digest: u64,
    pub template: Arc<str>,
    pub statistics: Statistics,
}

/// One worker's table.
#[derive(Debug)]
pub struct Templates {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<u64, (Arc<str>, Statistics), foldhash::fast::RandomState>,
    /// Statements of templates beyond the capacity.
    rest: Statistics,
}

impl Templates {
    /// A table of at most `capacity` templates.
    pub fn new(capacity: usize) -> Self {
        Templates { capacity, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one statement.
    pub fn record(&self, digest: u64, template: &[u8], elapsed: Duration, failed: bool) {
        let one = Statistics { count: 1, errors: failed.into(), total: elapsed, longest: elapsed };
        let mut inner = self.inner();
        if let Some((_, statistics)) = inner.known.get_mut(&digest) {
            statistics.add(&one);
        } else if inner.known.len() < self.capacity {
            let shown = template.get(..SHOWN).unwrap_or(template);
            let text = Arc::from(String::from_utf8_lossy(shown));
            inner.known.insert(digest, (text, one));
        } else {
            inner.rest.add(&one);
        }
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *self.inner() = Inner::default();
    }

    /// The templates of several workers together, costliest first, and the rest.
    pub fn merged<'a>(tables: impl IntoIterator<Item = &'a Templates>) -> (Vec<Shown>, Statistics) {
        let mut known: HashMap<u64, Shown> = HashMap::new();
        let mut rest = Statistics::default();
        for table in tables {
            let inner = table.inner();
            rest.add(&inner.rest);
            for (digest, (template, statistics)) in &inner.known {
                let shown = known.entry(*digest).or_insert_with(|| Shown {
                    digest: *digest,
                    template: template.clone(),
                    statistics: Statistics::default(),
                });
                shown.statistics.add(statistics);
            }
        }
        let mut list: Vec<Shown> = known.into_values().collect();
        list.sort_by_key(|shown| (std::cmp::Reverse(shown.statistics.total), shown.digest));
        (list, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_bounded_and_merged() {
        let (a, b) = (Templates::new(2), Templates::new(2));
        let ms = Duration::from_millis;
        a.record(1, b"SELECT ?", ms(5), false);
        a.record(1, b"SELECT ?", ms(7), true);
        a.record(2, b"DELETE ?", ms(50), false);
        a.record(3, b"UPDATE ?", ms(1), false);
        b.record(1, b"SELECT ?", ms(1), false);
        let (list, rest) = Templates::merged([&a, &b]);
        assert_eq!(list.len(), 2);
        assert_eq!(&*list[0].template, "DELETE ?");
        let expected = Statistics { count: 3, errors: 1, total: ms(13), longest: ms(7) };
        assert_eq!(list[1].statistics, expected);
        assert_eq!(rest.count, 1);
        a.reset();
        assert_eq!(Templates::merged([&a]).0, []);
    }
}
