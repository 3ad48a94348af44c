//! Sequences against real servers of both kinds.

mod clock;
mod counted;
mod groups;
mod insert;
mod many;
mod stage;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;
use weir::backend::spec::{Account, Address, Declared, GroupSpec, Limits, NodeSpec, Tls};
use weir::backend::topology::{Place, Topology};
use weir::error::Error;
use weir::name::SchemaName;
use weir::rules::check::load_text;
use weir::sequence::{Sequence, Sequences};

use crate::support::servers::{Kind, Options, Server};
use crate::support::{engine, skip};

/// Both kinds' servers, two of each, with an empty database `seq`.
fn pairs() -> Vec<[Server; 2]> {
    let mut pairs = Vec::new();
    for kind in Kind::ALL {
        if let Err(reason) = engine::available(kind) {
            skip::loudly(kind, &reason);
            continue;
        }
        pairs.push([(), ()].map(|()| {
            let server = Server::start(kind, Options::default()).unwrap();
            server.execute("CREATE DATABASE seq");
            server
        }));
    }
    pairs
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What stands for a process: its own state over its own connections.
struct Process {
    sequences: Arc<Sequences>,
    topology: Arc<Topology>,
    task: AbortHandle,
}

impl Process {
    /// With one table `t` whose sequence is declared so.
    async fn start(servers: &[Server], declaration: &str) -> Process {
        let topology = Arc::new(topology(servers));
        for group in topology.groups() {
            group.probe_once().await;
        }
        let sequences = Arc::new(Sequences::default());
        let task = tokio::spawn(sequences.clone().keep()).abort_handle();
        let process = Process { sequences, topology, task };
        process.adopt(servers.len(), declaration);
        process
    }

    fn adopt(&self, groups: usize, declaration: &str) {
        let text = rules(groups, declaration);
        let checked = load_text(&[("rules.yaml", &text)], &|_| None);
        let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
        self.sequences.adopt(&rules, &self.topology);
    }

    fn sequence(&self) -> Arc<Sequence> {
        self.sequences.get(&SchemaName::new("s"), &Arc::from("t")).unwrap()
    }

    async fn take(&self, count: u32) -> Result<u64, Error> {
        self.take_within(count, Duration::from_secs(20)).await
    }

    async fn take_within(&self, count: u32, patience: Duration) -> Result<u64, Error> {
        self.sequence().take(count, Instant::now() + patience).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn rules(groups: usize, declaration: &str) -> String {
    let names: Vec<String> = (0..groups).map(|number| format!("g{number}")).collect();
    let mut text = "groups:\n".to_owned();
    for name in &names {
        text += &format!("  {name}: {{primary: {{address: '127.0.0.1:1'}}}}\n");
    }
    let databases: Vec<String> = names.iter().map(|name| format!("{name}: seq")).collect();
    text += &format!(
        "group_defaults: {{accounts: {{data: {{user: weir, password: none}}}}}}\n\
         schemas:\n  s:\n    default_group: g0\n    databases: {{{}}}\n    tables:\n      \
         t: {{key: [{{column: k}}], algorithm: {{kind: hash}}, shards: {{count: 2, databases: seq, \
         groups: [g0], tables: 't_{{0}}'}}, sequence: {{column: id, {declaration}}}}}\n",
        databases.join(", ")
    );
    text
}

fn topology(servers: &[Server]) -> Topology {
    let account = |user: &str| Account { user: Arc::from(user), password: Arc::from(user) };
    let spec = |(number, server): (usize, &Server)| {
        let node = NodeSpec {
            name: "n0".into(),
            address: Address::Tcp { host: Arc::from("127.0.0.1"), port: server.port },
            declared: Declared::Primary,
            zone: None,
            weight: 1,
            tls: Tls::default(),
            data: account("weir"),
            control: account("weir_control"),
            limits: Limits { connect: Duration::from_secs(20), ..Limits::default() },
            local_infile: true,
        };
        GroupSpec::new(format!("g{number}").as_str(), vec![node])
    };
    let specs = servers.iter().enumerate().map(spec).collect();
    Topology::of_specs(specs, &Place { workers: 1, ..Place::default() }, None).unwrap()
}
