#!/bin/sh
# Every suite of this folder, or those that are named; see ../drivers/main.rs.
set -eu
cargo build --locked --bin weir --example drivers
exec target/debug/examples/drivers --foreign "$@"
