#!/bin/sh
# Builds Weir by profile: a build that counts its branches serves the bench's load, and the compiler
# lays out the release by those counts (rustc book, "Profile-guided Optimization").
#
#     benches/train.sh      target/trained/weir
#
# Owns: the three steps. Never: decides what the load is (benches/load does), or touches
# target/release. A build without counts behaves the same, it only spends more.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
host=$(rustc -vV | sed -n 's/^host: //p')
tools=$(rustc --print sysroot)/lib/rustlib/$host/bin
[ -x "$tools/llvm-profdata" ] || rustup component add llvm-tools
counts=$PWD/target/trained/counts
rm -rf "$counts"

build() { # build DIRECTORY FLAGS: only what is linked into Weir gets the flags, build scripts don't
    RUSTFLAGS="$2" "$cargo" build --locked --release --bin weir --target "$host" --target-dir "target/trained/$1"
}

build counting "-Cprofile-generate=$counts"
# Merges and workbench, too: what was never seen is laid out as cold.
for work in point rows transaction commits shards; do
    WEIR_COUNTS=1 WEIR_BIN=$PWD/target/trained/counting/$host/release/weir \
        "$cargo" bench --locked --bench load -- --ways weir --rounds 1 --seconds 3 --no-memory --only $work
done
"$tools/llvm-profdata" merge -o target/trained/weir.profdata "$counts"
build built "-Cprofile-use=$PWD/target/trained/weir.profdata"
cp "target/trained/built/$host/release/weir" target/trained/weir
rm -rf "$counts"
ls -l target/trained/weir
