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
pub mod hint;
mod item;
mod keyword;
pub mod lex;
pub mod literal;
mod multi;
pub mod parse;
mod rows;
pub mod set;
pub mod show;
pub mod slot;
pub mod template;
pub mod text;
pub mod token;
mod walk;

// Signatures on their way (the types that they return stand):
// - Lexed::analysis_text(&self, sql: &[u8], dialect: &Dialect, out: &mut AnalysisText)
// - literal::read(sql, &Item, &Dialect) -> Literal; literal::unquote_name(&[u8]) -> Cow<[u8]>
// - classify::classify(sql, &[Token]) -> Classified; classify::mentions(sql, &[Token]) -> Vec<Mention>
// - set::parse(sql, &[Token], &Dialect) -> Result<Set>; show::parse(sql, &[Token], &Dialect) -> Result<Show>
// - hint::parse(sql, &[Token], &Dialect) -> Hints
// - multi::first_end(sql, &Dialect) is inside of Lexer::lex: see Lexed::end, Lexed::rest

#[cfg(test)]
mod tests;
