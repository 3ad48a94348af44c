//! The backend layer against real servers: logins, lending, session state, leaks, KILL.

mod cancel;
mod catalog;
mod cost;
mod failover;
mod fake;
mod leaks;
mod lending;
mod logins;
#[cfg(feature = "opensrv")]
mod opensrv;
mod reload;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir::backend::choose::Role;
use weir::backend::connection::{Connection, Pipelining};
use weir::backend::group::Group;
use weir::backend::pool::Ask;
use weir::backend::spec::{Account, Address, Declared, GroupSpec, Limits, NodeSpec, Tls};
use weir::backend::state::State;
use weir::backend::topology::{Place, Topology};

use crate::support::servers::Server;

/// One worker's runtime, as the proxy has them.
fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn account(user: &str) -> Account {
    Account { user: Arc::from(user), password: Arc::from(user) }
}

fn node(server: &Server, name: &str, declared: Declared) -> NodeSpec {
    NodeSpec {
        name: name.into(),
        address: Address::Tcp { host: Arc::from("127.0.0.1"), port: server.port },
        declared,
        zone: None,
        weight: 1,
        tls: Tls::default(),
        data: account("weir"),
        control: account("weir_control"),
        limits: Limits { connect: Duration::from_secs(20), ..Limits::default() },
        local_infile: true,
    }
}

fn group(spec: GroupSpec) -> Arc<Group> {
    let place = Place { workers: 2, ..Place::default() };
    Topology::of_specs(vec![spec], &place, None).unwrap().groups()[0].clone()
}

/// A group of one node, changed by `change`.
fn single(server: &Server, change: impl FnOnce(&mut NodeSpec)) -> Arc<Group> {
    let mut node = node(server, "n0", Declared::Primary);
    change(&mut node);
    group(GroupSpec::new("g0", vec![node]))
}

fn ask(state: &State) -> Ask<'_> {
    Ask {
        worker: 0,
        role: Role::Primary,
        after: None,
        state,
        found_rows: false,
        pipelining: Pipelining::All,
        asked: Instant::now(),
        deadline: Instant::now() + Duration::from_secs(20),
    }
}

/// The rows of a query as text.
async fn rows(connection: &mut Connection, sql: &str) -> Vec<Vec<String>> {
    let rows = connection.rows(sql.as_bytes(), 10_000).await.unwrap();
    let text = |value: Option<Vec<u8>>| {
        value.map_or("NULL".into(), |value| String::from_utf8_lossy(&value).into_owned())
    };
    rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

/// The first value of a query as text.
async fn value(connection: &mut Connection, sql: &str) -> String {
    rows(connection, sql).await[0][0].clone()
}
