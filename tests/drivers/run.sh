#!/bin/sh
# Every client of this folder, or those that are named; see main.rs.
set -eu
cargo build --locked --bin weir --example drivers
exec target/debug/examples/drivers "$@"
