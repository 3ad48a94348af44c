//! Plain HTTP for machines: `/healthz`, `/readyz`, `/metrics`.
//!
//! Owns: these pages. Never: changes anything, shows a statement or a user, or has a password:
//! it listens on loopback unless someone opens it.
//!
//! `/healthz` answers 200 as long as the process can answer at all. `/readyz` answers 200 while
//! new clients are welcome, else 503; `?verbose` adds one line for each reason.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use crate::context::{Context, Phase};
use crate::observe::scrape::{CONTENT_TYPE, Scrape};

/// HTTP connections at the same time; further ones wait in the kernel.
const CONNECTIONS: usize = 64;
/// No HTTP connection lives longer, whatever it does: scrapers open a new one.
const LIFETIME: Duration = Duration::from_secs(60);

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    pub context: Arc<Context>,
    pub scrape: Arc<Scrape>,
    /// Lines of `/readyz?verbose` beside the phase, such as each group's primary.
    pub details: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// Serves the pages until the task is dropped.
pub async fn serve(listener: TcpListener, pages: Pages) -> io::Result<()> {
    let doors = Doors { listener, permits: Arc::new(Semaphore::new(CONNECTIONS)) };
    axum::serve(doors, router(pages)).await
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(pages)
}

async fn readyz(State(pages): State<Pages>, RawQuery(query): RawQuery) -> Response {
    let phase = pages.context.phase();
    let status =
        if phase == Phase::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = format!("{}\n", phase.as_str());
    if query
        .is_some_and(|query| query.split('&').any(|part| part.split('=').next() == Some("verbose")))
    {
        let rules = pages.context.snapshot().rules.clone();
        text += &format!("rules: version {} hash {:016x}\n", rules.version, rules.hash);
        text += &format!(
            "clients: {} of {}\n",
            pages.context.seats.taken(),
            pages.context.seats.limit()
        );
        if pages.context.gate.is_closed() {
            text += &format!("paused: {} statements wait\n", pages.context.gate.waiting());
        }
        for line in (pages.details)() {
            text += &line;
            text.push('\n');
        }
    }
    (status, text).into_response()
}

async fn metrics(State(pages): State<Pages>) -> Response {
    match pages.scrape.text() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A listener that bounds the number of connections and each one's life.
struct Doors {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

struct Bounded {
    socket: TcpStream,
    end: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl axum::serve::Listener for Doors {
    type Io = Bounded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Bounded, SocketAddr) {
        // The semaphore is never closed, so there always is a permit.
        let permit = self.permits.clone().acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((socket, address)) => {
                    let end = Box::pin(tokio::time::sleep(LIFETIME));
                    return (Bounded { socket, end, _permit: permit }, address);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Bounded {
    fn expired(&mut self, poller: &mut Poller<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(poller) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.expired(poller)?;
        Pin::new(&mut self.socket).poll_read(poller, buf)
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.expired(poller)?;
        Pin::new(&mut self.socket).poll_write(poller, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(poller)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(poller)
    }
}
