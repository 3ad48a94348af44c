//! Nothing of a transaction over groups is half done: what stored code writes unseen, schemas whose
//! `transactions` differ, an answer to COMMIT that is lost, and the rows that say what became of it.
//!
//! Owns: three groups on the shared servers of each kind, in databases of a test's own, and a Weir
//! that stops or dies at a step of a commit.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::proxy::{self, Proxy};
use crate::support::reaper;
use crate::support::rig::{self, Rig};
use crate::support::servers::Server;

const SOON: Duration = Duration::from_secs(20);
/// `transactions.rows_kept`, as short as the other times let it be.
const ROWS_KEPT: Duration = Duration::from_secs(8);

/// Three groups: g0 and g2 on the first server, g1 on the second.
pub(crate) struct World {
    pub(crate) rig: &'static Rig,
    pub(crate) proxy: Proxy,
    pub(crate) name: &'static str,
    pub(crate) failpoints: PathBuf,
}

fn rules(rig: &Rig, name: &str) -> String {
    let servers = [0, 1, 0].map(|server: usize| rig.groups[server].primary.address());
    let groups: String = servers
        .iter()
        .enumerate()
        .map(|(group, at)| format!("  g{group}: {{primary: {{address: \"{at}\"}}}}\n"))
        .collect();
    let schema = |schema: &str, mode: &str| {
        let shards: Vec<String> = (0..3)
            .map(|n| format!("{{group: g{n}, database: {name}{n}, table: {schema}}}"))
            .collect();
        format!(
            "  {schema}:\n    default_group: g0\n    transactions: {mode}\n    \
             databases: {{g0: {name}0, g1: {name}1, g2: {name}2}}\n    tables:\n      \
             acc: {{key: [{{column: id, type: bigint}}], algorithm: {{kind: modulo}}, \
             shards: {{list: [{}]}}}}\n",
            shards.join(", ")
        )
    };
    format!(
        "settings: {{deployment: {name}}}\ngroups:\n{groups}\
         group_defaults:\n  accounts:\n    data: {{user: weir, password: env:WEIR_DATA_PASSWORD}}\n    \
         control: {{user: weir_control, password: env:WEIR_CONTROL_PASSWORD}}\n  \
         tls: {{mode: preferred}}\n  pool: {{size: 20, wait: 5s}}\n\
         schemas:\n{}{}{}\
         users:\n  {user}: {{native: \"{verifier}\", schemas: [bank, loose, alone], rights: [read, write, ddl]}}\n",
        schema("bank", "atomic"),
        schema("loose", "best_effort"),
        schema("alone", "single"),
        user = proxy::USER,
        verifier = proxy::native_verifier(proxy::USER),
    )
}

fn options(rig: &Rig, name: &str, failpoints: &Path) -> proxy::Options {
    let directory = reaper::directory("rules");
    std::fs::write(directory.join("rules.yaml"), rules(rig, name)).expect("the rules");
    let mut env = rig.environment();
    env.push(("WEIR_FAILPOINTS".to_owned(), failpoints.display().to_string()));
    env.push(("WEIR_ROOT_PASSWORD".to_owned(), "root".to_owned()));
    let transactions = |line: &str| ("transactions", line.to_owned());
    proxy::Options {
        rules: directory,
        env,
        settings: vec![
            transactions("recover_every: 200ms"),
            transactions("recover_after: 1s"),
            transactions("outcome: 3s"),
            transactions("step: 1s"),
            transactions(&format!("rows_kept: {}s", ROWS_KEPT.as_secs())),
            ("listen", "workers: 1".to_owned()),
        ],
    }
}

impl World {
    pub(crate) fn start(rig: &'static Rig, name: &'static str) -> World {
        let failpoints = reaper::directory("failpoints");
        for group in 0..3 {
            let server = &rig.groups[[0, 1, 0][group]].primary;
            server.execute(&format!("DROP DATABASE IF EXISTS {name}{group}"));
            server.execute(&format!("CREATE DATABASE {name}{group}"));
            for table in ["bank", "loose", "alone"] {
                let table = format!("{name}{group}.{table}");
                server.execute(&format!(
                    "CREATE TABLE {table} (id BIGINT PRIMARY KEY, v INT NOT NULL)"
                ));
                server.execute(&format!("INSERT INTO {table} VALUES ({group}, 0)"));
            }
        }
        let proxy = Proxy::start(options(rig, name, &failpoints)).expect("Weir starts");
        World { rig, proxy, name, failpoints }
    }

    /// Another Weir of the same deployment, and its failpoints.
    pub(crate) fn another(&self) -> (Proxy, PathBuf) {
        self.another_edited(|text| text)
    }

    /// The same with other rules.
    pub(crate) fn another_edited(&self, edit: impl Fn(String) -> String) -> (Proxy, PathBuf) {
        let failpoints = reaper::directory("failpoints");
        let options = options(self.rig, self.name, &failpoints);
        let rules = options.rules.join("rules.yaml");
        let text = edit(std::fs::read_to_string(&rules).expect("the rules"));
        std::fs::write(&rules, text).expect("the edited rules");
        (Proxy::start(options).expect("another Weir starts"), failpoints)
    }

    pub(crate) fn server(&self, group: usize) -> &'static Server {
        &self.rig.groups[[0, 1, 0][group]].primary
    }

    pub(crate) async fn session(&self, schema: &str) -> Conn {
        Conn::new(Opts::from_url(&self.proxy.url(schema)).expect("a URL")).await.expect("a login")
    }

    pub(crate) fn arm(&self, step: &str, action: &str) {
        let _ = std::fs::remove_file(self.failpoints.join(format!("{step}.hit")));
        std::fs::write(self.failpoints.join(step), action).expect("armed");
    }

    /// Whether the step was passed since it was armed; it isn't armed any more.
    pub(crate) fn was_passed(&self, step: &str) -> bool {
        let _ = std::fs::remove_file(self.failpoints.join(step));
        self.failpoints.join(format!("{step}.hit")).exists()
    }

    /// The row of each group in a table, with its server's own word.
    pub(crate) fn rows(&self, table: &str) -> Vec<i64> {
        let row = |group: usize| {
            let text = format!("SELECT v FROM {}{group}.{table} WHERE id = {group}", self.name);
            self.server(group).query(&text).expect("a row")[0][0].parse().expect("a number")
        };
        (0..3).map(row).collect()
    }

    pub(crate) fn reset(&self) {
        for group in 0..3 {
            for table in ["bank", "loose", "alone"] {
                self.server(group)
                    .execute(&format!("UPDATE {}{group}.{table} SET v = 0", self.name));
            }
        }
    }

    /// Branches of this deployment that are prepared.
    pub(crate) fn prepared(&self) -> usize {
        let own = format!("weir:{}:", self.name);
        let ask = |server: usize| self.server(server).query("XA RECOVER").expect("rows");
        (0..2).flat_map(ask).filter(|row| row[3].starts_with(&own)).count()
    }

    pub(crate) fn wait_resolved(&self) {
        let start = Instant::now();
        while self.prepared() > 0 {
            assert!(start.elapsed() < SOON, "{}", self.proxy.log_tail());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the connection that a session has to a group.
    pub(crate) async fn kill(&self, conn: &mut Conn, group: usize) {
        let ask = format!("SELECT @@pseudo_thread_id FROM bank.acc WHERE id = {group}");
        let id: u64 = conn.query_first(ask).await.expect("the variable").expect("a row");
        self.server(group).execute(&format!("KILL CONNECTION {id}"));
    }

    /// The commit rows of this deployment on a group's server.
    pub(crate) fn commit_rows(&self, group: usize) -> Vec<String> {
        let text = format!("SELECT id FROM weir.weir_commit WHERE id LIKE 'weir:{}:%'", self.name);
        let rows = self.server(group).query(&text).expect("rows");
        rows.into_iter().map(|row| row[0].clone()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.proxy.signal("KILL");
        for group in 0..3 {
            // What a failed test left locks the table.
            if !std::thread::panicking() {
                let text = format!("DROP DATABASE IF EXISTS {}{group}", self.name);
                self.server(group).execute(&text);
            }
        }
    }
}

/// A world on each kind of server that can be had, all at once.
pub(crate) fn on_each(name: &'static str, check: impl AsyncFn(&World) + Sync) {
    std::thread::scope(|scope| {
        for rig in rig::shared_kinds() {
            let check = &check;
            scope.spawn(move || {
                let world = World::start(rig, name);
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .worker_threads(2)
                    .build()
                    .expect("a runtime");
                runtime.block_on(check(&world));
            });
        }
    });
}

pub(crate) async fn run(conn: &mut Conn, statements: &[&str]) -> Result<(), String> {
    for &text in statements {
        conn.query_drop(text).await.map_err(|error| format!("{text}: {error}"))?;
    }
    Ok(())
}

pub(crate) fn add(schema: &str, group: usize) -> String {
    format!("UPDATE {schema}.acc SET v = v + 1 WHERE id = {group}")
}

/// A view whose function adds to g0's row of `alone`, which no statement names.
fn make_unseen(world: &World) {
    let (server, name) = (world.server(0), world.name);
    server.execute(&format!(
        "CREATE FUNCTION {name}0.bump() RETURNS INT DETERMINISTIC MODIFIES SQL DATA \
         BEGIN UPDATE {name}0.alone SET v = v + 1; RETURN 1; END"
    ));
    server.execute(&format!("CREATE VIEW {name}0.inner_view AS SELECT {name}0.bump() AS n"));
    server.execute(&format!("CREATE VIEW {name}0.unseen AS SELECT * FROM {name}0.inner_view"));
}

const UNSEEN: &str = "SELECT * FROM unseen";

#[test]
fn what_stored_code_writes_unseen_is_part_of_the_commit() {
    on_each("unseen", async |world| {
        make_unseen(world);
        let (one, two) = (add("bank", 1), add("bank", 2));
        // The reading group as the anchor, as a branch, and with one writer or two; the groups that
        // write, and the one whose connection dies.
        let cases: [(&[&str], &[usize], usize); 4] = [
            (&[&one, UNSEEN, &two], &[1, 2], 2),
            (&[&one, UNSEEN, &two], &[1, 2], 1),
            (&[UNSEEN, &one], &[1], 1),
            (&[&one, UNSEEN], &[1], 1),
        ];
        for (statements, groups, dies) in cases {
            let what =
                format!("{}: {statements:?}, g{dies} dies", world.rig.groups[0].primary.kind);
            let whole: Vec<i64> = (0..3).map(|group| i64::from(groups.contains(&group))).collect();
            let check = |done: bool| {
                world.wait_resolved();
                let rows = if done { whole.clone() } else { vec![0; 3] };
                assert_eq!(world.rows("bank"), rows, "{what}");
                assert_eq!(world.rows("alone")[0], i64::from(done), "{what}: unseen");
                world.reset();
            };
            let begun = async || {
                let mut conn = world.session("bank").await;
                run(&mut conn, &["BEGIN"]).await.expect("BEGIN");
                run(&mut conn, statements).await.expect("its statements");
                conn
            };
            for (end, done) in [("ROLLBACK", false), ("COMMIT", true)] {
                let mut conn = begun().await;
                run(&mut conn, &[end]).await.expect("an end");
                check(done);
            }
            // A group is lost before COMMIT.
            let mut conn = begun().await;
            world.kill(&mut conn, dies).await;
            run(&mut conn, &["COMMIT"]).await.expect_err("a group is gone");
            check(false);
            // The proxy is lost within COMMIT, before the decision and after it.
            for (step, done) in [("commit.prepared", false), ("commit.decided", true)] {
                world.arm(step, "kill");
                let mut conn = begun().await;
                run(&mut conn, &["COMMIT"]).await.expect_err("its Weir dies");
                world.proxy.wait(SOON).expect("it is gone");
                world.proxy.launch().expect("it starts again");
                check(done);
            }
        }
    });
}

#[test]
fn a_group_that_only_read_takes_no_part_in_the_commit() {
    on_each("readers", async |world| {
        make_unseen(world);
        let mut conn = world.session("bank").await;
        for read in
            ["SELECT v FROM acc WHERE id = 0", "SELECT GREATEST(v, 1) FROM acc WHERE id = 0"]
        {
            for turned in [false, true] {
                let mut statements = vec![read.to_owned(), add("bank", 1)];
                if turned {
                    statements.reverse();
                }
                world.arm("commit.prepared", "pause 0");
                run(&mut conn, &["BEGIN", &statements[0], &statements[1], "COMMIT"])
                    .await
                    .expect("a transaction");
                assert!(
                    !world.was_passed("commit.prepared"),
                    "{statements:?}: one phase is enough"
                );
            }
        }
        // A statement that the server refused wrote nothing, whatever it had begun.
        world.arm("commit.prepared", "pause 0");
        run(&mut conn, &["BEGIN", &add("bank", 1)]).await.expect("a transaction");
        run(&mut conn, &["SELECT nosuch FROM unseen"]).await.expect_err("no such column");
        run(&mut conn, &["COMMIT"]).await.expect("a commit");
        world.was_passed("commit.prepared");
        assert_eq!((world.rows("bank")[1], world.rows("alone")[0]), (5, 0));
        // The next transaction over the same connection knows nothing of the one before.
        run(&mut conn, &["BEGIN", UNSEEN, &add("bank", 1), "COMMIT"]).await.expect("a commit");
        world.arm("commit.prepared", "pause 0");
        let read = "SELECT v FROM acc WHERE id = 0";
        run(&mut conn, &["BEGIN", read, &add("bank", 1), "COMMIT"]).await.expect("a commit");
        assert!(!world.was_passed("commit.prepared"));
        conn.disconnect().await.expect("an end");
    });
}

#[test]
fn best_effort_commits_what_stored_code_wrote_unseen() {
    on_each("loosely", async |world| {
        make_unseen(world);
        let mut conn = world.session("loose").await;
        run(&mut conn, &["BEGIN", &add("loose", 1), UNSEEN, "COMMIT"]).await.expect("a commit");
        assert_eq!((world.rows("loose")[1], world.rows("alone")[0]), (1, 1));
        conn.disconnect().await.expect("an end");
    });
}

#[test]
fn best_effort_says_which_groups_have_committed() {
    on_each("partly", async |world| {
        let mut conn = world.session("loose").await;
        run(&mut conn, &["BEGIN", &add("loose", 0), &add("loose", 1)]).await.expect("a start");
        world.kill(&mut conn, 1).await;
        let told = run(&mut conn, &["COMMIT"]).await.expect_err("the second is gone");
        assert!(told.contains("[weir:commit_partial]"), "{told}");
        assert!(told.contains("committed on group 'g0'"), "{told}");
        assert_eq!(world.rows("loose")[..2], [1, 0]);
        drop(conn);
    });
}

#[test]
fn the_strictest_schema_says_how_a_transaction_is_committed() {
    on_each("strictest", async |world| {
        let adds = |what: &[(&str, usize)]| -> Vec<String> {
            what.iter().map(|(schema, group)| add(schema, *group)).collect()
        };
        let both =
            "UPDATE bank.acc a JOIN loose.acc b ON a.id = b.id SET a.v = a.v + 1, b.v = b.v + 1";
        // The session's schema, what it changes in which groups, and whether that is two-phase.
        let cases: [(&str, Vec<String>, bool); 7] = [
            ("loose", adds(&[("loose", 0), ("loose", 1)]), false),
            ("bank", adds(&[("loose", 0), ("loose", 1), ("bank", 2), ("bank", 0)]), true),
            ("loose", adds(&[("bank", 0), ("loose", 1), ("bank", 2)]), true),
            ("loose", adds(&[("loose", 0), ("bank", 1), ("loose", 2)]), true),
            ("loose", vec!["UPDATE loose.acc SET v = v + 1".to_owned()], false),
            ("loose", vec!["UPDATE bank.acc SET v = v + 1".to_owned()], true),
            ("loose", vec![both.to_owned()], true),
        ];
        for (schema, statements, atomic) in cases {
            let mut conn = world.session(schema).await;
            world.arm("commit.prepared", "pause 0");
            run(&mut conn, &["BEGIN"]).await.expect("BEGIN");
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            run(&mut conn, &statements).await.expect("its statements");
            run(&mut conn, &["COMMIT"]).await.expect("a commit");
            assert_eq!(world.was_passed("commit.prepared"), atomic, "{schema}: {statements:?}");
            conn.disconnect().await.expect("an end");
        }
        world.reset();

        // Too late for XA: the write is refused, and the transaction goes on without it.
        let mut conn = world.session("loose").await;
        run(&mut conn, &["BEGIN", &add("loose", 0), &add("loose", 1)]).await.expect("a start");
        for group in 0..3 {
            let refused = run(&mut conn, &[&add("bank", group)]).await.expect_err("too late");
            assert!(refused.contains("transaction_best_effort"), "{refused}");
        }
        let read = "SELECT v FROM bank.acc WHERE id IN (0, 1, 2)";
        run(&mut conn, &[read, &add("loose", 2), "COMMIT"]).await.expect("a commit");
        assert_eq!((world.rows("loose"), world.rows("bank")), (vec![1; 3], vec![0; 3]));

        // What is said of one group holds for the whole transaction.
        run(&mut conn, &["BEGIN", &add("alone", 0)]).await.expect("a start");
        let refused = run(&mut conn, &[&add("bank", 1)]).await.expect_err("a second group");
        assert!(refused.contains("transaction_second_group"), "{refused}");
        run(&mut conn, &["COMMIT", "BEGIN", &add("bank", 0), &add("bank", 1)])
            .await
            .expect("a start");
        let refused = run(&mut conn, &[&add("alone", 0)]).await.expect_err("a second group");
        assert!(refused.contains("transaction_second_group"), "{refused}");
        run(&mut conn, &["SELECT v FROM alone.acc WHERE id = 0", "COMMIT"])
            .await
            .expect("a commit");
        assert_eq!((world.rows("alone"), world.rows("bank")), (vec![1, 0, 0], vec![1, 1, 0]));
        conn.disconnect().await.expect("an end");
    });
}

#[test]
fn a_commit_row_stays_while_a_branch_of_it_is_prepared_anywhere() {
    on_each("clearing", async |world| {
        let mut conn = world.session("bank").await;
        run(&mut conn, &["BEGIN", &add("bank", 0), &add("bank", 1), "COMMIT"])
            .await
            .expect("a commit");
        let rows = world.commit_rows(0);
        let [kept] = rows.as_slice() else { panic!("one row: {rows:?}") };
        // As a primary has it that was promoted without the end of the commit. Its id names no commit
        // table, so that recovery leaves it alone.
        let branch = format!("'{kept}','0000000000000001:1:1:g0',1464158550");
        let mut owner = Conn::new(Opts::from_url(&world.server(1).url("root")).expect("a URL"))
            .await
            .expect("a login");
        let insert = format!("INSERT INTO {}1.bank VALUES (99, 0)", world.name);
        let prepare = [format!("XA START {branch}"), insert, format!("XA END {branch}")];
        for text in prepare.iter().chain([&format!("XA PREPARE {branch}")]) {
            owner.query_drop(text).await.expect("a branch");
        }
        assert_eq!(world.prepared(), 1);
        run(&mut conn, &["BEGIN", &add("bank", 0), &add("bank", 1), "COMMIT"])
            .await
            .expect("a commit");
        assert_eq!(world.commit_rows(0).len(), 2);
        let gone = |left: usize| {
            let start = Instant::now();
            while world.commit_rows(0).len() > left {
                assert!(start.elapsed() < ROWS_KEPT + SOON, "{}", world.proxy.log_tail());
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        // The other one goes, and this one has had twice its time.
        gone(1);
        std::thread::sleep(ROWS_KEPT);
        assert_eq!(world.commit_rows(0), [kept.as_str()]);
        owner.query_drop(format!("XA ROLLBACK {branch}")).await.expect("a rollback");
        gone(0);
        owner.disconnect().await.expect("an end");
        conn.disconnect().await.expect("an end");
    });
}

#[test]
fn a_lost_answer_to_commit_is_found_out() {
    on_each("answers", async |world| {
        // The anchor's connection dies before its COMMIT, and behind it.
        for (step, done) in [("commit.prepared", false), ("commit.decided", true)] {
            let mut conn = world.session("bank").await;
            run(&mut conn, &["BEGIN", &add("bank", 0), &add("bank", 1)]).await.expect("a start");
            let ask = "SELECT @@pseudo_thread_id FROM acc WHERE id = 0";
            let id: u64 = conn.query_first(ask).await.expect("the variable").expect("a row");
            world.arm(step, "pause 1000");
            let commit = tokio::spawn(async move {
                let outcome = run(&mut conn, &["COMMIT"]).await;
                drop(conn.disconnect().await);
                outcome
            });
            let start = Instant::now();
            while !world.failpoints.join(format!("{step}.hit")).exists() {
                assert!(start.elapsed() < SOON, "{step} isn't reached");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            world.server(0).execute(&format!("KILL CONNECTION {id}"));
            let outcome = commit.await.expect("no panic");
            match &outcome {
                Ok(()) => assert!(done, "{step}"),
                Err(error) => {
                    assert!(!done, "{step}: {error}");
                    assert!(error.contains("rolled back in all its groups"), "{error}");
                    assert!(error.contains("[weir:commit_rolled_back]"), "{error}");
                }
            }
            world.wait_resolved();
            let rows = if done { vec![1, 1, 0] } else { vec![0; 3] };
            assert_eq!(world.rows("bank"), rows, "{step}: {outcome:?}");
            world.reset();
        }

        // Nobody can be asked until the deadline: the id is told, under which the branch is found.
        let mut conn = world.session("bank").await;
        run(&mut conn, &["BEGIN", &add("bank", 0), &add("bank", 1)]).await.expect("a start");
        let ask = "SELECT @@pseudo_thread_id FROM acc WHERE id = 0";
        let id: u64 = conn.query_first(ask).await.expect("the variable").expect("a row");
        world.arm("commit.prepared", "pause 1000");
        let commit = tokio::spawn(async move {
            let outcome = run(&mut conn, &["COMMIT"]).await;
            drop(conn.disconnect().await);
            outcome
        });
        while !world.failpoints.join("commit.prepared.hit").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let rows = world.server(1).query("XA RECOVER").expect("rows");
        let own = format!("weir:{}:", world.name);
        let branch = rows.iter().find(|row| row[3].starts_with(&own)).expect("a branch").clone();
        world.server(0).execute(&format!("KILL CONNECTION {id}"));
        // Whoever asks waits for this lock.
        let mut lock = Conn::new(Opts::from_url(&world.server(0).url("root")).expect("a URL"))
            .await
            .expect("a login");
        let key = &branch[3][..branch[1].parse::<usize>().expect("a length")];
        let row = format!(
            "INSERT INTO weir.weir_commit (id, verdict, connection, members, at) VALUES ('{key}', 'A', 0, '', 0)"
        );
        lock.query_drop("BEGIN").await.expect("BEGIN");
        lock.query_drop(&row).await.expect("a lock");
        let told = commit.await.expect("no panic").expect_err("nobody knows");
        assert!(told.contains("is unknown") && told.contains(key), "{told}");
        assert_eq!(world.prepared(), 1);
        lock.query_drop("ROLLBACK").await.expect("an end");
        world.wait_resolved();
        assert_eq!(world.rows("bank"), [0; 3]);
        // Its locks are gone, too: it was the branch itself that recovery reached.
        let text = format!("SELECT v FROM {}1.bank WHERE id = 1 FOR UPDATE NOWAIT", world.name);
        assert_eq!(world.server(1).query(&text).expect("no lock"), [["0"]]);
        lock.disconnect().await.expect("an end");
    });
}

#[test]
fn what_commits_by_itself_commits_every_group() {
    on_each("implied", async |world| {
        let statements = [
            "TRUNCATE TABLE loose.acc",
            "ALTER TABLE loose.acc COMMENT = 'x'",
            "ANALYZE TABLE loose.acc",
            "START TRANSACTION",
            "SET autocommit = 1",
            "COMMIT RELEASE",
        ];
        for text in statements {
            let mut conn = world.session("bank").await;
            let start = if text.starts_with("SET") { "SET autocommit = 0" } else { "BEGIN" };
            run(&mut conn, &[start, &add("bank", 0), &add("bank", 1)]).await.expect("a start");
            world.arm("commit.prepared", "pause 0");
            run(&mut conn, &[text]).await.expect("it commits");
            assert!(world.was_passed("commit.prepared"), "{text}");
            assert_eq!(world.rows("bank"), [1, 1, 0], "{text}");
            // What follows is another transaction, or nobody's.
            let next = run(&mut conn, &["ROLLBACK"]).await;
            assert_eq!(next.is_err(), text.ends_with("RELEASE"), "{text}: {next:?}");
            drop(conn.disconnect().await);
            assert_eq!(world.rows("bank"), [1, 1, 0], "{text}");
            // TRUNCATE left none of the other table's rows.
            world.reset();
        }
    });
}

/// What a stored function writes in a consistent read in autocommit stays, as it does in any other.
#[test]
fn what_a_consistent_read_writes_unseen_stays() {
    on_each("kept", async |world| {
        for group in 0..3 {
            world.server(group).execute(&format!(
                "CREATE FUNCTION kept{group}.bump(n BIGINT) RETURNS BIGINT DETERMINISTIC MODIFIES SQL DATA \
                 BEGIN UPDATE kept{group}.loose SET v = v + 1; RETURN n; END"
            ));
        }
        let mut conn = world.session("bank").await;
        for sql in [
            "SELECT id, bump(id) FROM acc ORDER BY id",
            "SELECT SUM(bump(id)) FROM acc",
            "SELECT a.id, bump(a.id) FROM acc a JOIN acc b ON b.v = a.v AND b.id = 0",
            "SET @x = (SELECT SUM(bump(id)) FROM acc)",
            "SELECT SUM(bump(id)) INTO @x FROM acc",
        ] {
            for consistent in [0, 1] {
                world.reset();
                conn.query_drop(format!("SET weir_consistent_reads = {consistent}")).await.unwrap();
                conn.query_drop(sql).await.unwrap();
                let calls: i64 = world.rows("loose").into_iter().sum();
                assert_eq!(calls, 3, "{} {consistent} {sql}", world.server(0));
            }
            // What fails takes it back.
            world.reset();
            let fails = sql.replacen("bump(", "(SELECT 1 UNION SELECT 2) + bump(", 1);
            assert!(conn.query_drop(&fails).await.is_err(), "{fails}");
            assert_eq!(world.rows("loose"), [0, 0, 0], "{} {fails}", world.server(0));
        }
    });
}
