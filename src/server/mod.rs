//! The running process: workers, listeners, and the order in which they start and stop.
//!
//! Owns: wiring and the shutdown's order. Never: speaks the protocol, reads rules, or decides
//! about a statement. It alone picks the runtime.
//!
//! # Shutdown
//! SIGTERM: `/readyz` answers 503 (`timeouts.not_ready`) → listeners close → every session ends at
//! its next transaction boundary (`timeouts.drain`) → who is left is cut. SIGINT: listeners close,
//! sessions are cut at once. A second signal cuts what a first one still waits for.

pub mod accept;
pub mod files;
pub mod listen;
pub mod run;
pub mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::context::{Context, Phase, WorkerContext};
use accept::Lane;
use listen::Listener;
use worker::{Serve, Worker};

/// How long sessions get to answer 1053 and close once they are told to end at once.
const CUT: Duration = Duration::from_secs(2);

/// A server that accepts clients.
#[derive(Debug)]
pub struct Server {
    pub context: Arc<Context>,
    /// The TCP addresses that were bound.
    pub addresses: Vec<SocketAddr>,
    workers: Vec<Worker>,
    loops: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// How a shutdown ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Sessions that were still there at the deadline and were cut.
    pub cut: usize,
}

/// How many workers these settings mean on this machine.
pub fn worker_count(config: &crate::config::Config) -> usize {
    match config.listen.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        n => usize::from(n),
    }
}

impl Server {
    /// Binds the listeners that the settings name and starts workers. Nothing is accepted yet:
    /// [`Server::accept`] does that, once the groups behind are known.
    pub async fn bind(
        context: Arc<Context>,
        workers: usize,
        serve: impl Serve,
    ) -> io::Result<(Server, Vec<Listener>)> {
        let config = context.config();
        let mut listeners = Vec::new();
        for address in &config.listen.tcp {
            listeners.push(Listener::tcp(*address, config.listen.backlog)?);
        }
        if let Some(path) = &config.listen.unix {
            let mode = config.unix_mode().unwrap_or(0o660);
            listeners.push(Listener::unix(path, mode).await?);
        }
        let start =
            |index| Worker::start(WorkerContext::new(context.clone(), index), serve.clone());
        let workers = (0..workers.max(1)).map(start).collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().filter_map(Listener::address).collect();
        let (stop, _) = watch::channel(false);
        Ok((Server { context, addresses, workers, loops: JoinSet::new(), stop }, listeners))
    }

    /// Starts accepting on the caller's runtime.
    pub fn accept(&mut self, listeners: Vec<Listener>) {
        let lanes: Arc<[Lane]> = self.workers.iter().map(|worker| worker.lane.clone()).collect();
        for listener in listeners {
            let accepting = accept::accept_loop(
                self.context.clone(),
                listener,
                lanes.clone(),
                self.stop.subscribe(),
            );
            self.loops.spawn(accepting);
        }
        self.context.enter(Phase::Ready);
    }

    /// Tells balancers to look elsewhere, and stops taking clients after `timeouts.not_ready`.
    pub async fn leave(&mut self) {
        self.context.enter(Phase::NotReady);
        tokio::time::sleep(self.context.config().timeouts.not_ready.0).await;
        self.close_doors().await;
        self.context.enter(Phase::Draining);
        self.context.sessions.drain();
    }

    /// Waits for the sessions to end, at most `timeouts.drain`. True if all did.
    pub async fn drained(&self) -> bool {
        let limit = self.context.config().timeouts.drain.0;
        tokio::time::timeout(limit, self.context.sessions.empty()).await.is_ok()
    }

    /// Ends everything that is left, and the workers' threads.
    pub async fn stop(mut self) -> Stopped {
        self.close_doors().await;
        let cut = self.context.sessions.len();
        self.context.enter(Phase::Stopping);
        self.context.sessions.shut_down();
        let ended = tokio::time::timeout(CUT, self.context.sessions.empty()).await.is_ok();
        let threads: Vec<_> = self.workers.into_iter().map(|worker| worker.thread).collect();
        if ended {
            // Lanes are dropped, sessions are gone: threads end by themselves.
            let join = tokio::task::spawn_blocking(move || {
                threads.into_iter().for_each(|thread| drop(thread.join()));
            });
            let _ = tokio::time::timeout(CUT, join).await;
        }
        Stopped { cut }
    }

    async fn close_doors(&mut self) {
        self.stop.send_replace(true);
        while self.loops.join_next().await.is_some() {}
    }
}
