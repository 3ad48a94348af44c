//! What the servers of one group are asked of their information_schema.
//!
//! Owns: the questions' texts. Never: sends one.
//!
//! Every branch names one database, and on MariaDB one table where there are few: it opens only
//! tables that are named so (an IN list makes it look at all that a database has).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::places::Places;
use super::shape::{AVERAGE, Rows};
use super::wanted::Wanted;
use crate::name::GroupId;
use crate::session::folded::text;
use crate::sql::lex::ServerKind;

/// Branches of one question.
const BRANCHES: usize = 100;

/// So many tables of a database are named one by one on MariaDB; more are looked for in all of its.
const ONE_BY_ONE: usize = 200;

/// Names in one IN list.
const LISTED: usize = 1000;

/// What is asked of one group.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    pub server: ServerKind,
    pub rows: &'q Rows,
    /// The columns that are asked for.
    pub columns: &'q [String],
    pub places: &'q Places,
    pub wanted: &'q Wanted,
    pub group: GroupId,
    /// Here information_schema's own tables are asked for, too.
    pub own: bool,
}

impl Question<'_> {
    /// Descriptions. Their first two columns are the physical database and table.
    pub fn descriptions(&self) -> Vec<String> {
        let mut branches = Vec::new();
        let database = &self.rows.database;
        if self.own && self.wanted.schema("information_schema") {
            branches.push(format!("{database} = 'information_schema'"));
        }
        let mut homes: Vec<&Arc<str>> = self.here().map(|home| &home.database).collect();
        homes.sort_unstable();
        homes.dedup();
        let Some(table) = &self.rows.table else {
            branches.extend(homes.into_iter().map(|home| format!("{database} = {}", text(home))));
            return self.texts(&branches, self.columns);
        };
        let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for declared in &self.places.declared {
            if let Some((group, database, table)) = declared.parts.first()
                && *group == self.group
            {
                named.entry(database).or_default().push(table);
            }
        }
        for home in homes {
            match self.wanted.listed() {
                Some(listed) => {
                    named.entry(home).or_default().extend(listed.iter().map(String::as_str));
                }
                None => {
                    let hidden = self.places.hidden(self.group, home).map(text);
                    let hidden = hidden.collect::<Vec<_>>().join(",");
                    let home = text(home);
                    branches.push(format!("{database} = {home} AND {table} NOT IN ({hidden})"));
                }
            }
        }
        self.name(named, &mut branches);
        self.texts(&branches, self.columns)
    }

    fn here(&self) -> impl Iterator<Item = &super::places::Home> {
        self.places.homes.iter().filter(|home| home.group == self.group)
    }

    /// The sizes of all parts that aren't described.
    pub fn sizes(&self) -> Vec<String> {
        let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for declared in &self.places.declared {
            for (_, database, table) in
                declared.parts.iter().skip(1).filter(|part| part.0 == self.group)
            {
                named.entry(database).or_default().push(table);
            }
        }
        let mut branches = Vec::new();
        self.name(named, &mut branches);
        self.texts(&branches, &self.size_columns())
    }

    /// The columns of [`Self::sizes`]: keys, then sizes.
    pub fn size_columns(&self) -> Vec<String> {
        let sizes = self.rows.sizes;
        let averages = self.columns.iter().any(|column| column == AVERAGE);
        let wanted = |column: &&&str| {
            self.columns.iter().any(|asked| asked == **column)
                || (averages && matches!(**column, "TABLE_ROWS" | "DATA_LENGTH"))
        };
        let all = sizes.keys.iter().chain(sizes.sums.iter().chain(sizes.latest).filter(wanted));
        all.map(|column| (*column).to_owned()).collect()
    }

    fn name(&self, named: BTreeMap<&str, Vec<&str>>, branches: &mut Vec<String>) {
        let database = &self.rows.database;
        let Some(table) = &self.rows.table else { return };
        for (of, mut tables) in named {
            tables.sort_unstable();
            tables.dedup();
            let of = text(of);
            if self.server == ServerKind::MariaDb && tables.len() <= ONE_BY_ONE {
                let one = |name: &&str| format!("{database} = {of} AND {table} = {}", text(name));
                branches.extend(tables.iter().map(one));
                continue;
            }
            for some in tables.chunks(LISTED) {
                let list: Vec<String> = some.iter().map(|name| text(name)).collect();
                branches.push(format!("{database} = {of} AND {table} IN ({})", list.join(",")));
            }
        }
    }

    fn texts(&self, branches: &[String], columns: &[String]) -> Vec<String> {
        let Rows { source, database, table, qualifier, .. } = self.rows;
        let table = table.as_deref().unwrap_or("''");
        let columns: String =
            columns.iter().map(|column| format!(",{qualifier}`{column}`")).collect();
        let head = format!("SELECT {database},{table}{columns} FROM {source} WHERE ");
        let one = |some: &[String]| {
            let all: Vec<String> = some.iter().map(|branch| format!("{head}{branch}")).collect();
            all.join(" UNION ALL ")
        };
        branches.chunks(BRANCHES).map(one).collect()
    }
}
