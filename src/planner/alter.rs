//! What an ALTER TABLE does to a table in several places, as far as it matters.
//!
//! Owns: its list of actions, the refusal of those that would change where rows are looked for, and
//! whether a place where it was done would say so. Never: checks the rest of the grammar.

use crate::catalog;
use crate::planner::draft::{Draft, Result};
use crate::planner::index;
use crate::planner::refuse::refuse;
use crate::planner::survey::Survey;
use crate::rules::table::{Placement, ShardedTable};
use crate::sql::classify::StatementKind;
use crate::sql::literal::name_of;
use crate::sql::token::Token;
use crate::value::types::ColumnType;

/// The significant tokens of each action, those in parentheses included.
fn actions(sql: &[u8], tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut list = vec![Vec::new()];
    for token in tokens.iter().filter(|token| !token.kind.is_trivia()) {
        match list.last_mut() {
            _ if token.depth == 0 && token.is_symbol(sql, ",") => list.push(Vec::new()),
            Some(action) => action.push(*token),
            None => {}
        }
    }
    if let Some(first) = list.first_mut() {
        // ALTER [ONLINE] [IGNORE] TABLE [IF EXISTS] [schema .] name
        let table = first.iter().position(|token| token.is_word(sql, "TABLE")).unwrap_or(0);
        let mut begin = table + 1;
        if first.get(begin).is_some_and(|token| token.is_word(sql, "IF")) {
            begin += 2;
        }
        begin += match first.get(begin + 1).is_some_and(|token| token.is_symbol(sql, ".")) {
            true => 3,
            false => 1,
        };
        first.drain(..begin.min(first.len()));
    }
    list
}

/// One action's words, read from the front.
struct Words<'a> {
    sql: &'a [u8],
    rest: &'a [Token],
}

impl<'a> Words<'a> {
    fn eat(&mut self, words: &[&str]) -> bool {
        let fits = self.rest.first().is_some_and(|token| token.is_any(self.sql, words));
        if fits {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        fits
    }

    /// IF [NOT] EXISTS
    fn eat_if(&mut self) -> bool {
        let found = self.eat(&["IF"]);
        if found {
            self.eat(&["NOT"]);
            self.eat(&["EXISTS"]);
        }
        found
    }

    fn is(&self, words: &[&str]) -> bool {
        self.rest.first().is_some_and(|token| token.is_any(self.sql, words))
    }

    fn name(&mut self) -> Option<String> {
        let token = self.rest.first().filter(|token| token.is_name())?;
        self.rest = self.rest.get(1..).unwrap_or_default();
        Some(name_of(self.sql, token))
    }
}

/// A column that an action is about, under its old and its new name.
struct Touched {
    old: String,
    new: String,
    /// The first word of its new type, in capitals; empty where it stays or goes.
    kind: String,
    dropped: bool,
}

fn touched(sql: &[u8], action: &[Token]) -> Option<Touched> {
    let mut words = Words { sql, rest: action };
    let kind = |words: &Words<'_>| {
        let word = words.rest.first().map(|token| token.bytes(sql)).unwrap_or_default();
        String::from_utf8_lossy(word).to_ascii_uppercase()
    };
    if words.eat(&["RENAME"]) {
        let old = words.eat(&["COLUMN"]).then(|| words.name())??;
        words.eat_if();
        words.eat(&["TO", "AS"]);
        return Some(Touched { old, new: words.name()?, kind: String::new(), dropped: false });
    }
    if words.eat(&["CHANGE"]) {
        words.eat(&["COLUMN"]);
        words.eat_if();
        let (old, new) = (words.name()?, words.name()?);
        return Some(Touched { old, new, kind: kind(&words), dropped: false });
    }
    if words.eat(&["MODIFY"]) {
        words.eat(&["COLUMN"]);
        words.eat_if();
        let old = words.name()?;
        return Some(Touched { new: old.clone(), old, kind: kind(&words), dropped: false });
    }
    if words.eat(&["DROP"]) {
        const OTHERS: [&str; 8] =
            ["INDEX", "KEY", "PRIMARY", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION", "PERIOD"];
        if !words.eat(&["COLUMN"]) && words.is(&OTHERS) {
            return None;
        }
        words.eat_if();
        let old = words.name()?;
        return Some(Touched { new: old.clone(), old, kind: String::new(), dropped: true });
    }
    None
}

/// The columns that decide where a row is stay what they are.
///
/// # Errors
/// `ddl_shard_key`: one of them would be renamed, dropped or of another kind of type.
pub(super) fn check_keys(draft: &Draft, tokens: &[Token], survey: &Survey) -> Result<()> {
    let sql = draft.input.sql;
    let Some(used) = survey.uses.first() else { return Ok(()) };
    let Placement::Sharded(table) = &used.placement else { return Ok(()) };
    for action in actions(sql, tokens) {
        if !table.indexes.is_empty() {
            check_indexes(sql, &action, table, used.table.as_deref())?;
        }
        let Some(touched) = touched(sql, &action) else { continue };
        let same = |name: &str| touched.old.eq_ignore_ascii_case(name);
        let taken = |name: &str| touched.new.eq_ignore_ascii_case(name);
        let hit = table.keys.iter().find(|key| same(&key.name) || taken(&key.name));
        let Some(key) = hit else { continue };
        let stays = same(&touched.new) && !touched.dropped && is_kind(&key.declared, &touched.kind);
        if !stays {
            return Err(refuse(
                "ddl_shard_key",
                format!(
                    "'{}' decides on which shard a row of '{}' is: renamed, dropped or with another kind of \
                     type, its rows would no longer be found. Make a new table with other rules and move the \
                     rows there",
                    key.name, used.name
                ),
            ));
        }
    }
    Ok(())
}

/// A counter of the servers that nothing counts by isn't set as though it did. The first number, with
/// which frameworks begin anew, is let through: on one server it is no order to use ids twice either.
///
/// # Errors
/// `alter_sequence`: the table's ids come from a sequence.
pub(super) fn check_counter(draft: &Draft, tokens: &[Token], survey: &Survey) -> Result<()> {
    let sql = draft.input.sql;
    let Some(used) = survey.uses.first() else { return Ok(()) };
    let Some(sequence) = used.placement.sequence() else { return Ok(()) };
    let significant: Vec<&Token> =
        tokens.iter().filter(|token| !token.kind.is_trivia() && token.depth == 0).collect();
    for (at, token) in significant.iter().enumerate() {
        if !token.is_word(sql, "AUTO_INCREMENT") {
            continue;
        }
        let mut rest = significant[at + 1..].iter();
        let number = rest.find(|token| !token.is_symbol(sql, "="));
        let number: Option<u64> =
            number.and_then(|token| std::str::from_utf8(token.bytes(sql)).ok()?.parse().ok());
        if number.is_some_and(|number| number > 1) {
            return Err(refuse(
                "alter_sequence",
                format!(
                    "The ids of '{}' come from the sequence '{}' of Weir's rules, which no AUTO_INCREMENT \
                     moves. A row with a given id moves a segment sequence past it; or declare a higher \
                     'start' under another name",
                    used.name, sequence.name
                ),
            ));
        }
    }
    Ok(())
}

/// The columns of index entries stay what they are, and rows don't come or go.
fn check_indexes(
    sql: &[u8],
    action: &[Token],
    table: &ShardedTable,
    known: Option<&catalog::Table>,
) -> Result<()> {
    let refused = |what: &str| {
        Err(refuse(
            "index_statement",
            format!(
                "{what} table '{}', whose indexes couldn't follow: take them out of the rules first, and make \
                 them anew afterwards",
                table.name
            ),
        ))
    };
    let words = Words { sql, rest: action };
    let is_any = |list: &[&str]| action.iter().any(|token| token.is_any(sql, list));
    const ROWS: [&str; 6] = ["EXCHANGE", "TRUNCATE", "DISCARD", "IMPORT", "CONVERT", "PARTITION"];
    if words.is(&["EXCHANGE", "TRUNCATE", "DISCARD", "IMPORT", "CONVERT"])
        || words.is(&["DROP"]) && is_any(&["PARTITION"])
        || is_any(&["PRIMARY"])
    {
        let word = ROWS.iter().find(|word| is_any(&[**word])).unwrap_or(&"PRIMARY KEY");
        return refused(&format!("{word} changes rows or keys of"));
    }
    let Some(touched) = touched(sql, action) else { return Ok(()) };
    let fixed = index::fixed_columns(table, known);
    let is_fixed = |name: &str| {
        fixed.as_ref().is_none_or(|fixed| fixed.iter().any(|one| one.eq_ignore_ascii_case(name)))
    };
    if is_fixed(&touched.old) || is_fixed(&touched.new) {
        return refused(&format!("Column '{}' stands in entries of", touched.old));
    }
    Ok(())
}

/// Whether a type of this name holds the key's values as the declared one does.
fn is_kind(declared: &ColumnType, word: &str) -> bool {
    let words: &[&str] = match declared {
        ColumnType::Int { .. } => {
            &["TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT", "INT4", "INT8"]
        }
        ColumnType::Date => &["DATE"],
        ColumnType::DateTime { .. } => &["DATETIME"],
        ColumnType::Timestamp { .. } => &["TIMESTAMP"],
        ColumnType::Decimal { .. } => &["DECIMAL", "NUMERIC", "DEC"],
        ColumnType::Text { .. } => &["CHAR", "VARCHAR", "CHARACTER"],
        ColumnType::Binary { .. } => &["BINARY", "VARBINARY"],
        _ => &[],
    };
    words.contains(&word)
}

/// Whether a place where the statement was done would do something else when it is told again,
/// rather than answer that it is done, or change nothing: columns that change names in a ring, keys
/// and constraints without a name, counted and exchanged partitions.
pub(super) fn is_for_once(sql: &[u8], tokens: &[Token]) -> bool {
    let actions = actions(sql, tokens);
    let renamed: Vec<Touched> = actions
        .iter()
        .filter_map(|action| touched(sql, action))
        .filter(|one| !one.dropped && !one.old.eq_ignore_ascii_case(&one.new))
        .collect();
    let ring = renamed
        .iter()
        .any(|one| renamed.iter().any(|other| other.old.eq_ignore_ascii_case(&one.new)));
    ring || actions.iter().any(|action| adds_again(sql, action))
}

/// A column that is added to every copy of a broadcast table must have the same values in each. Of
/// the clock all copies read one moment.
///
/// # Errors
/// Its default is an expression that each copy would evaluate for itself.
pub(super) fn fills_alike(draft: &Draft, tokens: &[Token], survey: &Survey) -> Result<()> {
    let sql = draft.input.sql;
    let copies = survey.uses.first().is_some_and(|used| {
        matches!(used.placement, Placement::Broadcast(_)) && draft.kind == StatementKind::AlterTable
    });
    let traits = draft.traits;
    let varies = traits.random || traits.sysdate || traits.host_function || traits.session_function;
    if copies && varies && tokens.iter().any(|token| token.is_word(sql, "ADD")) {
        return Err(refuse(
            "broadcast_nondeterministic",
            "A column is added to every copy of a broadcast table with a default that gives each copy \
             other values: add it without the default, set the values, and set the default then",
        ));
    }
    Ok(())
}

fn adds_again(sql: &[u8], action: &[Token]) -> bool {
    let mut words = Words { sql, rest: action };
    if words.is(&["COALESCE", "EXCHANGE"]) {
        return true;
    }
    if !words.eat(&["ADD"]) {
        return false;
    }
    if words.eat(&["PARTITION"]) {
        words.eat_if();
        return words.is(&["PARTITIONS"]);
    }
    const FORMS: [&str; 7] = ["INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK"];
    if words.eat(&["CONSTRAINT"]) {
        // A name, unless the form follows at once; a primary key is there only once.
        return words.is(&FORMS);
    }
    if words.eat(&["FOREIGN", "CHECK"]) {
        return true;
    }
    if !words.eat(&["INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL"]) {
        return false;
    }
    words.eat(&["INDEX", "KEY"]);
    words.eat_if();
    words.is(&["USING"]) || words.name().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_for_once;
    use crate::sql::lex::{self, Dialect, Limits};

    #[test]
    fn what_would_be_done_twice() {
        for (sql, once) in [
            ("ALTER TABLE t RENAME COLUMN x TO y, RENAME COLUMN y TO x", true),
            ("ALTER TABLE t CHANGE x y INT, CHANGE COLUMN `y` x INT", true),
            ("ALTER TABLE t RENAME COLUMN x TO y, RENAME COLUMN y TO z", true),
            ("ALTER TABLE t RENAME COLUMN x TO y, RENAME COLUMN a TO b", false),
            ("ALTER TABLE s.t CHANGE x x BIGINT", false),
            ("ALTER TABLE t ADD INDEX (x)", true),
            ("ALTER TABLE IF EXISTS s.t ADD UNIQUE KEY USING BTREE (x)", true),
            ("ALTER TABLE t ADD INDEX i (x), ADD COLUMN c INT", false),
            ("ALTER TABLE t ADD COLUMN (c INT, KEY (c))", false),
            ("ALTER TABLE t ENGINE = InnoDB, ADD CHECK (x > 0)", true),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (x > 0)", false),
            ("ALTER TABLE t ADD CONSTRAINT FOREIGN KEY (x) REFERENCES u (x)", true),
            ("ALTER TABLE t ADD FOREIGN KEY (x) REFERENCES u (x)", true),
            ("ALTER TABLE t ADD PRIMARY KEY (x)", false),
            ("ALTER TABLE t ADD PARTITION PARTITIONS 4", true),
            ("ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (9))", false),
            ("ALTER TABLE t COALESCE PARTITION 2", true),
            ("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", true),
            ("ALTER TABLE t MODIFY x INT, COMMENT = 'add, index'", false),
        ] {
            let tokens = lex::tokens(sql.as_bytes(), Dialect::default(), &Limits::default());
            let tokens = tokens.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(is_for_once(sql.as_bytes(), &tokens), once, "{sql}");
        }
    }
}
