//! Tests of the pure part of the executor.

mod against_server;
mod merging;
mod weights;
