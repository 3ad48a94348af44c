//! One framed stream over a socket, TLS or zlib: buffers, sequence ids, limits, byte counts.
//!
//! Owns: moving packets. Never: reads what is in one ([`crate::protocol`] does), keeps a deadline
//! (callers wrap a call in a timeout) or logs.
//!
//! Read next: [`stream::Stream`].

mod compression;
pub mod proxy;
mod reading;
pub mod relay;
pub mod stream;
pub mod tls;
pub mod transport;
mod writing;
