//! The insert id of an answer, where ids come from a sequence.
//!
//! Owns: what the OK packet shows and what LAST_INSERT_ID() becomes, as an AUTO_INCREMENT column
//! would have it. Never: makes an id.
//!
//! Seen on MariaDB 10.11 and MySQL 9.7 alike: generated ids show the first one, and
//! LAST_INSERT_ID() is that; ids that the statement gives show the last row's and leave
//! LAST_INSERT_ID() alone; a row that IGNORE skips shows 0; one that ON DUPLICATE KEY UPDATE
//! changes shows its own id and leaves LAST_INSERT_ID() alone, and 0 where nothing changed.

use crate::executor::info;

/// Where an answer's insert id comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InsertId {
    /// The server's word for both.
    #[default]
    Servers,
    /// The statement gave all ids itself.
    Given,
    /// Some rows, or all, have ids of a sequence.
    Taken(Taken),
}

/// The ids that a statement took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub first: u64,
    pub last: u64,
    /// All rows of the statement, those included that have their ids from it.
    pub rows: u64,
    pub duplicates: Repeated,
    /// The column is AUTO_INCREMENT on the shard, so that its server names ids too.
    pub counted: bool,
    /// A row that is found counts as affected: the client has CLIENT_FOUND_ROWS.
    pub found_rows: bool,
}

/// What happens to rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    Fail,
    Skip,
    /// `sets_id`: by a statement with LAST_INSERT_ID(expr).
    Update {
        sets_id: bool,
    },
}

impl InsertId {
    /// What the packet shows, and what LAST_INSERT_ID() becomes (0: stays). `info`: the packet's
    /// text.
    pub fn of(self, affected: u64, servers: u64, info: &[u8]) -> (u64, u64) {
        match self {
            InsertId::Servers => (servers, servers),
            InsertId::Given => (servers, 0),
            InsertId::Taken(taken) => taken.shown(affected, servers, info),
        }
    }
}

impl Taken {
    fn shown(self, affected: u64, servers: u64, info: &[u8]) -> (u64, u64) {
        let first = (self.first, self.first);
        match self.duplicates {
            Repeated::Fail => first,
            Repeated::Skip if affected == 0 => (0, 0),
            Repeated::Skip => first,
            Repeated::Update { sets_id } => {
                let own = servers >= self.first && servers <= self.last;
                if sets_id && servers != 0 && !own {
                    return (servers, servers);
                }
                let updated = match self.rows {
                    1 if self.counted => servers != self.first,
                    1 => affected != 1,
                    // The last row is new.
                    _ if self.counted && own => false,
                    _ if self.counted && servers == 0 => true,
                    // Rows that changed count twice, new ones once.
                    rows => match info::duplicates(info) {
                        Some(changed) if !self.found_rows => affected == changed.saturating_mul(2),
                        _ => affected == 0 || affected == rows.saturating_mul(2),
                    },
                };
                if updated { (servers, 0) } else { first }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rows: u64, duplicates: Repeated, counted: bool) -> InsertId {
        InsertId::Taken(Taken {
            first: 102,
            last: 101 + rows,
            rows,
            duplicates,
            counted,
            found_rows: false,
        })
    }

    /// Each line was seen on both kinds of servers, with 102 as the next AUTO_INCREMENT value.
    #[test]
    fn answers_are_those_of_auto_increment() {
        let update = Repeated::Update { sets_id: false };
        assert_eq!(taken(2, Repeated::Fail, true).of(2, 103, b""), (102, 102));
        assert_eq!(InsertId::Given.of(2, 60, b""), (60, 0));
        assert_eq!(InsertId::Servers.of(1, 60, b""), (60, 60));
        assert_eq!(taken(1, update, true).of(1, 102, b""), (102, 102), "inserted");
        assert_eq!(taken(1, update, true).of(2, 100, b""), (100, 0), "changed");
        assert_eq!(taken(1, update, true).of(0, 0, b""), (0, 0), "as it was");
        assert_eq!(taken(1, update, true).of(1, 0, b""), (0, 0), "as it was, and found rows count");
        let sets = Repeated::Update { sets_id: true };
        assert_eq!(taken(1, sets, true).of(2, 100, b""), (100, 100));
        assert_eq!(taken(1, sets, true).of(1, 102, b""), (102, 102));
        assert_eq!(taken(3, update, true).of(4, 104, b""), (102, 102), "two new ones");
        assert_eq!(taken(2, update, true).of(4, 101, b""), (101, 0), "both changed");
        assert_eq!(taken(2, update, true).of(2, 0, b""), (0, 0), "none did, and found rows count");
        let one = b"Records: 2  Duplicates: 1  Warnings: 0";
        assert_eq!(taken(2, update, true).of(2, 101, one), (101, 0), "one changed, one did not");
        assert_eq!(taken(2, update, true).of(3, 101, one), (102, 102), "one changed, one is new");
        let none = b"Records: 2  Duplicates: 0  Warnings: 0";
        assert_eq!(taken(2, update, true).of(2, 103, none), (102, 102), "both are new");
        assert_eq!(taken(1, Repeated::Skip, true).of(0, 0, b""), (0, 0));
        assert_eq!(taken(3, Repeated::Skip, true).of(2, 104, b""), (102, 102));
    }

    #[test]
    fn a_plain_column_has_no_word_of_its_server() {
        let update = Repeated::Update { sets_id: false };
        assert_eq!(taken(1, update, false).of(1, 0, b""), (102, 102));
        assert_eq!(taken(1, update, false).of(2, 0, b""), (0, 0));
        assert_eq!(taken(1, Repeated::Fail, false).of(1, 0, b""), (102, 102));
    }
}
