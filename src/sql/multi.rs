//! Several statements in one text.
//!
//! Owns: where one ends: at a `;` outside of quotes and comments, and not inside of a stored
//! program's body. Never: runs one.
