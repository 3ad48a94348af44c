//! One test binary, so one link. A line here and a file beside it make a new group of tests.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod altered;
mod assigned;
mod backend;
mod bound_keys;
mod certificates;
mod change;
mod check_online;
mod clock;
mod codes;
mod commands;
mod consistent;
mod copies;
mod deadlocks;
mod definitions;
mod differential;
mod drain;
mod fake;
#[path = "../faults/mod.rs"]
#[allow(dead_code)] // `make faults` uses all of it.
mod faults;
#[path = "faults.rs"]
mod faults_matrix;
mod flags;
mod halves;
mod hints;
mod index;
mod layers;
mod leak_matrix;
mod lexer;
mod load;
mod local_infile;
mod logins;
mod lost;
mod moved;
mod operated;
#[path = "../oracle/mod.rs"]
#[allow(dead_code)] // `make oracle` uses all of it.
mod oracle;
#[path = "oracle.rs"]
mod oracle_fixed;
mod own_writes;
mod plan;
mod process;
mod promoted;
mod reload;
mod returned;
mod rolled_back;
mod rules;
mod scatter;
mod sequence;
mod servers;
mod session;
mod shop;
mod shop_reads;
mod statements;
mod steps;
mod stored_leaks;
#[path = "../suite/mod.rs"]
#[allow(dead_code)] // `make suites` uses all of it.
mod suite;
mod suites;
mod support_matrix;
mod tools;
mod transactions;
mod traps;
mod values;
mod view_reads;
mod wire;
mod wire_packets;
mod wire_secure;
mod wire_servers;
mod wire_through;
mod workbench;
