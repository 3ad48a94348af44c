//! The faults.
//!
//! Owns: striking and healing, and what each must come to besides what the judge asks of all. A step of the protocol is met by a failpoint of one Weir: it is
//! killed there, or pauses there while a server is harmed.

use std::time::{Duration, Instant};

use crate::faults::probe::{self, Probe};
use crate::faults::world::{GROUPS, World};
use crate::support::dice::Dice;

/// Steps of a COMMIT over groups, as `transaction::conclude` names them.
pub const STEPS: [&str; 6] = [
    "commit.begin",
    "prepare.first",
    "commit.prepared",
    "commit.decided",
    "commit.first",
    "commit.over",
];
/// Steps of recovery.
pub const RECOVERY: [&str; 2] = ["recover.asked", "recover.first"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// SIGKILL of one Weir at a step; it comes back later.
    KillProxy(&'static str),
    /// SIGKILL of one Weir at a step; it doesn't come back before the other one has resolved what it left.
    LoseProxy(&'static str),
    /// SIGKILL of one Weir with prepared branches, and of the one that recovers them at a step.
    KillRecoverer(&'static str),
    /// Transactions in rings, through both Weirs.
    Deadlock,
    /// SIGKILL of a server while a commit stands at a step.
    KillServer(&'static str),
    /// SIGSTOP of one Weir at a step, for longer than recovery waits.
    FreezeProxy(&'static str),
    /// SIGSTOP of a server.
    FreezeServer,
    /// Connections are cut between packets.
    Cut,
    /// One server hears and says nothing for a while, though nothing is closed.
    Deaf,
    /// A server has no connection left.
    Full,
    /// KILL of Weir's connections on a server.
    KillConnections,
    /// The account may hold no more than a few connections on a server.
    UserLimit,
    /// A server takes no writes, as a demoted primary does.
    ReadOnly,
    /// A server's commit table takes no row, as on a full disk; everything else goes on.
    LogFull,
}

impl Fault {
    pub fn all() -> Vec<Fault> {
        let mut all = vec![Fault::None];
        for step in STEPS {
            all.extend([Fault::KillProxy(step), Fault::KillServer(step), Fault::FreezeProxy(step)]);
        }
        all.extend(RECOVERY.map(Fault::KillRecoverer));
        all.extend([
            Fault::LoseProxy("commit.prepared"),
            Fault::LoseProxy("commit.decided"),
            Fault::Deadlock,
            Fault::FreezeServer,
            Fault::Cut,
            Fault::Deaf,
            Fault::Full,
            Fault::KillConnections,
            Fault::UserLimit,
            Fault::ReadOnly,
            Fault::LogFull,
        ]);
        all
    }

    pub fn name(self) -> String {
        match self {
            Fault::None => "nothing".to_owned(),
            Fault::KillProxy(step) => format!("kill-proxy@{step}"),
            Fault::LoseProxy(step) => format!("lose-proxy@{step}"),
            Fault::KillRecoverer(step) => format!("kill-recoverer@{step}"),
            Fault::Deadlock => "deadlock".to_owned(),
            Fault::KillServer(step) => format!("kill-server@{step}"),
            Fault::FreezeProxy(step) => format!("freeze-proxy@{step}"),
            Fault::FreezeServer => "freeze-server".to_owned(),
            Fault::Cut => "cut".to_owned(),
            Fault::Deaf => "deaf".to_owned(),
            Fault::Full => "full".to_owned(),
            Fault::KillConnections => "kill-connections".to_owned(),
            Fault::UserLimit => "user-limit".to_owned(),
            Fault::ReadOnly => "read-only".to_owned(),
            Fault::LogFull => "log-full".to_owned(),
        }
    }

    /// What it must come to.
    pub fn criterion(self) -> Criterion {
        let row = |row, says| Criterion { row, says, ..Criterion::default() };
        let half_a_minute = Duration::from_secs(30);
        match self {
            Fault::KillServer(_) => Criterion {
                resolved: half_a_minute,
                ..row(1, "no branch is prepared 30 s after the server is back")
            },
            Fault::KillProxy(_) | Fault::KillRecoverer(_) => {
                row(2, "all or nothing, whatever step it died at")
            }
            Fault::LoseProxy(_) => row(3, "the other Weir alone resolves within 60 s"),
            Fault::KillConnections => Criterion {
                answers: true,
                ..row(
                    4,
                    "each failure is an error with its number, the session goes on or is told that it ends",
                )
            },
            Fault::Deaf => Criterion {
                resolved: half_a_minute,
                ..row(5, "statements of other groups go on, no branch is prepared 30 s after")
            },
            Fault::Full | Fault::UserLimit => Criterion {
                answers: true,
                ..row(13, "each failure is an error with its number, it heals by itself")
            },
            Fault::LogFull => row(15, "statements of one group go on, it heals by itself"),
            Fault::Deadlock => row(34, "one of two gets 1213 within 4 s, the other commits"),
            _ => Criterion::default(),
        }
    }

    /// Strikes and heals; everything works again when it returns. `number` is the run's.
    ///
    /// # Errors
    /// It couldn't strike, or what must go on meanwhile didn't.
    pub fn strike(self, world: &World, number: u64, dice: &mut Dice) -> Result<(), String> {
        let proxy = dice.below(2) as usize;
        let server = &world.servers[dice.below(GROUPS as u64) as usize];
        match self {
            Fault::None => Ok(()),
            Fault::KillProxy(step) => {
                arm(world, proxy, step, "kill")?;
                wait_hit(world, proxy, step)?;
                world.proxies[proxy].wait(Duration::from_secs(5))?;
                std::thread::sleep(Duration::from_millis(500));
                world.proxies[proxy].launch()
            }
            Fault::LoseProxy(step) => {
                arm(world, proxy, step, "kill")?;
                wait_hit(world, proxy, step)?;
                world.proxies[proxy].wait(Duration::from_secs(5))?;
                let left = world.prepared()?;
                let resolved = world.wait_gone(Duration::from_secs(60), |id| left.contains(id));
                world.proxies[proxy].launch()?;
                resolved.map_err(|left| format!("the other Weir left branches: {left}"))
            }
            Fault::KillRecoverer(step) => {
                let other = 1 - proxy;
                arm(world, other, step, "kill")?;
                arm(world, proxy, "commit.prepared", "kill")?;
                wait_hit(world, proxy, "commit.prepared")?;
                wait_hit(world, other, step)?;
                for one in [proxy, other] {
                    world.proxies[one].wait(Duration::from_secs(5))?;
                    world.proxies[one].launch()?;
                }
                Ok(())
            }
            Fault::Deadlock => probe::deadlocks(world, number),
            Fault::KillServer(step) => {
                arm(world, proxy, step, "pause 800")?;
                wait_hit(world, proxy, step)?;
                server.kill9()?;
                std::thread::sleep(Duration::from_millis(500 + dice.below(1000)));
                server.restart()
            }
            Fault::FreezeProxy(step) => {
                arm(world, proxy, step, "pause 300")?;
                wait_hit(world, proxy, step)?;
                world.proxies[proxy].signal("STOP")?;
                std::thread::sleep(Duration::from_millis(3500 + dice.below(1500)));
                world.proxies[proxy].signal("CONT")
            }
            Fault::FreezeServer => {
                server.freeze()?;
                std::thread::sleep(Duration::from_millis(1000 + dice.below(4000)));
                server.thaw()
            }
            Fault::Cut => {
                for _ in 0..12 {
                    let cutter = &world.cutters[dice.below(GROUPS as u64) as usize];
                    cutter.cut_after(dice.below(40));
                    let start = Instant::now();
                    while !cutter.has_cut() && start.elapsed() < Duration::from_millis(500) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                Ok(())
            }
            Fault::Deaf => {
                let deaf = dice.below(GROUPS as u64) as usize;
                let others = (0..GROUPS).filter(|group| *group != deaf).collect();
                let probe = Probe::start(world, number, others)?;
                world.cutters[deaf].set_deaf(true);
                std::thread::sleep(Duration::from_millis(1000 + dice.below(4000)));
                world.cutters[deaf].set_deaf(false);
                probe.stop(world, number)
            }
            Fault::Full => {
                // Over one connection: there is no room for a second one.
                crate::support::sql::blocking(&server.url("root"), async |conn| {
                    use mysql_async::prelude::Queryable;
                    let wrong = |error: mysql_async::Error| error.to_string();
                    let ids: Vec<u64> = conn
                        .query("SELECT id FROM information_schema.processlist WHERE user = 'weir'")
                        .await
                        .map_err(wrong)?;
                    conn.query_drop("SET GLOBAL max_connections = 10").await.map_err(wrong)?;
                    for id in ids {
                        let _ = conn.query_drop(format!("KILL {id}")).await;
                    }
                    tokio::time::sleep(Duration::from_millis(1500)).await;
                    conn.query_drop("SET GLOBAL max_connections = 600").await.map_err(wrong)
                })
            }
            Fault::KillConnections => {
                for _ in 0..5 {
                    kill_connections(server)?;
                    std::thread::sleep(Duration::from_millis(150));
                }
                Ok(())
            }
            Fault::UserLimit => {
                server.execute_all(&["ALTER USER weir@'%' WITH MAX_USER_CONNECTIONS 5"])?;
                kill_connections(server)?;
                std::thread::sleep(Duration::from_millis(1500));
                server.execute_all(&["ALTER USER weir@'%' WITH MAX_USER_CONNECTIONS 0"])
            }
            Fault::ReadOnly => {
                server.execute_all(&["SET GLOBAL read_only = 1"])?;
                std::thread::sleep(Duration::from_millis(500 + dice.below(2500)));
                server.execute_all(&["SET GLOBAL read_only = 0"])
            }
            Fault::LogFull => {
                let probe = Probe::start(world, number, (0..GROUPS).collect())?;
                server.execute_all(&[&format!(
                    "CREATE TRIGGER {LOG}_full BEFORE INSERT ON {LOG} FOR EACH ROW \
                     SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'no room'"
                )])?;
                std::thread::sleep(Duration::from_millis(500 + dice.below(2500)));
                server.execute_all(&[&format!("DROP TRIGGER {LOG}_full")])?;
                probe.stop(world, number)
            }
        }
    }
}

/// What a fault must come to besides what is asked of all: everything acknowledged is there, nothing
/// half, and commits over all groups work again by themselves.
#[derive(Debug)]
pub struct Criterion {
    /// Of the fault catalogue; 0 for none.
    row: u32,
    says: &'static str,
    /// No branch is prepared for longer than this after the heal.
    pub resolved: Duration,
    /// Each failure is an error with its number, and its session goes on unless that says that it ends.
    pub answers: bool,
}

impl Default for Criterion {
    fn default() -> Self {
        Criterion { row: 0, says: "", resolved: Duration::from_secs(60), answers: false }
    }
}

impl Criterion {
    /// For the line of a run.
    pub fn text(&self) -> String {
        if self.row == 0 { String::new() } else { format!(" [{}: {}]", self.row, self.says) }
    }
}

/// The commit table, where the rules name no other database.
const LOG: &str = "weir.weir_commit";

fn kill_connections(server: &crate::support::servers::Server) -> Result<(), String> {
    let rows = server.query("SELECT id FROM information_schema.processlist WHERE user = 'weir'")?;
    for row in rows {
        // It may have gone by itself.
        let _ = server.execute_all(&[&format!("KILL {}", row[0])]);
    }
    Ok(())
}

fn arm(world: &World, proxy: usize, step: &str, action: &str) -> Result<(), String> {
    let directory = &world.failpoints[proxy];
    let _ = std::fs::remove_file(directory.join(format!("{step}.hit")));
    // Written aside, so that it is never found half written.
    let aside = directory.join("aside");
    std::fs::write(&aside, action).map_err(|error| error.to_string())?;
    std::fs::rename(aside, directory.join(step)).map_err(|error| error.to_string())
}

fn wait_hit(world: &World, proxy: usize, step: &str) -> Result<(), String> {
    let hit = world.failpoints[proxy].join(format!("{step}.hit"));
    let start = Instant::now();
    while !hit.exists() {
        if start.elapsed() > Duration::from_secs(15) {
            let _ = std::fs::remove_file(world.failpoints[proxy].join(step));
            return Err(format!("no commit came to {step}: {}", world.proxies[proxy].log_tail()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
