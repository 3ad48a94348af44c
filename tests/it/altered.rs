//! Tables that somebody else alters while plans for them are kept, against real servers.
//!
//! Owns: a schema of its own on the shared servers. An INSERT without a list of columns shows it:
//! by a plan for the table as it was, values come into other columns, or rows to other shards.

use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::proxy::Proxy;
use crate::support::rig;

const DATABASES: [&str; 2] = ["altered_a", "altered_b"];
/// Longer than a proxy takes to notice, on a loaded machine.
const NOTICED: Duration = Duration::from_secs(4);

fn edit(rules: &Path, file: &str, from: &str, to: &str) {
    let path = rules.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file}: {from}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

fn with_schema(rules: &Path) {
    let [a, b] = DATABASES;
    let shards = format!(
        "{{group: g0, database: {a}, table: lines_0}}, {{group: g1, database: {b}, table: lines_1}}"
    );
    let schema = format!(
        "schemas:\n  altered:\n    default_group: g0\n    databases: {{g0: {a}, g1: {b}}}\n    \
         tables:\n      lines: {{key: [{{column: id}}], algorithm: {{kind: modulo}}, shards: {{list: [{shards}]}}}}\n"
    );
    edit(rules, "tables.yaml", "schemas:\n", &schema);
    edit(rules, "users.yaml", "schemas: [shop]", "schemas: [shop, altered]");
}

async fn connect(proxy: &Proxy) -> Conn {
    Conn::new(Opts::from_url(&proxy.url("altered")).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_for_a_table_as_it_was_are_not_used_for_long() {
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        let at_servers = |sql: &dyn Fn(&str, usize) -> String| {
            for (group, database) in DATABASES.into_iter().enumerate() {
                rig.groups[group].primary.execute(&sql(database, group));
            }
        };
        at_servers(&|database, _| format!("DROP DATABASE IF EXISTS {database}"));
        at_servers(&|database, _| format!("CREATE DATABASE {database}"));
        let (proxy, rules) = rig.another_edited(&[], &with_schema).unwrap();
        let (other, _) = rig.another_edited(&[], &with_schema).unwrap();
        let (mut here, mut there) = (connect(&proxy).await, connect(&other).await);
        here.query_drop("CREATE TABLE lines (id INT PRIMARY KEY, n INT)").await.unwrap();
        here.query_drop("INSERT INTO lines VALUES (1, 100)").await.unwrap();
        there.query_drop("INSERT INTO lines VALUES (2, 100)").await.unwrap();

        // By another proxy.
        here.query_drop("ALTER TABLE lines MODIFY n INT FIRST").await.unwrap();
        tokio::time::sleep(NOTICED).await;
        here.query_drop("INSERT INTO lines VALUES (100, 3)").await.unwrap();
        there.query_drop("INSERT INTO lines VALUES (100, 4), (100, 5)").await.unwrap();

        // At the servers.
        at_servers(&|database, group| {
            format!("ALTER TABLE {database}.lines_{group} MODIFY n INT AFTER id")
        });
        tokio::time::sleep(NOTICED).await;
        here.query_drop("INSERT INTO lines VALUES (6, 100)").await.unwrap();
        there.query_drop("INSERT INTO lines VALUES (7, 100), (8, 100)").await.unwrap();

        // At the servers, by statements that wait for longer than a look.
        std::thread::scope(|scope| {
            let [a, b] = DATABASES;
            for (group, database) in [(0, a), (1, b)] {
                let primary = &rig.groups[group].primary;
                let table = format!("{database}.lines_{group}");
                let reads = format!("SELECT COUNT(*) FROM {table}");
                scope.spawn(move || {
                    primary.execute_all(&["BEGIN", &reads, "DO SLEEP(7)", "COMMIT"]).unwrap();
                });
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_secs(1));
                    primary.execute(&format!("ALTER TABLE {table} MODIFY n INT FIRST"));
                    primary.execute(&format!("SELECT COUNT(*) FROM {table}"));
                });
            }
        });
        tokio::time::sleep(NOTICED).await;
        there.query_drop("INSERT INTO lines VALUES (100, 16), (100, 17)").await.unwrap();
        here.query_drop("ALTER TABLE lines MODIFY n INT AFTER id").await.unwrap();

        // By another session, for one that is bound to the rules of before.
        let mut bound = connect(&proxy).await;
        bound.query_drop("SELECT GET_LOCK('altered', 1)").await.unwrap();
        bound.query_drop("INSERT INTO lines VALUES (9, 100)").await.unwrap();
        edit(
            &rules,
            "tables.yaml",
            "    tables:\n",
            "    tables:\n      never_made_here: {broadcast: true}\n",
        );
        proxy.admin("RELOAD").unwrap();
        here.query_drop("INSERT INTO lines VALUES (10, 100)").await.unwrap();
        here.query_drop("ALTER TABLE lines MODIFY n INT FIRST").await.unwrap();
        bound.query_drop("INSERT INTO lines VALUES (100, 11)").await.unwrap();
        here.query_drop("INSERT INTO lines VALUES (100, 12)").await.unwrap();

        // A column more, which Weir's own count doesn't know yet.
        at_servers(&|database, group| {
            format!("ALTER TABLE {database}.lines_{group} ADD COLUMN z INT DEFAULT 1")
        });
        tokio::time::sleep(NOTICED).await;
        for (session, id) in [(&mut here, 13), (&mut there, 14), (&mut bound, 15)] {
            let sql = format!("INSERT INTO lines VALUES (100, {id}, 1)");
            session.query_drop(sql).await.unwrap();
        }

        let wanted: Vec<(i32, i32)> = (1..=17).map(|id| (id, 100)).collect();
        for session in [&mut here, &mut there, &mut bound] {
            let all: Vec<(i32, i32)> =
                session.query("SELECT id, n FROM lines ORDER BY id").await.unwrap();
            assert_eq!(all, wanted, "{kind}");
            for id in 1..=17 {
                let n: Option<i32> = session
                    .query_first(format!("SELECT n FROM lines WHERE id = {id}"))
                    .await
                    .unwrap();
                assert_eq!(n, Some(100), "{kind}: {id} is where it is looked for");
            }
        }
        at_servers(&|database, _| format!("DROP DATABASE {database}"));
    }
}
