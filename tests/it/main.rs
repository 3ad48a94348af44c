//! One test binary, so one link. A line here and a file beside it make a new group of tests.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod backend;
mod check_online;
mod drain;
mod layers;
mod oracle;
mod lexer;
mod lost;
mod clock;
mod differential;
#[path = "../faults/mod.rs"]
#[allow(dead_code)] // `make faults` uses all of it.
mod faults;
#[path = "faults.rs"]
mod faults_matrix;
mod fake;
mod local_infile;
mod moved;
mod plan;
mod process;
mod reload;
mod rules;
mod scatter;
mod servers;
mod sequence;
mod session;
mod shop;
mod values;
mod statements;
mod transactions;
mod tools;
mod wire;
mod wire_packets;
mod wire_secure;
mod wire_servers;
mod wire_through;
