//! Which shards of a statement's tables hints leave.
//!
//! Owns: `shard(…)` and what TDDL's `scan(…)` names (a condition, nodes, physical tables) as sets of
//! shards. Never: drops a part of a hint: what can't be obeyed is refused.
//!
//! A hint's shards stand in the place of those that the statement's own conditions lead to, and hold
//! for all tables that are sharded alike, since rows of a shard are beside rows of the same shard.

use std::sync::Arc;

use crate::error::Error;
use crate::planner::bind::{Binding, Values};
use crate::planner::condition::{Condition, evaluate};
use crate::planner::draft::{Draft, Result};
use crate::planner::nodes;
use crate::planner::refuse::refuse;
use crate::planner::survey::{Role, Survey};
use crate::planner::{Narrowed, PlanInput, TableUse, Tables};
use crate::rules::shard_set::ShardSet;
use crate::rules::table::{Placement, ShardedTable};
use crate::sql::analysis::Statement;
use crate::sql::hint::{Hint, Scan};
use crate::sql::lex::{Dialect, Limits};
use crate::sql::parse;
use crate::sql::template::{Lexed, Lexer};

/// The shards that hints leave of a table.
#[derive(Debug)]
pub(crate) struct Hinted {
    /// What is named.
    shards: ShardSet,
    /// What must hold besides.
    conditions: Vec<Foreign>,
}

/// A condition in a hint's own text.
#[derive(Debug)]
struct Foreign {
    sql: Box<[u8]>,
    lexed: Lexed,
    dialect: Dialect,
    condition: Condition,
}

impl Hinted {
    /// Those of `narrowed`'s table; `values` are the statement's.
    pub fn shards(&self, narrowed: &Narrowed, values: &Values) -> ShardSet {
        let mut shards = self.shards.clone();
        for foreign in &self.conditions {
            let binding = Binding {
                sql: &foreign.sql,
                lexed: &foreign.lexed,
                dialect: foreign.dialect,
                parameters: &[],
                ..*values.binding
            };
            let found = evaluate(&foreign.condition, narrowed, &Values::new(&binding));
            shards = shards.and(&found);
        }
        shards
    }
}

/// What a hint without any shard is answered with: a statement that is sent to a shard because no row
/// can match must not be sent for it.
pub(crate) fn nothing_left(table: &ShardedTable) -> Error {
    refuse("hint", format!("The hints leave no shard of '{}'", table.name))
}

/// Looks at the shards that are left of a statement's tables.
///
/// # Errors
/// `hint`: hints leave none of one.
pub(crate) fn check(tables: &Tables, sets: &[ShardSet]) -> Result<()> {
    let mut all = sets.iter().zip(&tables.sharded);
    match all.find(|(set, one)| set.is_empty() && one.is_hinted()) {
        Some((_, one)) => Err(nothing_left(&one.table)),
        None => Ok(()),
    }
}

/// Looks at a row's shard, where hints name some.
///
/// # Errors
/// `hint`: it is none of them.
pub(crate) fn check_row(
    narrowed: &Narrowed,
    hinted: Option<&ShardSet>,
    (shard, number): (u32, usize),
) -> Result<()> {
    match hinted {
        Some(hinted) if !hinted.contains(shard) => Err(refuse(
            "hint",
            format!(
                "Row {} belongs to shard {shard} of '{}', which the hint leaves out",
                number + 1,
                narrowed.table.name
            ),
        )),
        _ => Ok(()),
    }
}

/// One hint's word on a table.
struct Word {
    table: Arc<ShardedTable>,
    shards: ShardSet,
    condition: Option<Foreign>,
    /// It comes from `scan(…)`, which may say something of several tables.
    scans: bool,
}

impl Draft<'_> {
    /// The shards that hints choose, over what conditions say.
    ///
    /// # Errors
    /// `hint`: what a hint names isn't there, or hints contradict each other.
    pub fn hinted(&self, narrowed: &mut [Narrowed]) -> Result<()> {
        let mut words: Vec<Word> = vec![];
        for hint in &self.hints.hints {
            match hint {
                Hint::Shard { table, shards } => {
                    for table in named(narrowed, table)? {
                        let shards = numbered(&table, shards)?;
                        words.push(Word { table, shards, condition: None, scans: false });
                    }
                }
                Hint::Scan(scan) if scan.restricts() => {
                    words.extend(self.scanned(scan, narrowed)?);
                }
                Hint::Scan(scan) => {
                    for table in &scan.tables {
                        named(narrowed, table)?;
                    }
                }
                _ => {}
            }
        }
        let mut rest = words.into_iter();
        while let Some(first) = rest.next() {
            let binding = first.table.binding;
            let (alike, others): (Vec<Word>, Vec<Word>) =
                rest.partition(|word| word.table.binding == binding);
            let both = |word: &Word| word.table.name == first.table.name || !word.scans;
            if alike.iter().any(|word| both(word) || !first.scans) {
                return Err(refuse(
                    "hint",
                    format!(
                        "Several hints name shards of '{}' or of a table that is sharded alike: write one",
                        first.table.name
                    ),
                ));
            }
            apply(first, alike, narrowed);
            rest = others.into_iter();
        }
        Ok(())
    }

    /// Whether a hint leaves shards out, whatever the conditions say.
    pub fn names_shard(&self) -> bool {
        self.hints.hints.iter().any(|hint| match hint {
            Hint::Shard { .. } => true,
            Hint::Scan(scan) => scan.restricts(),
            _ => false,
        })
    }

    /// Whether a hint that leaves shards out names a table, or all of them.
    pub fn names_shard_of(&self, table: &str) -> bool {
        self.hints.hints.iter().any(|hint| match hint {
            Hint::Shard { table: named, .. } => named.eq_ignore_ascii_case(table),
            Hint::Scan(scan) => {
                let is = |named: &String| named.eq_ignore_ascii_case(table);
                scan.restricts() && (scan.tables.is_empty() || scan.tables.iter().any(is))
            }
            _ => false,
        })
    }

    /// What `scan(…)` says of each of its tables.
    fn scanned(&self, scan: &Scan, narrowed: &[Narrowed]) -> Result<Vec<Word>> {
        let mut tables: Vec<Arc<ShardedTable>> = vec![];
        match scan.tables.as_slice() {
            [] => tables.extend(narrowed.iter().map(|narrowed| Arc::clone(&narrowed.table))),
            names => {
                for name in names {
                    tables.extend(named(narrowed, name)?);
                }
            }
        }
        let mut seen: Vec<Arc<ShardedTable>> = vec![];
        for table in tables {
            if !seen.iter().any(|known| Arc::ptr_eq(known, &table)) {
                seen.push(table);
            }
        }
        check_real(scan, &seen)?;
        let mut words = vec![];
        for table in &seen {
            let mut shards = ShardSet::all(table.count());
            if !scan.nodes.is_empty() {
                shards = shards.and(&self.on_nodes(scan, table)?);
            }
            if !scan.real_tables.is_empty() {
                let found = real(scan, table);
                if !found.is_empty() {
                    shards = shards.and(&found);
                }
            }
            let condition = match &scan.condition {
                Some(condition) => Some(self.foreign(condition, table, &seen)?),
                None => None,
            };
            words.push(Word { table: Arc::clone(table), shards, condition, scans: true });
        }
        Ok(words)
    }

    /// The shards of a table that lie on the nodes.
    fn on_nodes(&self, scan: &Scan, table: &ShardedTable) -> Result<ShardSet> {
        let schema = self.input.rules.schema(table.schema.as_str());
        let own: Vec<_> =
            table.shards.iter().map(|shard| (shard.group, Arc::clone(&shard.database))).collect();
        let mut found = ShardSet::none(table.count());
        for node in &scan.nodes {
            let place = nodes::find(self.input.rules, schema.map(|it| &**it), node, &own)?;
            for (number, shard) in (0..).zip(&table.shards) {
                let here = place.database.as_ref().is_none_or(|name| *name == shard.database);
                if shard.group == place.group && here {
                    found.insert(number);
                }
            }
        }
        Ok(found)
    }

    /// A condition's word on the keys of one of the tables that it is about.
    fn foreign(
        &self,
        text: &str,
        table: &Arc<ShardedTable>,
        all: &[Arc<ShardedTable>],
    ) -> Result<Foreign> {
        let odd = |why: &str| refuse("hint", format!("The hint's condition \"{text}\" {why}"));
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        let from: Vec<String> = all
            .iter()
            .map(|one| format!("{}.{}", quoted(one.schema.as_str()), quoted(one.name.as_str())))
            .collect();
        let sql = format!("SELECT 1 FROM {} WHERE ({text}\n)", from.join(", ")).into_bytes();
        let dialect = self.input.dialect;
        let mut lexed = Lexed::new();
        let unread = |_| odd("is not understood");
        Lexer::new(0, Limits::default()).lex(&sql, &dialect, &mut lexed).map_err(unread)?;
        if lexed.params() > 0 || lexed.rest().is_some() {
            return Err(odd("takes no parameters: write the values"));
        }
        let parsed = parse::parse(&sql, &lexed, dialect).map_err(|_| odd("is not understood"))?;
        let input = PlanInput { sql: &sql, lexed: &lexed, ..*self.input };
        let mut survey = Survey::new(&input);
        match &parsed.statement {
            Statement::Query(query) => survey.query(query, None, Role::Top)?,
            _ => return Err(odd("is not understood")),
        };
        if survey.uses.len() != all.len() || survey.blocks.len() != 1 {
            return Err(odd("is none on the hint's tables alone"));
        }
        let place = all.iter().position(|one| Arc::ptr_eq(one, table)).unwrap_or_default();
        // What must be known of the table, the statement itself has asked for.
        let found = survey.narrow(place, true).map(|narrowed| narrowed.condition);
        let condition = match found {
            Some(Condition::Any) | None => {
                let keys: Vec<&str> = table.keys.iter().map(|key| key.name.as_ref()).collect();
                return Err(odd(&format!(
                    "says nothing of the shard key of '{}' ({})",
                    table.name,
                    keys.join(", ")
                )));
            }
            Some(condition) => condition,
        };
        Ok(Foreign { sql: sql.into(), lexed, dialect, condition })
    }
}

/// Puts what hints say in the place of what conditions say.
fn apply(first: Word, alike: Vec<Word>, narrowed: &mut [Narrowed]) {
    let binding = first.table.binding;
    let mut shards = first.shards;
    let mut conditions: Vec<Foreign> = first.condition.into_iter().collect();
    for word in alike {
        shards = shards.and(&word.shards);
        conditions.extend(word.condition);
    }
    let hinted = Arc::new(Hinted { shards, conditions });
    for narrowed in narrowed.iter_mut().filter(|one| one.table.binding == binding) {
        narrowed.condition = Condition::Hinted(Arc::clone(&hinted));
        // An index knows nothing of hints.
        narrowed.lookups.clear();
    }
}

/// The sharded tables of the statement that have a name.
fn named(narrowed: &[Narrowed], name: &str) -> Result<Vec<Arc<ShardedTable>>> {
    let mut found: Vec<Arc<ShardedTable>> = vec![];
    for one in narrowed.iter().filter(|one| one.table.name.as_str().eq_ignore_ascii_case(name)) {
        if !found.iter().any(|known| known.binding == one.table.binding) {
            found.push(Arc::clone(&one.table));
        }
    }
    match found.is_empty() {
        true => Err(no_table(name)),
        false => Ok(found),
    }
}

pub(crate) fn no_table(name: &str) -> Error {
    refuse(
        "hint",
        format!("The hint names a shard of '{name}', which is no sharded table of this statement"),
    )
}

fn numbered(table: &ShardedTable, numbers: &[u32]) -> Result<ShardSet> {
    let mut shards = ShardSet::none(table.count());
    for shard in numbers {
        if *shard >= table.count() {
            return Err(refuse(
                "hint",
                format!(
                    "The hint asks for shard {shard} of '{}', which has shards 0 to {}",
                    table.name,
                    table.count().saturating_sub(1),
                ),
            ));
        }
        shards.insert(*shard);
    }
    Ok(shards)
}

/// The shards whose physical tables are named.
fn real(scan: &Scan, table: &ShardedTable) -> ShardSet {
    let mut found = ShardSet::none(table.count());
    for (number, shard) in (0..).zip(&table.shards) {
        if scan.real_tables.iter().any(|name| *name == *shard.table) {
            found.insert(number);
        }
    }
    found
}

/// Each physical table that is named must be one of the tables', and each table must have one, or lie
/// beside one that has.
fn check_real(scan: &Scan, tables: &[Arc<ShardedTable>]) -> Result<()> {
    let list: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let of = |name: &String| {
        let has =
            |table: &&Arc<ShardedTable>| table.shards.iter().any(|shard| *shard.table == **name);
        tables.iter().find(has)
    };
    if let Some(name) = scan.real_tables.iter().find(|name| of(name).is_none()) {
        return Err(refuse(
            "hint",
            format!("The hint names '{name}', which is no physical table of {}", list.join(", ")),
        ));
    }
    let beside = |table: &&Arc<ShardedTable>| {
        let alike = |name| of(name).is_some_and(|other| other.binding == table.binding);
        !scan.real_tables.iter().any(alike)
    };
    match tables.iter().find(beside).filter(|_| !scan.real_tables.is_empty()) {
        None => Ok(()),
        Some(table) => {
            Err(refuse("hint", format!("The hint names no physical table of '{}'", table.name)))
        }
    }
}

/// Whether a plan's table is a sharded one.
pub(crate) fn is_sharded(used: &TableUse) -> bool {
    matches!(used.placement, Placement::Sharded(_))
}
