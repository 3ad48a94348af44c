//! `weir check --online` against real servers: what is wrong there is named, with its place.

use weir::backend::inspect;
use weir::rules::check::load_text;

use crate::support::{self, reaper, servers::Server, sql};

fn rules(server: &Server, tables: &str) -> weir::rules::Rules {
    let port = server.port;
    let secret = reaper::directory("secret").join(port.to_string());
    std::fs::write(&secret, "weir\n").unwrap();
    let control = secret.with_extension("control");
    std::fs::write(&control, "weir_control\n").unwrap();
    let text = format!(
        "groups:
  g0:
    primary: {{address: '127.0.0.1:{port}'}}
    accounts: {{data: {{user: weir, password: 'file:{}'}}, control: {{user: weir_control, password: 'file:{}'}}}}
{tables}",
        secret.display(),
        control.display()
    );
    let checked = load_text(&[("rules.yaml", &text)], &|_| None);
    checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems))
}

fn problems(server: &Server, tables: &str) -> Vec<String> {
    let rules = rules(server, tables);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut found: Vec<String> = runtime
        .block_on(inspect::check(&rules))
        .iter()
        .map(|problem| format!("{}: {}", problem.path, problem.message))
        .filter(|line| !line.starts_with("groups.g0.primary: ") || line.contains("can't"))
        .collect();
    found.sort();
    found
}

#[test]
fn drift_and_hazards_on_the_servers_are_named() {
    for server in support::shared_kinds() {
        let db = server.database();
        let tables = format!(
            "schemas:
  s:
    databases: {{g0: {db}}}
    tables:
      good: {{key: [{{column: id}}], algorithm: {{kind: modulo}}, shards: {{count: 2, databases: {db}, groups: [g0], tables: 'good_{{0}}'}}}}
      bad: {{key: [{{column: uid}}], algorithm: {{kind: modulo}}, shards: {{count: 4, databases: {db}, groups: [g0], tables: 'bad_{{0}}'}}}}
      text: {{key: [{{column: code, type: varchar(20), collation: utf8mb4_bin}}], algorithm: {{kind: hash}}, shards: {{count: 2, databases: {db}, groups: [g0], tables: 'text_{{0}}'}}}}
      gone: {{broadcast: true}}
"
        );
        let create = "(id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(20))";
        let bad = "(id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, userid BIGINT NOT NULL)";
        let text = "(code VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY)";
        let statements = [
            format!("CREATE TABLE {db}.good_0 {create}"),
            format!("CREATE TABLE {db}.good_1 {create}"),
            format!("CREATE TABLE {db}.bad_0 {bad}"),
            format!("CREATE TABLE {db}.bad_2 {}", bad.replace("userid BIGINT", "userid INT")),
            format!(
                "CREATE TRIGGER {db}.tr BEFORE INSERT ON {db}.bad_0 FOR EACH ROW SET NEW.userid = 1"
            ),
            format!("CREATE TABLE {db}.text_0 {text}"),
            format!("CREATE TABLE {db}.text_1 {text}"),
        ];
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        sql::execute(&server.url("root"), &statements).unwrap();
        let expected = [
            "schemas.s.tables.bad.key[0]: there is no column 'uid'".to_owned(),
            "schemas.s.tables.bad: 2 of 4 physical tables are missing: ".to_owned()
                + &format!("g0.{db}.bad_1, g0.{db}.bad_3"),
            "schemas.s.tables.bad: column 'id' is AUTO_INCREMENT: each shard would hand out the same numbers".to_owned(),
            format!("schemas.s.tables.bad: g0.{db}.bad_2 differs from g0.{db}.bad_0: column 'userid' is int instead of bigint"),
            "schemas.s.tables.bad: trigger 'tr' runs before each INSERT: it could change the shard key after the row was routed".to_owned(),
            "schemas.s.tables.bad: unique key 'PRIMARY' doesn't hold the whole shard key, so it is unique within each shard only".to_owned(),
            format!("schemas.s.tables.gone: 1 of 1 physical tables are missing: g0.{db}.gone"),
            "schemas.s.tables.text.key[0]: fold 'trim' keeps texts apart that utf8mb4_general_ci calls equal, so conditions on 'code' go to all shards".to_owned(),
        ];
        assert_eq!(problems(server, &tables), expected, "{server}");
    }
}

#[test]
fn a_server_that_is_not_there_is_one_problem_for_each_group() {
    let Some(server) = support::shared_kinds().into_iter().next() else { return };
    let mut rules =
        rules(server, "schemas: {s: {databases: {g0: x}, tables: {t: {broadcast: true}}}}");
    let group = weir::rules::group::Group::clone(&rules.groups[0]);
    let gone = weir::rules::group::Node {
        address: weir::rules::group::Address::Tcp { host: "127.0.0.1".into(), port: 1 },
        ..weir::rules::group::Node::clone(&group.primary)
    };
    rules.groups[0] = weir::rules::group::Group { primary: gone.into(), ..group }.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(inspect::check(&rules));
    let paths: Vec<String> = found.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(paths, ["groups.g0.primary", "groups.g0"]);
    assert!(found[0].message.contains("can't be used"), "{}", found[0].message);
}

#[test]
fn columns_that_cannot_hold_their_sequence_are_named() {
    for server in support::shared_kinds() {
        let db = server.database();
        let table = |name: &str, column: &str, kind: &str| {
            format!(
                "      {name}: {{key: [{{column: k}}], algorithm: {{kind: modulo}}, shards: {{count: 2, databases: {db}, groups: [g0], tables: '{name}_{{0}}'}}, sequence: {{column: {column}, kind: {kind}}}}}\n"
            )
        };
        let tables = format!(
            "schemas:\n  s:\n    databases: {{g0: {db}}}\n    tables:\n{}{}{}{}{}",
            table("fine", "id", "snowflake"),
            table("small", "id", "snowflake"),
            table("less", "id", "segment"),
            table("text", "id", "segment"),
            table("none", "di", "segment"),
        );
        let of = |name: &str, kind: &str| {
            [0, 1].map(|shard| {
                format!(
                    "CREATE TABLE {db}.{name}_{shard} (id {kind} NOT NULL PRIMARY KEY, k BIGINT)"
                )
            })
        };
        let all = [
            of("fine", "BIGINT"),
            of("small", "INT"),
            of("less", "INT"),
            of("text", "VARCHAR(20)"),
            of("none", "BIGINT"),
        ];
        let statements: Vec<&str> = all.iter().flatten().map(String::as_str).collect();
        sql::execute(&server.url("root"), &statements).unwrap();
        let found = problems(server, &tables);
        let found: Vec<&str> =
            found.iter().filter(|line| line.contains("sequence")).map(String::as_str).collect();
        assert_eq!(
            found,
            [
                "schemas.s.tables.less.sequence.column: column 'id' has 32 bits only",
                "schemas.s.tables.none.sequence.column: there is no column 'di'",
                "schemas.s.tables.small.sequence.column: column 'id' has 32 bits, and snowflake ids need 64",
                "schemas.s.tables.text.sequence.column: column 'id' is no integer, and a sequence's values are",
            ],
        );
    }
}

#[test]
fn what_transactions_over_groups_lack_is_named() {
    for server in support::shared_kinds() {
        let (port, db) = (server.port, server.database());
        let poor = format!("poor{}", std::process::id());
        sql::execute(
            &server.url("root"),
            &[
                &format!("CREATE USER {poor}@'%' IDENTIFIED BY 'poor'"),
                &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{db}`.* TO {poor}@'%'"),
            ],
        )
        .unwrap();
        let secret = reaper::directory("poor").join(port.to_string());
        std::fs::write(&secret, "poor\n").unwrap();
        let group = |name: &str| {
            format!(
                "  {name}: {{primary: {{address: '127.0.0.1:{port}'}}, accounts: {{data: {{user: {poor}, password: 'file:{}'}}}}}}\n",
                secret.display()
            )
        };
        let found = |transactions: &str| {
            let text = format!(
                "settings: {{commit_database: absent_{db}}}\ngroups:\n{}{}schemas:\n  s:\n    transactions: {transactions}\n    databases: {{g0: {db}, g1: {db}}}\n",
                group("g0"),
                group("g1"),
            );
            let checked = load_text(&[("rules.yaml", &text)], &|_| None);
            let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let problems = runtime.block_on(inspect::check(&rules));
            problems
                .iter()
                .map(|problem| format!("{}: {}", problem.path, problem.message))
                .collect::<Vec<_>>()
        };
        let problems = found("atomic");
        for what in ["weir_commit` is missing or closed", "doesn't see who waits for whose lock"] {
            for group in ["g0", "g1"] {
                let place = format!("groups.{group}.primary: ");
                let told =
                    problems.iter().any(|line| line.starts_with(&place) && line.contains(what));
                assert!(told, "{server}: {what}: {problems:#?}");
            }
        }
        let recover = problems.iter().any(|line| line.contains("may not list prepared branches"));
        assert_eq!(recover, server.kind == support::servers::Kind::MySql, "{problems:#?}");
        let waits = problems.iter().any(|line| line.contains("may not read lock waits"));
        assert_eq!(waits, server.kind == support::servers::Kind::MySql, "{problems:#?}");
        assert!(!found("single").iter().any(|line| line.contains("weir_commit")));
    }
}

/// And what the data account may not do with the tables.
#[test]
fn rights_that_clients_need_are_named() {
    for server in support::shared_kinds() {
        let (port, db) = (server.port, server.database());
        let poor = format!("less{}", std::process::id());
        let secret = reaper::directory("less").join(port.to_string());
        std::fs::write(&secret, "less\n").unwrap();
        sql::execute(
            &server.url("root"),
            &[
                &format!("CREATE TABLE {db}.there (id INT PRIMARY KEY)"),
                &format!("CREATE USER {poor}@'%' IDENTIFIED BY 'less'"),
                &format!("GRANT SELECT, DELETE ON `{db}`.* TO {poor}@'%'"),
            ],
        )
        .unwrap();
        // The first of the tables is not there.
        let text = format!(
            "groups:\n  g0: {{primary: {{address: '127.0.0.1:{port}'}}, accounts: {{data: {{user: {poor}, password: \
             'file:{}'}}}}}}\nschemas:\n  s: {{databases: {{g0: {db}}}, tables: {{absent: {{group: g0}}, there: {{group: g0}}}}}}\n",
            secret.display(),
        );
        let told = || {
            let checked = load_text(&[("rules.yaml", &text)], &|_| None);
            let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let problems = runtime.block_on(inspect::check(&rules));
            let lacks = problems.iter().filter(|problem| problem.message.contains(" lacks "));
            lacks.map(|problem| problem.message.clone()).collect::<Vec<_>>()
        };
        let expected =
            format!("the data account lacks INSERT, UPDATE, CREATE TEMPORARY TABLES on `{db}`");
        let first = told();
        assert!(first.len() == 1 && first[0].ends_with(&expected), "{server}: {first:#?}");
        let grant =
            format!("GRANT INSERT, UPDATE, CREATE TEMPORARY TABLES ON `{db}`.* TO {poor}@'%'");
        sql::execute(&server.url("root"), &[&grant]).unwrap();
        assert_eq!(told(), Vec::<String>::new(), "{server}");
        let rows = sql::query(&server.url("root"), &format!("SELECT COUNT(*) FROM {db}.there"));
        assert_eq!(rows.unwrap(), vec![vec!["0"]]);
    }
}

/// A data account that read_only wouldn't stop, also on a replica.
#[test]
fn rights_above_read_only_are_named() {
    for server in support::shared_kinds() {
        let (port, db) = (server.port, server.database());
        let mighty = format!("mighty{}", std::process::id());
        let secret = reaper::directory("mighty").join(port.to_string());
        std::fs::write(&secret, "mighty\n").unwrap();
        let create = format!("CREATE USER {mighty}@'%' IDENTIFIED BY 'mighty'");
        sql::execute(&server.url("root"), &[&create]).unwrap();
        let text = format!(
            "groups:\n  g0: {{primary: {{address: '127.0.0.1:{port}'}}, accounts: {{data: {{user: {mighty}, password: \
             'file:{}'}}}}}}\nschemas:\n  s: {{databases: {{g0: {db}}}}}\n",
            secret.display(),
        );
        let told = || {
            let checked = load_text(&[("rules.yaml", &text)], &|_| None);
            let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let problems = runtime.block_on(inspect::check(&rules));
            problems.iter().any(|problem| problem.message.ends_with("has SUPER on *.*"))
        };
        sql::execute(&server.url("root"), &[&format!("GRANT SELECT ON *.* TO {mighty}@'%'")])
            .unwrap();
        assert!(!told(), "{server}");
        sql::execute(&server.url("root"), &[&format!("GRANT SUPER ON *.* TO {mighty}@'%'")])
            .unwrap();
        assert!(told(), "{server}");
        sql::execute(&server.url("root"), &[&format!("DROP USER {mighty}@'%'")]).unwrap();
    }
}

/// What is said of a group's replication, with one replica.
fn said_of_replication(primary: &Server, replica: &Server) -> Vec<String> {
    let secret = reaper::directory("semi").join(primary.port.to_string());
    std::fs::write(&secret, "weir\n").unwrap();
    let text = format!(
        "groups:\n  g0: {{primary: {{address: '127.0.0.1:{}'}}, replicas: [{{name: r, address: '127.0.0.1:{}'}}], accounts: {{data: {{user: weir, password: 'file:{}'}}}}}}\n  g1: {{primary: {{address: '127.0.0.1:{}'}}, accounts: {{data: {{user: weir, password: 'file:{}'}}}}}}\nschemas:\n  s:\n    databases: {{g0: a, g1: b}}\n",
        primary.port,
        replica.port,
        secret.display(),
        primary.port,
        secret.display(),
    );
    let checked = load_text(&[("rules.yaml", &text)], &|_| None);
    let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said: Vec<String> = runtime
        .block_on(inspect::check(&rules))
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    said.into_iter().filter(|line| line.contains("commit") && line.contains("replica")).collect()
}

#[test]
fn replication_that_may_lose_commits_is_named() {
    use support::servers::{Kind, Options};
    for kind in [Kind::MariaDb, Kind::MySql] {
        let (Some(primary), Some(replica)) = (
            support::started(kind, Options::default()),
            support::started(kind, Options::default()),
        ) else {
            continue;
        };
        let (of_primary, of_replica) = match kind {
            Kind::MariaDb => ("master", "slave"),
            Kind::MySql => ("source", "replica"),
        };
        if kind == Kind::MySql {
            for (server, part) in [(&primary, of_primary), (&replica, of_replica)] {
                server.execute(&format!(
                    "INSTALL PLUGIN rpl_semi_sync_{part} SONAME 'semisync_{part}.so'"
                ));
            }
        }
        let set =
            |what: &str| primary.execute(&format!("SET GLOBAL rpl_semi_sync_{of_primary}_{what}"));
        let said = |part: &str| {
            let said = said_of_replication(&primary, &replica);
            assert!(said.len() == 1 && said[0].contains(part), "{kind:?}: {part}: {said:#?}");
        };
        replica.execute(&format!("SET GLOBAL rpl_semi_sync_{of_replica}_enabled = ON"));
        replica.replicate_from(&primary).unwrap();
        said("may lose the last commits");
        set("enabled = ON");
        set("wait_point = AFTER_COMMIT");
        said("may lose the last commits");
        set("wait_point = AFTER_SYNC");
        set("timeout = 1000");
        said("waits 1000 ms");
        set("timeout = 36000000");
        let said_last = said_of_replication(&primary, &replica);
        assert!(said_last.is_empty(), "{kind:?}: {said_last:#?}");
        // With nobody to wait for, a commit takes its timeout, and then none waits any more.
        set("timeout = 100");
        replica.stop().unwrap();
        primary.execute("CREATE DATABASE nobody_waits");
        said("wait for no replica at present");
    }
}

/// The settings of servers that statements depend on, and a primary that takes no writes.
#[test]
fn servers_that_differ_and_a_primary_that_is_read_only_are_named() {
    use support::servers::Kind;
    for kind in Kind::ALL {
        let of = |extra: &[&str]| support::started(kind, support::servers::Options::with(extra));
        let Some(good) = of(&[]) else { continue };
        let others = [
            "--sql-mode=ANSI_QUOTES",
            "--character-set-server=latin1",
            "--collation-server=latin1_german1_ci",
            "--default-time-zone=+05:00",
        ];
        let Some(other) = of(&others) else { continue };
        let secret = reaper::directory("settings").join(other.port.to_string());
        std::fs::write(&secret, "weir\n").unwrap();
        let control = secret.with_extension("control");
        std::fs::write(&control, "weir_control\n").unwrap();
        let group = |name: &str, server: &Server| {
            format!(
                "  {name}: {{primary: {{address: '127.0.0.1:{}'}}, accounts: {{data: {{user: weir, password: \
                 'file:{}'}}, control: {{user: weir_control, password: 'file:{}'}}}}}}\n",
                server.port,
                secret.display(),
                control.display()
            )
        };
        let told = |first: &Server, second: &Server| {
            let text = format!("groups:\n{}{}", group("g0", first), group("g1", second));
            let checked = load_text(&[("rules.yaml", &text)], &|_| None);
            let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let problems = runtime.block_on(inspect::check(&rules));
            problems
                .iter()
                .map(|problem| {
                    format!("{:?} {}: {}", problem.severity, problem.path, problem.message)
                })
                .collect::<Vec<_>>()
        };
        let has = |told: &[String], what: &str| {
            let there =
                told.iter().any(|line| line.contains("groups.g1.primary: ") && line.contains(what));
            assert!(there, "{kind}: {what}: {told:#?}");
        };
        let found = told(&good, &other);
        has(&found, "has no strict sql_mode");
        has(&found, "has sql_mode 'ANSI_QUOTES', other nodes have '");
        has(&found, "has collation_server 'latin1_german1_ci', other nodes have 'utf8mb4_");
        has(&found, "has time_zone '+05:00', other nodes have '");
        assert!(
            !found
                .iter()
                .any(|line| line.contains("groups.g0.primary: ") && line.contains("other nodes"))
        );
        let quiet = told(&good, &good);
        assert!(
            !quiet.iter().any(|line| line.contains("other nodes") || line.contains("read-only")),
            "{quiet:#?}"
        );
        good.execute("SET GLOBAL read_only = 1");
        let found = told(&other, &good);
        has(&found, "is read-only");
        assert!(
            found.iter().any(|line| line.starts_with("Error") && line.contains("is read-only")),
            "{found:#?}"
        );
    }
}

/// Two kinds of server in one set of rules.
#[test]
fn servers_of_two_kinds_are_named() {
    let servers = support::shared_kinds();
    let [first, second] = servers[..] else { return };
    let secret = reaper::directory("kinds").join("weir");
    std::fs::write(&secret, "weir\n").unwrap();
    let group = |name: &str, server: &Server| {
        format!(
            "  {name}: {{primary: {{address: '127.0.0.1:{}'}}, accounts: {{data: {{user: weir, password: 'file:{}'}}}}}}\n",
            server.port,
            secret.display()
        )
    };
    let text = format!("groups:\n{}{}", group("g0", first), group("g1", second));
    let checked = load_text(&[("rules.yaml", &text)], &|_| None);
    let rules = checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(inspect::check(&rules));
    let told = found.iter().any(|problem| {
        problem.message.contains(&second.version) && problem.message.contains("other nodes")
    });
    assert!(told, "{found:#?}");
}
