#!/bin/sh
# Each fuzz target for a while (FUZZ_SECONDS, 60), from its corpus. Needs cargo-fuzz and a nightly
# toolchain, whose sanitizers it uses; without them it is skipped loudly, and the corpora still run
# as plain tests in `make test`.
set -eu
cd "$(dirname "$0")"
skip() {
    echo "SKIPPED: fuzzing: $*"
    exit 0
}
cargo fuzz --version >/dev/null 2>&1 || skip "cargo-fuzz is not installed (cargo install cargo-fuzz)"
cargo +nightly --version >/dev/null 2>&1 || skip "no nightly toolchain (rustup toolchain install nightly)"
for target in $(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | tail -n +2); do
    corpus=corpus/$target
    [ -d "$corpus" ] || corpus=
    # The reader of rules begins from the rules that are there.
    [ "$target" != rules ] || corpus="../../rules ../data/rules_bad"
    # New inputs are written to the first folder: not into the kept corpus.
    mkdir -p "target/found/$target"
    cargo +nightly fuzz run --fuzz-dir . "$target" "target/found/$target" $corpus -- -max_total_time="${FUZZ_SECONDS:-60}"
done
