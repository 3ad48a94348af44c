//! What the session has written, for its reads from replicas.
//!
//! Owns: when the session last wrote to each group. Never: knows how far a replica is
//! (`backend::position`), or chooses a node.
//!
//! A session reads its own writes: until a replica is known to have applied all that its primary had
//! committed by the end of the session's last write, the session's reads go to the primary. Another
//! session's writes are seen as replication brings them.

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::name::GroupId;

/// When the session wrote, by group.
#[derive(Debug, Default)]
pub(super) struct OwnWrites {
    /// The rules that the group ids belong to.
    version: u64,
    groups: SmallVec<[Write; 1]>,
    /// Under other rules: of any group.
    before: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Write {
    group: GroupId,
    /// The end of the command; `None` while it, or its transaction, is under way.
    at: Option<Instant>,
}

impl OwnWrites {
    /// A statement that may write begins on a group's primary.
    pub(super) fn begin(&mut self, group: GroupId, version: u64) {
        self.adopt(version);
        match self.groups.iter_mut().find(|write| write.group == group) {
            Some(write) => write.at = None,
            None => self.groups.push(Write { group, at: None }),
        }
    }

    /// A command has ended, and no transaction is open: what was written is committed or undone.
    pub(super) fn end(&mut self) {
        if self.groups.iter().any(|write| write.at.is_none()) {
            let now = Instant::now();
            for write in &mut self.groups {
                write.at.get_or_insert(now);
            }
        }
    }

    /// A read on this group must show what was committed by then. `None`: nothing was written.
    pub(super) fn after(&mut self, group: GroupId, version: u64) -> Option<Instant> {
        if self.groups.is_empty() && self.before.is_none() {
            return None;
        }
        self.adopt(version);
        let write = self.groups.iter().find(|write| write.group == group);
        let here = write.map(|write| write.at.unwrap_or_else(Instant::now));
        here.max(self.before)
    }

    /// Under other rules an id may be another group's.
    fn adopt(&mut self, version: u64) {
        if self.version == version {
            return;
        }
        let last = self.groups.drain(..).map(|write| write.at.unwrap_or_else(Instant::now)).max();
        self.before = self.before.max(last);
        self.version = version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_group_has_its_own_time() {
        let mut own = OwnWrites::default();
        assert_eq!(own.after(GroupId(0), 1), None);
        own.begin(GroupId(0), 1);
        own.end();
        let first = Instant::now();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!((own.after(GroupId(0), 1), own.after(GroupId(1), 1)), (Some(first), None));
        own.begin(GroupId(1), 1);
        let open = Instant::now();
        assert_eq!(own.after(GroupId(1), 1), Some(open), "no replica can have it yet");
        own.end();
        assert_eq!(own.after(GroupId(0), 1), Some(first));
        // Under other rules the newest write counts for every group.
        assert_eq!(own.after(GroupId(0), 2), Some(open));
        assert_eq!(own.after(GroupId(7), 2), Some(open));
    }
}
