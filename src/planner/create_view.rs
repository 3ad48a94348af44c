//! CREATE, ALTER and DROP VIEW: views of tables that lie in one group.
//!
//! Owns: where such a view is made, and the refusal of others. Never: expands a view: its server
//! does.
//!
//! A view is a table to clients: one that no rule names stands in the schema's default group. It may
//! read single tables of its group and broadcast tables, which every group has. One over a sharded
//! table would read one shard, wherever it stood, so it is refused.

use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::index;
use crate::planner::plan::{Access, PreparedForm};
use crate::planner::query::Outcome;
use crate::planner::refuse::refuse;
use crate::planner::tokens::{everything_named, is_of_servers, named, not_understood};
use crate::planner::{Action, Tables};
use crate::rules::table::Placement;
use crate::sql::literal::name_of;
use crate::sql::mention::{Mention, mentioned_names, table_names};
use crate::sql::token::Token;

/// Plans a statement that defines or drops views.
pub(crate) fn view(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    draft.facts.commits = true;
    draft.facts.access = Access::Definition;
    draft.facts.prepared = PreparedForm::Text;
    let sql = draft.input.sql;
    for mention in mentioned_names(sql, tokens) {
        if is_of_servers(&draft, &mention) {
            return Err(not_understood("a view shows logical tables alone", &mention.name));
        }
    }
    let mut mentions = own_names(sql, tokens);
    mentions.extend(table_names(sql, tokens));
    mentions.sort_by_key(|mention| mention.range.start);
    mentions.dedup_by_key(|mention| mention.range.start);
    everything_named(&draft, tokens, &mentions)?;
    let survey = named(&draft, &mentions)?;
    let sharded = survey.uses.iter().find(|used| matches!(used.placement, Placement::Sharded(_)));
    if let Some(used) = sharded {
        return Err(refuse(
            "view_over_shards",
            format!(
                "A view over sharded table '{}' would show one shard: ask the table itself, with the view's \
                 SELECT as a derived table or a WITH. Views over single and broadcast tables of one group work",
                used.name,
            ),
        ));
    }
    // A view over a shard itself would be a way around the table's indexes.
    for used in &survey.uses {
        index::check_own(draft.input.rules, &used.placement)?;
    }
    draft.name_tables(&survey, |_| Naming::Rename);
    let tables: Tables = draft.groups(&survey).map_err(|error| match error.code {
        "cross_group" => refuse(
            "cross_group",
            "The view's tables are in another group than the view, which is in the schema's default group \
             where no rule names it: give it a place beside them in the rules (`view: {group: …}`)",
        ),
        _ => error,
    })?;
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// The views themselves: what stands behind VIEW, up to AS or a list of columns.
fn own_names(sql: &[u8], tokens: &[Token]) -> Vec<Mention> {
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let mut found = Vec::new();
    let Some(view) = significant.iter().position(|token| token.is_word(sql, "VIEW")) else {
        return found;
    };
    let mut at = view + 1;
    while significant.get(at).is_some_and(|token| token.is_any(sql, &["IF", "NOT", "EXISTS"])) {
        at += 1;
    }
    while let Some(first) = significant.get(at).filter(|token| token.is_name()) {
        let qualified = significant.get(at + 1).is_some_and(|token| token.is_symbol(sql, "."));
        let last = if qualified { significant.get(at + 2) } else { Some(first) };
        let Some(last) = last else { break };
        found.push(Mention {
            schema: qualified.then(|| name_of(sql, first)),
            name: name_of(sql, last),
            range: first.range().start..last.range().end,
        });
        at += if qualified { 3 } else { 1 };
        if !significant.get(at).is_some_and(|token| token.is_symbol(sql, ",")) {
            break;
        }
        at += 1;
    }
    found
}
