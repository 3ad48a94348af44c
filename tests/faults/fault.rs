//! The faults.
//!
//! Owns: striking and healing. A step of the protocol is met by a failpoint of one Weir: it is
//! killed there, or pauses there while a server is harmed.

use std::time::{Duration, Instant};

use crate::faults::world::{GROUPS, World};
use crate::support::dice::Dice;

/// Steps of a COMMIT over groups, as `transaction::conclude` names them.
pub const STEPS: [&str; 4] = ["commit.begin", "commit.prepared", "commit.decided", "commit.over"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// SIGKILL of one Weir at a step; it comes back later.
    KillProxy(&'static str),
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
        all.extend([
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

    /// Strikes and heals; everything works again when it returns.
    pub fn strike(self, world: &World, dice: &mut Dice) -> Result<(), String> {
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
                let cutter = &world.cutters[dice.below(GROUPS as u64) as usize];
                cutter.set_deaf(true);
                std::thread::sleep(Duration::from_millis(1000 + dice.below(4000)));
                cutter.set_deaf(false);
                Ok(())
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
                server.execute_all(&[&format!(
                    "CREATE TRIGGER {LOG}_full BEFORE INSERT ON {LOG} FOR EACH ROW \
                     SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'no room'"
                )])?;
                std::thread::sleep(Duration::from_millis(500 + dice.below(2500)));
                server.execute_all(&[&format!("DROP TRIGGER {LOG}_full")])
            }
        }
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
