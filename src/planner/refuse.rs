//! Every refusal of the planner: its stable code and its sentence.
//!
//! Owns: the codes, one function each. Never: decides when to refuse. Each code has a golden plan.

use crate::error::Error;

/// All codes, for the test that looks for a golden plan of each.
pub const CODES: &[&str] = &[
    "alter_sequence",
    "auto_increment",
    "broadcast_nondeterministic",
    "cross_group",
    "ddl_shard_key",
    "hint",
    "index_kept",
    "index_statement",
    "index_table",
    "insert_key",
    "insert_rows",
    "insert_select",
    "key_missing",
    "key_update",
    "lateral",
    "limit_write",
    "lock_owner",
    "lock_place",
    "lock_tables",
    "made_of_rows",
    "no_row_key",
    "not_understood",
    "scatter_aggregate",
    "scatter_distinct",
    "scatter_function",
    "scatter_join",
    "scatter_limit",
    "scatter_order",
    "scatter_read",
    "scatter_returning",
    "scatter_subquery",
    "scatter_union",
    "scatter_window",
    "scatter_write",
    "sequence_value",
    "statement",
    "tables_apart",
    "temporary_name",
    "view_hidden",
    "view_over_shards",
    "write_ignore",
    "write_trigger",
    "write_twice",
    "write_unknown",
    "write_view",
];

pub(crate) fn refuse(code: &'static str, message: impl Into<String>) -> Error {
    debug_assert!(CODES.contains(&code), "{code} is not in the list");
    Error::refused(code, message)
}
