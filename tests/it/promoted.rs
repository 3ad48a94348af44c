//! A primary that dies behind the commit of a transaction over groups, and the replica that takes its
//! place: with the commit row, and without it (mysql-traps 6), on servers of both kinds.
//!
//! Owns: the servers, two Weirs, and the moment. Never: chooses who is promoted other than by hand.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::proxy::{self, Proxy};
use crate::support::servers::{Kind, Options, Server};
use crate::support::{self, reaper, sql};

const SOON: Duration = Duration::from_secs(30);
/// How old a branch is before recovery asks for its outcome.
const RECOVER_AFTER: Duration = Duration::from_secs(4);

struct World {
    /// Primary and replica of the anchor's group, and the other group's server.
    a: Server,
    b: Server,
    c: Server,
    /// The first is killed behind the decision.
    proxies: [Proxy; 2],
    failpoints: PathBuf,
}

fn rules(a: &Server, b: &Server, c: &Server) -> String {
    format!(
        "settings: {{deployment: promoted}}\n\
         groups:\n  g0: {{primary: {{address: \"{}\"}}, replicas: [{{address: \"{}\"}}]}}\n  \
         g1: {{primary: {{address: \"{}\"}}}}\n\
         group_defaults:\n  accounts:\n    data: {{user: weir, password: env:WEIR_DATA_PASSWORD}}\n    \
         control: {{user: weir_control, password: env:WEIR_CONTROL_PASSWORD}}\n  \
         tls: {{mode: preferred}}\n  pool: {{size: 20, wait: 5s, connect_timeout: 1s, probe_interval: 200ms}}\n\
         schemas:\n  bank:\n    default_group: g0\n    databases: {{g0: bank, g1: bank}}\n    tables:\n      \
         accounts: {{key: [{{column: id, type: bigint}}], algorithm: {{kind: modulo}}, \
         shards: {{list: [{{group: g0, database: bank, table: accounts}}, \
         {{group: g1, database: bank, table: accounts}}]}}}}\n\
         users:\n  {user}: {{native: \"{verifier}\", schemas: [bank]}}\n",
        a.address(),
        b.address(),
        c.address(),
        user = proxy::USER,
        verifier = proxy::native_verifier(proxy::USER),
    )
}

fn weir(rules: &str, failpoints: &std::path::Path) -> Proxy {
    let directory = reaper::directory("rules");
    std::fs::write(directory.join("rules.yaml"), rules).expect("the rules are written");
    let transactions = |line: String| ("transactions", line);
    Proxy::start(proxy::Options {
        rules: directory,
        env: vec![
            ("WEIR_DATA_PASSWORD".to_owned(), "weir".to_owned()),
            ("WEIR_CONTROL_PASSWORD".to_owned(), "weir_control".to_owned()),
            ("WEIR_FAILPOINTS".to_owned(), failpoints.display().to_string()),
        ],
        settings: vec![
            transactions("recover_every: 300ms".to_owned()),
            transactions(format!("recover_after: {}s", RECOVER_AFTER.as_secs())),
            ("listen", "workers: 1".to_owned()),
        ],
    })
    .expect("Weir starts")
}

impl World {
    fn start(kind: Kind) -> Option<World> {
        let durable = || Options { durable: true, ..Options::default() };
        let a = support::started(kind, durable())?;
        let b = Server::start(kind, durable()).expect("a replica");
        let c = Server::start(kind, durable()).expect("another group");
        b.replicate_from(&a).expect("replication");
        for (server, id) in [(&a, 0), (&c, 1)] {
            server
                .execute_all(&[
                    "CREATE DATABASE bank",
                    "CREATE TABLE bank.accounts (id BIGINT PRIMARY KEY, balance INT NOT NULL)",
                    &format!("INSERT INTO bank.accounts VALUES ({id}, 100)"),
                ])
                .expect("a table");
        }
        b.wait_caught_up(&a, SOON).expect("the replica follows");
        let failpoints = reaper::directory("failpoints");
        let text = rules(&a, &b, &c);
        let none = reaper::directory("failpoints");
        let proxies = [weir(&text, &failpoints), weir(&text, &none)];
        let world = World { a, b, c, proxies, failpoints };
        // The commit table is made, and copied, with the first of them.
        world.transfer().expect("a transfer");
        world.b.wait_caught_up(&world.a, SOON).expect("the replica follows");
        Some(world)
    }

    /// A unit from the anchor's group to the other one.
    fn transfer(&self) -> Result<(), String> {
        sql::execute(
            &self.proxies[0].url("bank"),
            &[
                "BEGIN",
                "UPDATE accounts SET balance = balance - 1 WHERE id = 0",
                "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
                "COMMIT",
            ],
        )
    }

    /// A transfer that is decided on the first server when its Weir dies, and that server after it.
    fn die_decided(&self, replica_follows: bool) {
        if !replica_follows {
            let stop = match self.b.kind {
                Kind::MariaDb => "STOP SLAVE SQL_THREAD",
                Kind::MySql => "STOP REPLICA SQL_THREAD",
            };
            self.b.execute_all(&[stop]).expect("the replica stands");
        }
        std::fs::write(self.failpoints.join("commit.decided"), "kill").expect("armed");
        self.transfer().expect_err("its Weir dies");
        self.proxies[0].wait(SOON).expect("the first Weir is gone");
        // The second one looks at the primary once more.
        std::thread::sleep(Duration::from_millis(800));
        if replica_follows {
            self.b.wait_caught_up(&self.a, SOON).expect("the replica follows");
        }
        assert_eq!(self.prepared(), 1, "the other group's branch is prepared");
        self.a.kill9().expect("the primary dies");
        self.b.promote().expect("its replica is promoted");
    }

    fn prepared(&self) -> usize {
        self.c.query("XA RECOVER").expect("an answer").len()
    }

    fn wait_resolved(&self) {
        let start = Instant::now();
        while self.prepared() > 0 {
            assert!(start.elapsed() < SOON, "{}", self.proxies[1].log_tail());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The balances on the promoted server and on the other group's.
    fn balances(&self) -> [String; 2] {
        [&self.b, &self.c].map(|server| {
            server.query("SELECT balance FROM bank.accounts").expect("a balance")[0][0].clone()
        })
    }

    fn reason(&self) -> String {
        let nodes = self.proxies[1].admin("SHOW NODES").expect("the nodes");
        let primary = |row: &&Vec<String>| row[0] == "g0" && row[3] == "primary";
        nodes.iter().find(primary).map(|row| row[5].clone()).unwrap_or_default()
    }
}

#[test]
fn a_new_primary_that_has_the_commit_row_is_asked() {
    for kind in Kind::ALL {
        let Some(world) = World::start(kind) else { continue };
        world.die_decided(true);
        world.wait_resolved();
        assert_eq!(world.balances(), ["98", "102"], "{kind}");
        assert_eq!(world.reason(), "", "{kind}");
    }
}

#[test]
fn a_new_primary_that_lacks_what_was_seen_decides_nothing_until_an_operator_says_so() {
    for kind in Kind::ALL {
        let Some(world) = World::start(kind) else { continue };
        world.die_decided(false);
        std::thread::sleep(RECOVER_AFTER + Duration::from_secs(4));
        assert_eq!(world.prepared(), 1, "{kind}: {}", world.proxies[1].log_tail());
        assert!(world.reason().contains("lacks transactions"), "{kind}: {}", world.reason());
        // The group goes on meanwhile.
        let url = world.proxies[1].url("bank");
        sql::execute(&url, &["UPDATE accounts SET balance = balance WHERE id = 0"])
            .expect("a write");
        world.proxies[1].admin("ACCEPT PRIMARY 'g0'").expect("an OK");
        world.wait_resolved();
        // What the lost server knew is lost; nothing of it is half there.
        assert_eq!(world.balances(), ["99", "101"], "{kind}");
        assert_eq!(world.reason(), "", "{kind}");
    }
}

#[test]
fn recovery_leaves_the_branches_that_a_replica_lists_alone() {
    std::thread::scope(|scope| {
        for kind in Kind::ALL {
            scope.spawn(move || World::start(kind).map(|world| a_replicas_branches(kind, &world)));
        }
    });
}

fn a_replicas_branches(kind: Kind, world: &World) {
    let [first, second] = &world.proxies;
    second.signal("KILL").expect("the second Weir is gone");
    second.wait(SOON).expect("the second Weir is gone");
    // The branch is in the group that has a replica.
    std::fs::write(world.failpoints.join("commit.prepared"), "kill").expect("armed");
    let statements = [
        "BEGIN",
        "UPDATE accounts SET balance = balance - 1 WHERE id = 1",
        "UPDATE accounts SET balance = balance + 1 WHERE id = 0",
        "COMMIT",
    ];
    sql::execute(&first.url("bank"), &statements).expect_err("its Weir dies");
    first.wait(SOON).expect("the first Weir is gone");
    world.b.wait_caught_up(&world.a, SOON).expect("the replica follows");
    let prepared =
        || [&world.a, &world.b].map(|server| server.query("XA RECOVER").expect("rows").len());
    assert_eq!(prepared(), [1, 1], "{kind}: the replica lists it, too");
    // Rules that take the replica for the primary.
    let (a, b) = (world.a.address(), world.b.address());
    let text = rules(&world.a, &world.b, &world.c)
        .replace(&format!(", replicas: [{{address: \"{b}\"}}]"), "")
        .replace(&a, &b);
    assert!(!text.contains(&a) && !text.contains("replicas"), "{text}");
    let wrong = weir(&text, &reaper::directory("failpoints"));
    std::thread::sleep(RECOVER_AFTER + Duration::from_secs(3));
    assert_eq!(prepared(), [1, 1], "{kind}: {}", wrong.log_tail());
    drop(wrong);
    second.launch().expect("it starts again");
    let start = Instant::now();
    while prepared() != [0, 0] {
        assert!(start.elapsed() < SOON, "{kind}: {}", second.log_tail());
        std::thread::sleep(Duration::from_millis(100));
    }
    // Its replication goes on.
    sql::execute(&second.url("bank"), &statements).expect("a transfer");
    world.b.wait_caught_up(&world.a, SOON).expect("the replica follows");
    assert_eq!(world.balances(), ["100", "100"], "{kind}");
}
