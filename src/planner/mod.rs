//! Analysis + rules + catalog → Plan, or what is needed first.
//!
//! Owns: every decision about where a statement goes and how answers become one. Never: awaits,
//! logs, reads a clock, draws a random number, or asks anyone: it returns `Need(tables)` and the
//! caller loads them and plans again.

pub mod plan;
