# make demo       two groups of real servers, the flash-sale shop, Weir in front, a guided tour
# make test       every test of the crate, the ones against real servers included
# make test-all   test, and every driver, foreign suites, fuzzing, cargo-deny
# make drivers    real clients against Weir and against one plain server (ONLY="name …" for some)
# make foreign    test suites of drivers, with Weir in between (ONLY="name …" for some)
# make release    target/trained/weir, laid out by what the bench's load runs through
# make bench      sysbench directly, through HAProxy and through Weir; writes target/bench.json
# make faults     kills, freezes and cuts under transactions over groups (MINUTES=, SEED=, SERVERS=mariadb|mysql)
# make oracle     random statements over shards and on one server (STATEMENTS=, SEED=, SERVERS=mariadb|mysql;
#                 PROFILE=oracle for long ones)
# make suites     sqllogictest (WEIR_SQLLOGICTEST=folder, EVERY=, ONLY=), TPC-H (SCALE=) and MariaDB's mysqltest files
#                 (ONLY=, LAYOUT=text|prepared) through Weir (SUITE=slt|tpch|mtr, SERVERS=)
# make check      formatting and clippy
#
# SERVERS=docker runs the tests against containers (WEIR_MYSQL_IMAGE, WEIR_MARIADB_IMAGE).

SERVERS ?=
export WEIR_SERVERS := $(SERVERS)
CARGO ?= cargo
# Of `make oracle`: `oracle` for long runs.
PROFILE ?= dev

.PHONY: test test-all demo release bench faults oracle suites check install drivers foreign

test: install
	@rm -f target/skipped.txt
	$(CARGO) test --locked --no-fail-fast
	@tests/support/skipped.sh

test-all: test
	@tests/support/all.sh

drivers: install
	@tests/drivers/run.sh $(ONLY)

foreign: install
	@tests/foreign/run.sh $(ONLY)

demo:
	@tests/support/install.sh demo
	$(CARGO) build --locked --bin weir --example demo
	@target/debug/examples/demo

release:
	@tests/support/install.sh bench
	@benches/train.sh

bench:
	@tests/support/install.sh bench
	$(CARGO) bench --locked --bench load -- $(BENCH)

faults:
	@tests/support/install.sh
	$(CARGO) build --locked --bin weir --example faults
	@WEIR_SERVERS= target/debug/examples/faults

oracle:
	@tests/support/install.sh
	$(CARGO) build --locked --profile $(PROFILE) --bin weir --example oracle
	@WEIR_SERVERS= target/$(PROFILE:dev=debug)/examples/oracle

suites:
	@tests/support/install.sh
	$(CARGO) build --locked --bin weir --example suites
	@WEIR_SERVERS= target/debug/examples/suites

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

install:
	@tests/support/install.sh
