//! Tables as information_schema tells of them, on both kinds of server.

use arc_swap::ArcSwap;
use weir::backend::catalog::{Loader, Logical, Physical, look_up};
use weir::backend::spec::GroupSpec;
use weir::backend::topology::{Place, Topology};
use weir::catalog::{Catalog, DefaultValue, Generated, Table, TriggerEvent};
use weir::rules::check;
use weir::value::types::ColumnType;

use super::{run, single};
use crate::support;
use crate::support::servers::{Kind, Server};

fn wanted(database: &str, tables: &[&str]) -> Vec<(Logical, Physical)> {
    let one = |table: &&str| {
        let logical = ("shop".into(), format!("logical_{table}").as_str().into());
        (logical, Physical { database: database.into(), table: (*table).into() })
    };
    tables.iter().map(one).collect()
}

fn tables(server: &Server, database: &str, names: &[&str]) -> Vec<Option<Table>> {
    run(async {
        let group = single(server, |_| {});
        group.probe_once().await;
        let found = look_up(&group, &wanted(database, names)).await.unwrap();
        found.into_iter().map(|(_, table)| table).collect()
    })
}

#[test]
fn a_table_is_read_with_all_that_decides_a_plan() {
    for server in support::shared_kinds() {
        let db = server.database();
        server.execute(&format!(
            "CREATE TABLE {db}.parent (id INT PRIMARY KEY) DEFAULT CHARSET = utf8mb4"
        ));
        server.execute(&format!(
            "CREATE TABLE {db}.`t_0000` (
                id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
                name VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'it''s',
                price DECIMAL(12,3) DEFAULT 1.5,
                made DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
                seen TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
                state ENUM('a','b''c') DEFAULT 'a',
                twice INT GENERATED ALWAYS AS (parent * 2) STORED,
                parent INT,
                note TEXT,
                raw VARBINARY(16),
                PRIMARY KEY (id), UNIQUE KEY by_name (name), KEY mixed (note(10), parent),
                CONSTRAINT positive CHECK (price > 0),
                FOREIGN KEY (parent) REFERENCES {db}.parent (id)
            ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci"
        ));
        server.execute(&format!(
            "CREATE TRIGGER {db}.bi BEFORE INSERT ON {db}.t_0000 FOR EACH ROW SET NEW.parent = NULL"
        ));
        let table = tables(server, &db, &["t_0000"]).remove(0).unwrap();
        assert_eq!((&*table.name, &*table.engine), ("logical_t_0000", "InnoDB"));
        assert_eq!(table.collation.name(), "utf8mb4_unicode_ci");
        assert_eq!(table.auto_increment, Some(0));
        assert!(table.has_checks && table.has_foreign_keys && !table.is_view);
        assert!(table.has_before_trigger(TriggerEvent::Insert));
        assert!(!table.has_before_trigger(TriggerEvent::Update));
        let kind = |name: &str| table.column(name).unwrap().kind.clone();
        assert_eq!(kind("id"), ColumnType::Int { bits: 64, unsigned: true });
        assert_eq!(kind("price"), ColumnType::Decimal { precision: 12, scale: 3, unsigned: false });
        assert_eq!(kind("made"), ColumnType::DateTime { decimals: 3 });
        assert_eq!(kind("raw"), ColumnType::VarBinary { length: 16 });
        assert_eq!(kind("NAME").collation().unwrap().name(), "utf8mb4_bin");
        assert_eq!(kind("note").collation().unwrap().name(), "utf8mb4_unicode_ci");
        assert!(matches!(kind("state"), ColumnType::Enum { labels, .. } if &*labels[1] == "b'c"));
        let default = |name: &str| table.column(name).unwrap().default.clone();
        assert_eq!(default("id"), DefaultValue::AutoIncrement);
        assert_eq!(default("name"), DefaultValue::Constant("it's".into()));
        assert!(
            matches!(default("price"), DefaultValue::Constant(text) if text.starts_with("1.5"))
        );
        assert_eq!(default("made"), DefaultValue::CurrentTimestamp);
        assert_eq!(default("seen"), DefaultValue::Null);
        assert_eq!(default("note"), DefaultValue::Null);
        assert!(
            table.column("seen").unwrap().on_update && !table.column("made").unwrap().on_update
        );
        assert_eq!(table.column("twice").unwrap().generated, Generated::Stored);
        assert!(!table.column("name").unwrap().nullable && table.column("raw").unwrap().nullable);
        let keys: Vec<_> = table.keys.iter().map(|key| (&*key.name, key.unique)).collect();
        assert_eq!(keys[0], ("PRIMARY", true));
        assert!(keys.contains(&("by_name", true)) && keys.contains(&("mixed", false)), "{keys:?}");
        let mixed = table.keys.iter().find(|key| &*key.name == "mixed").unwrap();
        let parts: Vec<_> = mixed.parts.iter().map(|part| (part.column, part.prefix)).collect();
        let place = |name: &str| table.column_index(name);
        assert_eq!(parts, [(place("note"), Some(10)), (place("parent"), None)]);
    }
}

#[test]
fn many_tables_come_in_few_questions_and_what_is_not_there_is_told() {
    for server in support::shared_kinds() {
        let db = server.database();
        let names: Vec<String> = (0..60).map(|number| format!("t{number}")).collect();
        for name in &names {
            server.execute(&format!("CREATE TABLE {db}.{name} (a INT, B INT)"));
        }
        server.execute(&format!("CREATE TABLE {db}.Cased (a INT)"));
        server.execute(&format!("CREATE VIEW {db}.v AS SELECT a FROM {db}.t0"));
        if server.kind == Kind::MariaDb {
            server.execute(&format!("CREATE TABLE {db}.hidden (a INT, b INT INVISIBLE)"));
        }
        let mut asked: Vec<&str> = names.iter().map(String::as_str).collect();
        asked.extend(["no_such", "cased", "v", "hidden"]);
        let found = tables(server, &db, &asked);
        assert!(found[..60].iter().all(|table| table.as_ref().unwrap().columns.len() == 2));
        assert!(found[60].is_none());
        assert!(found[61].is_none(), "names that differ by case are two names here");
        assert!(found[62].as_ref().unwrap().is_view);
        assert_eq!(found[62].as_ref().unwrap().columns.len(), 1);
        if server.kind == Kind::MariaDb {
            assert_eq!(found[63].as_ref().unwrap().visible_columns().count(), 1);
        }
    }
}

#[test]
fn the_loader_fills_a_catalog_once_and_follows_what_changes() {
    for server in support::shared_kinds() {
        let db = server.database();
        for table in ["events_00", "events_01", "loose"] {
            server.execute(&format!("CREATE TABLE {db}.{table} (user_id BIGINT, a INT)"));
        }
        let text = format!(
            "groups:\n  main:\n    primary: {{address: '127.0.0.1:{}'}}\n    accounts:\n      \
             data: {{user: weir, password: 'env:WEIR_TEST'}}\nschemas:\n  app:\n    \
             databases: {{main: {db}}}\n    tables:\n      events:\n        \
             key: [{{column: user_id, type: bigint}}]\n        algorithm: {{kind: hash}}\n        \
             shards: {{count: 2, databases: {db}, groups: [main], tables: 'events_{{00}}'}}\n",
            server.port
        );
        let checked = check::load_text(&[("rules.yaml", &text)], &|_| Some("weir".into()));
        let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
        run(async {
            let group = single(server, |node| node.data = super::account("weir"));
            let spec = GroupSpec { name: "main".into(), ..group.spec.clone() };
            let place = Place { workers: 1, ..Place::default() };
            let topology = Topology::of_specs(vec![spec], &place, None).unwrap();
            let (loader, catalog) = (Loader::default(), ArcSwap::from_pointee(Catalog::default()));
            let logical = |name: &str| -> Logical { ("app".into(), name.into()) };
            let all = [logical("events"), logical("loose"), logical("nothing")];
            let wanted = async || loader.need(&rules, &topology, &catalog, &all).await.unwrap();
            let ((one, two), three) = (tokio::join!(wanted(), wanted()), wanted().await);
            let nothing = vec![logical("nothing")];
            assert_eq!((&one, &two, &three), (&nothing, &nothing, &nothing));
            let loaded = catalog.load_full();
            assert_eq!(loaded.version, 2, "two tables, each stored once");
            assert_eq!(loaded.table("app", "events").unwrap().columns.len(), 2);
            // Nothing has changed: nothing moves.
            let groups = topology.groups().iter().map(|group| group.name().clone()).collect();
            let refresh =
                async || loader.refresh(&rules, &topology, &catalog, &groups).await.drifted;
            assert!(refresh().await.is_empty());
            assert_eq!(catalog.load().version, 2);
            server.execute(&format!("ALTER TABLE {db}.loose ADD COLUMN b INT"));
            server.execute(&format!("CREATE TABLE {db}.nothing (a INT)"));
            assert_eq!(refresh().await, [logical("loose")]);
            assert_eq!(catalog.load().table("app", "loose").unwrap().columns.len(), 3);
            // A table that our own statement made is asked for at once.
            loader.forget(&catalog, &[logical("nothing")]);
            assert!(wanted().await.is_empty());
            loader.forget(&catalog, &[logical("events")]);
            assert!(catalog.load().table("app", "events").is_none());
            server.execute(&format!("DROP TABLE {db}.loose"));
            assert_eq!(refresh().await, [logical("loose")]);
            assert!(catalog.load().table("app", "loose").is_none());
        });
    }
}
