//! Noticing that tables of a group may have been altered by somebody else.
//!
//! Owns: asking each primary for its counters of such statements, and when they are reason to look at
//! its tables. Never: looks at tables ([`crate::backend::catalog`] does).
//!
//! Another proxy, or a DBA at the server, alters a table, and plans made for the old one would put
//! values into the wrong columns. Servers tell nobody, but they count. `Com_alter_table` and its kin
//! are counted when a statement begins; `Opened_table_definitions` when its table is opened anew, at
//! its end (MySQL) or by the next statement there (MariaDB): as that also happens to tables that
//! nobody altered, it is reason to look less and less often while nothing is found.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::backend::control;
use crate::backend::group::Group;
use crate::backend::node::Node;
use crate::backend::topology::Topology;
use crate::error::Result;
use crate::name::GroupName;

/// How often counters are read: the longest that a plan for a table as it was is used.
pub const EVERY: Duration = Duration::from_secs(1);
/// The longest time between two looks at a server that is reached, whatever it counts.
pub const LONGEST: Duration = Duration::from_secs(30);
/// A statement that has begun may end for so long, looked for each time.
const SETTLES: Duration = Duration::from_secs(3);
/// For a login, and for a question.
const BOUND: Duration = Duration::from_secs(3);

/// Statements that alter tables; those that make and drop them count temporary ones, too.
const CERTAIN: [&str; 9] = [
    "Com_alter_table",
    "Com_rename_table",
    "Com_create_index",
    "Com_drop_index",
    "Com_create_trigger",
    "Com_drop_trigger",
    "Com_create_view",
    "Com_drop_view",
    "Com_alter_db",
];
const HINTS: [&str; 3] = ["Com_create_table", "Com_drop_table", "Opened_table_definitions"];

/// A server's counters at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    certain: u64,
    hints: u64,
}

/// When a server's tables are to be looked at.
#[derive(Debug)]
struct Schedule {
    counted: Option<Counted>,
    settles: Instant,
    looked: Instant,
    /// Until hints are taken again.
    pause: Duration,
    /// Hints came that weren't looked at yet.
    hinted: bool,
}

impl Schedule {
    fn new(now: Instant) -> Schedule {
        Schedule { counted: None, settles: now, looked: now, pause: EVERY, hinted: false }
    }

    /// Whether to look now, by what was just counted; `None`: the server couldn't be asked, and may
    /// be another one when it can be.
    fn is_due(&mut self, counted: Option<Counted>, now: Instant) -> bool {
        let before = std::mem::replace(&mut self.counted, counted);
        let Some(counted) = counted else { return false };
        match before {
            Some(before) => {
                if counted.certain != before.certain {
                    self.settles = now + SETTLES;
                }
                self.hinted |= counted.hints != before.hints;
            }
            None => self.settles = now + EVERY,
        }
        let passed = now.saturating_duration_since(self.looked);
        let due = now < self.settles || (self.hinted && passed >= self.pause) || passed >= LONGEST;
        if due {
            self.looked = now;
            self.hinted = false;
            // Anew after a change.
            self.pause = (self.pause * 2).min(LONGEST);
        }
        due
    }
}

/// One server.
struct Watched {
    node: Arc<Node>,
    conn: Option<Conn>,
    schedule: Schedule,
}

/// The primaries of all groups.
#[derive(Default)]
pub struct DdlWatch(HashMap<GroupName, Watched>);

impl DdlWatch {
    /// The groups whose tables are to be looked at now, of all topologies that are in use; the first
    /// one's groups are those of the present.
    pub async fn due(&mut self, topologies: &[&Topology]) -> HashSet<GroupName> {
        let mut groups: HashMap<&GroupName, &Arc<Group>> = HashMap::new();
        for group in topologies.iter().flat_map(|topology| topology.groups()) {
            groups.entry(group.name()).or_insert(group);
        }
        self.0.retain(|name, _| groups.contains_key(name));
        let watched: Vec<Watched> =
            groups.into_values().filter_map(|group| self.watched(group)).collect();
        let turns = watched.into_iter().map(|mut watched| async move {
            let counted = watched.count().await;
            (watched, counted)
        });
        let mut due = HashSet::new();
        for (mut watched, counted) in join_all(turns).await {
            let name = watched.node.group.clone();
            if watched.schedule.is_due(counted, Instant::now()) {
                due.insert(name.clone());
            }
            self.0.insert(name, watched);
        }
        due
    }

    /// Something had changed there: it may go on.
    pub fn changed(&mut self, groups: &HashSet<GroupName>) {
        for name in groups {
            if let Some(watched) = self.0.get_mut(name) {
                watched.schedule.pause = EVERY;
            }
        }
    }

    /// They couldn't be looked at: they are due again.
    pub fn missed(&mut self, groups: &HashSet<GroupName>) {
        for name in groups {
            if let Some(watched) = self.0.get_mut(name) {
                watched.schedule.settles = Instant::now() + SETTLES;
            }
        }
    }

    /// Of the group's present primary, taken out for its turn.
    fn watched(&mut self, group: &Group) -> Option<Watched> {
        let primary = group.primary()?;
        let node = primary.node();
        let known = self.0.remove(group.name());
        Some(known.filter(|known| Arc::ptr_eq(&known.node, node)).unwrap_or_else(|| Watched {
            node: node.clone(),
            conn: None,
            schedule: Schedule::new(Instant::now()),
        }))
    }
}

impl Watched {
    async fn count(&mut self) -> Option<Counted> {
        let counted = self.ask().await;
        if let Err(error) = &counted {
            self.conn = None;
            tracing::debug!(%error, "changes of tables can't be seen");
        }
        counted.ok()
    }

    async fn ask(&mut self) -> Result<Counted> {
        let node = &self.node;
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(control::connect(node, &node.spec.control, BOUND).await?),
        };
        let quoted = |names: &[&str]| names.join("','");
        let sql = format!(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('{}','{}')",
            quoted(&CERTAIN),
            quoted(&HINTS)
        );
        let rows: Vec<(String, String)> = control::run(node, BOUND, conn.query(sql)).await?;
        let sum = |names: &[&str]| {
            let of = rows.iter().filter(|(name, _)| names.contains(&name.as_str()));
            of.filter_map(|(_, value)| value.parse::<u64>().ok()).fold(0, u64::wrapping_add)
        };
        Ok(Counted { certain: sum(&CERTAIN), hints: sum(&HINTS) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counted(certain: u64, hints: u64) -> Option<Counted> {
        Some(Counted { certain, hints })
    }

    /// What is due at each second, for the counters at each.
    fn due(counters: &[Option<Counted>]) -> String {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let mut seconds = 0;
        let each = counters.iter().map(|counted| {
            seconds += 1;
            if schedule.is_due(*counted, start + SECOND * seconds) { 'x' } else { '.' }
        });
        each.collect()
    }

    #[test]
    fn what_is_altered_is_looked_at_until_it_must_be_done() {
        let mut counters = vec![counted(1, 1); 3];
        counters.extend([counted(2, 1); 6]);
        assert_eq!(due(&counters), "x..xxx...");
    }

    #[test]
    fn a_server_that_was_away_is_looked_at() {
        let counters = [counted(1, 1), counted(1, 1), None, None, counted(1, 1), counted(1, 1)];
        assert_eq!(due(&counters), "x...x.");
    }

    #[test]
    fn hints_that_lead_to_nothing_count_less_and_less() {
        let counters: Vec<_> = (0..70).map(|number| counted(1, number)).collect();
        let looks = due(&counters);
        assert_eq!(looks.matches('x').count(), 6, "{looks}");
        assert_eq!(due(&[counted(1, 1); 70]).matches('x').count(), 3);
    }
}
