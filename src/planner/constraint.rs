//! Names of constraints in DDL over shards: unique in a database, so each shard has its own.
//!
//! Owns: finding them in a statement's tokens. Never: decides what a shard's is
//! ([`crate::catalog::definition`] does), or touches the names of keys, which belong to a table.

use crate::planner::draft::Draft;
use crate::planner::splice::What;
use crate::rules::table::Placement;
use crate::sql::analysis::Span;
use crate::sql::classify::StatementKind;
use crate::sql::literal::name_of;
use crate::sql::token::Token;

/// Whether other shards of a table stand in the database of this one.
pub(crate) fn is_crowded(placement: &Placement, shard: Option<u32>) -> bool {
    let Placement::Sharded(table) = placement else { return false };
    let Some(own) = shard.and_then(|shard| table.shard(shard)) else { return false };
    let beside = table.shards.iter().filter(|other| {
        other.group == own.group && other.database == own.database && other.table != own.table
    });
    beside.count() > 0
}

/// The names of foreign keys and checks become those of the shard: in `CONSTRAINT name FOREIGN KEY`
/// and `CONSTRAINT name CHECK`, and where one is dropped or altered. `first` is the index of the
/// table that is defined.
pub(crate) fn rename(draft: &mut Draft, tokens: &[Token], first: usize) {
    use StatementKind as K;
    if !matches!(draft.kind, K::CreateTable { .. } | K::AlterTable) {
        return;
    }
    let sql = draft.input.sql;
    let significant: Vec<Token> =
        tokens.iter().filter(|token| !token.kind.is_trivia()).copied().collect();
    let mut found: Vec<Token> = Vec::new();
    for place in 0..significant.len() {
        let next = |further: usize| significant.get(place + further);
        let is = |further: usize, words: &[&str]| {
            next(further).is_some_and(|token| token.is_any(sql, words))
        };
        let name = if is(0, &["CONSTRAINT"])
            && is(2, &["FOREIGN", "CHECK"])
            && !is(1, &["FOREIGN", "CHECK"])
        {
            next(1)
        } else if is(0, &["DROP", "ALTER"]) {
            let skipped = |at: usize| if is(at, &["IF"]) { at + 2 } else { at };
            if is(1, &["FOREIGN"]) && is(2, &["KEY"]) {
                next(skipped(3))
            } else if is(1, &["CHECK", "CONSTRAINT"]) {
                next(skipped(2)).filter(|name| !is_key(draft, &name_of(sql, name)))
            } else {
                None
            }
        } else {
            None
        };
        found.extend(name.filter(|name| name.is_name()).copied());
    }
    for token in found {
        let start = draft.input.lexed.template_offset(token.range().start) as u32;
        let end = start + (token.range().end - token.range().start) as u32;
        let name = name_of(sql, &token).into_boxed_str();
        draft.splice(Span { start, end }, What::Constraint { index: first, name }, false);
    }
}

/// Whether the table is known to have a key of this name: `DROP CONSTRAINT` drops keys, too.
fn is_key(draft: &Draft, name: &str) -> bool {
    let Some(used) = draft.tables.first() else { return false };
    let table = draft.input.catalog.table(used.schema.as_str(), &used.name);
    table.is_some_and(|table| table.keys.iter().any(|key| key.name.eq_ignore_ascii_case(name)))
}
