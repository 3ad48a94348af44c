#!/bin/sh
# What `make test-all` adds to `make test`. Each part says what it does, or loudly what it lacks.
set -eu
status=0
part() {
    echo "== $1"
    shift
    "$@" || status=1
}
if cargo deny --version >/dev/null 2>&1; then
    part "cargo-deny" tests/support/deny.sh
else
    echo "SKIPPED: cargo-deny is not installed (cargo install cargo-deny)"
fi
part "a backend made of opensrv-mysql" cargo test --locked --features opensrv --test it opensrv
part "ten million ids" env WEIR_IDS=10000000 cargo test --locked --test it sequence::many -- --nocapture
part "random statements" make oracle STATEMENTS=3000 SEED=1 SERVERS=mariadb
part "random statements" make oracle STATEMENTS=1500 SEED=1 SERVERS=mysql
part "public suites" make suites
for suite in tests/drivers/run.sh tests/foreign/run.sh tests/fuzz/run.sh; do
    if [ -x "$suite" ]; then
        part "$suite" "$suite"
    else
        echo "SKIPPED: $suite is not there yet"
    fi
done
exit $status
