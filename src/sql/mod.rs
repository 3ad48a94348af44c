//! Text → template, tokens, kind: what can be known of a statement from its bytes alone.
//!
//! Owns: MySQL's lexical rules (quotes, comments, versions, sql_mode, client character sets), the
//! template and its slots, the statement's kind, and the statements that are handled from tokens
//! (SET, SHOW, hints). Never: looks at rules or a catalog, decides where a statement goes, or
//! prints a statement back; text is only ever cut and spliced at byte ranges.
//!
//! A statement is bytes, not `str`: one that is not UTF-8 works. Everything that grows with the
//! statement is bounded by [`lex::Limits`].

pub mod analysis;
pub mod charset_scan;
pub mod classify;
mod cursor;
pub mod diagnostics;
pub mod edit;
pub mod hint;
mod item;
mod keyword;
pub mod label;
pub mod lex;
pub mod literal;
pub mod load;
pub mod mention;
mod multi;
pub mod native;
pub mod options;
pub mod parse;
mod rows;
pub mod set;
pub mod show;
pub mod slot;
pub mod template;
pub mod token;
pub mod traits;
pub mod unseen;
pub mod user_variables;
mod walk;

#[cfg(test)]
mod tests;
