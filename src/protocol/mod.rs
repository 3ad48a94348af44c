//! MySQL's client/server protocol as pure functions: bytes to packets and back.
//!
//! Owns: every packet's form, the arithmetic of logins, collation ids, and the two row formats.
//! Never: touches a socket, a clock or a random source; [`crate::wire`] moves the bytes.
//!
//! Parsers borrow from the payload, take the negotiated [`capability::Capabilities`] where the form
//! depends on them, and are total: any input gives a packet or an error, never a panic, and nothing
//! is allocated for a length that is only announced. Writers append a payload without its header.

pub mod capability;
pub mod charset;
pub mod compress;
pub mod error_code;
pub mod field;
pub mod framing;
pub mod proxy_header;
pub mod reader;
pub mod status;

pub mod auth;
pub mod auth_switch;
pub mod greeting;
pub mod login;
pub mod rsa;
mod sha256_crypt;
pub mod verifier;

pub mod change_user;
pub mod command;
pub mod execute;

pub mod binary_value;
pub mod column;
pub mod eof;
pub mod err;
pub mod ok;
pub mod response;
pub mod row;
pub mod session_track;
