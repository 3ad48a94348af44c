//! Noticing that tables of a group may have been altered by somebody else.
//!
//! Owns: asking each primary for its counters of such statements, and when they are reason to look at
//! its tables. Never: looks at tables ([`crate::backend::catalog`] does).
//!
//! Another proxy, or a DBA at the server, alters a table, and plans made for the old one would put
//! values into the wrong columns. Servers tell nobody, but they count. `Com_alter_table` and its kin
//! are counted when a statement begins; until it has ended it stands in the process list.
//! `Opened_table_definitions` is counted when a table is opened anew, which also happens to tables
//! that nobody altered: it is reason to look less and less often while it never rests.

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
use crate::backend::version::Kind;
use crate::error::Result;
use crate::name::GroupName;

/// How often counters are read: the longest that a plan for a table as it was is used.
pub const EVERY: Duration = Duration::from_secs(1);
/// The longest time between two looks at a server that is reached, whatever it counts.
pub const LONGEST: Duration = Duration::from_secs(30);
/// Looks, one at a time, after a statement was seen to begin, and after it was seen to have ended.
const LOOKS: u8 = 3;
/// For a login, and for a question: a server that hangs keeps the others waiting for so long.
const BOUND: Duration = Duration::from_secs(1);

/// Statements that alter tables.
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
/// MySQL counts temporary tables, too.
const MADE: [&str; 2] = ["Com_create_table", "Com_drop_table"];
const OPENED: &str = "Opened_table_definitions";

/// Such statements that are under way. (Without the right PROCESS those of other accounts aren't
/// seen.)
const RUNNING: &str = "SELECT ID FROM information_schema.PROCESSLIST \
    WHERE ID <> CONNECTION_ID() AND COMMAND IN ('Query', 'Execute') \
    AND INFO REGEXP '(ALTER|RENAME|CREATE|DROP)[^A-Za-z_]' AND INFO NOT LIKE '%PROCESSLIST%'";

/// A server's counters at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counted {
    certain: u64,
    hints: u64,
    /// Connections with a statement under way, where that was asked.
    running: Vec<u64>,
}

/// When a server's tables are to be looked at.
#[derive(Debug)]
struct Schedule {
    counted: Option<Counted>,
    /// Looks that are to be taken whatever is counted.
    looks: u8,
    looked: Instant,
    /// Until hints are taken again.
    pause: Duration,
    /// Hints came that weren't looked at yet.
    hinted: bool,
}

impl Schedule {
    fn new(now: Instant) -> Schedule {
        Schedule { counted: None, looks: 0, looked: now, pause: EVERY, hinted: false }
    }

    /// Whether statements that are under way are of interest.
    fn follows(&self) -> bool {
        self.looks > 0 || self.counted.as_ref().is_some_and(|counted| !counted.running.is_empty())
    }

    /// Whether to look now, by what was just counted; `None`: the server couldn't be asked, and may
    /// be another one when it can be.
    fn is_due(&mut self, counted: Option<Counted>, now: Instant) -> bool {
        let before = std::mem::replace(&mut self.counted, counted);
        let passed = now.saturating_duration_since(self.looked);
        let mut hint = false;
        match (before, &self.counted) {
            (Some(before), Some(counted)) => {
                let ended = before.running.iter().any(|id| !counted.running.contains(id));
                if counted.certain != before.certain || ended {
                    self.looks = LOOKS;
                }
                hint = counted.hints != before.hints;
            }
            (None, Some(_)) => self.looks = self.looks.max(1),
            (_, None) => {}
        }
        self.hinted |= hint;
        if !self.hinted {
            // Where nothing is opened anew for a while, the next time means something.
            self.pause = self.pause.saturating_sub(EVERY).max(EVERY);
        }
        let asked = self.counted.is_some();
        let wanted = asked && (self.looks > 0 || self.hinted && passed >= self.pause);
        let due = wanted || passed >= LONGEST;
        if due {
            if self.hinted {
                self.pause = (self.pause * 2).min(LONGEST);
            }
            self.looks = self.looks.saturating_sub(1);
            self.looked = now;
            self.hinted = false;
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

    /// They couldn't be looked at: they are due again, less and less often.
    pub fn missed(&mut self, groups: &HashSet<GroupName>) {
        for name in groups {
            if let Some(watched) = self.0.get_mut(name) {
                watched.schedule.hinted = true;
                watched.schedule.looks = 0;
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
        let is_mariadb = node.facts().is_some_and(|facts| facts.version.kind == Kind::MariaDb);
        let names = [&CERTAIN[..], &MADE, &[OPENED]].concat().join("','");
        let sql = format!("SHOW GLOBAL STATUS WHERE Variable_name IN ('{names}')");
        let rows: Vec<(String, String)> = control::run(node, BOUND, conn.query(sql)).await?;
        let mut counted = Counted { certain: 0, hints: 0, running: Vec::new() };
        for (name, value) in &rows {
            let is_certain =
                CERTAIN.contains(&name.as_str()) || is_mariadb && MADE.contains(&name.as_str());
            let sum = if is_certain { &mut counted.certain } else { &mut counted.hints };
            *sum = sum.wrapping_add(value.parse().unwrap_or_default());
        }
        let before = self.schedule.counted.as_ref();
        let begun = before.is_none_or(|before| before.certain != counted.certain);
        if begun || self.schedule.follows() {
            counted.running = control::run(node, BOUND, conn.query(RUNNING)).await?;
        }
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counted(certain: u64, hints: u64) -> Option<Counted> {
        Some(Counted { certain, hints, running: vec![] })
    }

    fn running(certain: u64) -> Option<Counted> {
        Some(Counted { certain, hints: 1, running: vec![7] })
    }

    /// What is due at each second, for the counters at each.
    fn due(counters: &[Option<Counted>]) -> String {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let mut seconds = 0;
        let each = counters.iter().map(|counted| {
            seconds += 1;
            if schedule.is_due(counted.clone(), start + SECOND * seconds) { 'x' } else { '.' }
        });
        each.collect()
    }

    #[test]
    fn what_is_altered_is_looked_at_when_it_begins_and_when_it_has_ended() {
        let mut counters = vec![counted(1, 1); 3];
        counters.extend(vec![counted(2, 1); 6]);
        assert_eq!(due(&counters), "x..xxx...");
        let mut counters = vec![counted(1, 1); 2];
        counters.extend(vec![running(2); 8]);
        counters.extend(vec![counted(2, 1); 6]);
        assert_eq!(due(&counters), "x.xxx.....xxx...");
    }

    #[test]
    fn a_server_that_was_away_is_looked_at() {
        let counters = [counted(1, 1), counted(1, 1), None, None, counted(1, 1), counted(1, 1)];
        assert_eq!(due(&counters), "x...x.");
        // One that can't be asked for its counters may still show its tables.
        assert_eq!(due(&vec![None; 65]).matches('x').count(), 2);
    }

    #[test]
    fn hints_that_never_rest_count_less_and_less() {
        let mut counters: Vec<_> = (0..70).map(|number| counted(1, number)).collect();
        let looks = due(&counters);
        assert_eq!(looks.matches('x').count(), 7, "{looks}");
        // Then there is rest, and the next one counts at once.
        counters.extend(vec![counted(1, 70); 75]);
        counters.push(counted(1, 71));
        assert!(due(&counters).ends_with(".x"), "{}", due(&counters));
        assert_eq!(due(&vec![counted(1, 1); 70]).matches('x').count(), 3);
    }
}
