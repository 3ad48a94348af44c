//! The accept loop: takes connections in and hands each to the worker that has the fewest.
//!
//! Owns: seats at the door, the pause when file descriptors run out, socket options. Never: reads
//! or speaks the protocol, but for the one error that a client without a seat gets.
//!
//! One thread accepts for all workers: SO_REUSEPORT spreads connections by a hash of addresses,
//! which leaves workers idle at small numbers, and resets what is queued when a listener closes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::listen::Listener;
use crate::context::Context;
use crate::context::handshakes::Handshake;
use crate::context::seat::Seat;
use crate::error::Error;
use crate::observe::sessions::Peer;
use crate::protocol::capability::Capabilities;
use crate::protocol::{err, error_code, framing};

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Arrival {
    pub socket: Socket,
    pub peer: Peer,
    pub seat: Seat,
    pub handshake: Handshake,
    pub login_by: Instant,
    pub load: Load,
}

/// The socket, not yet bound to a runtime.
#[derive(Debug)]
pub enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// One session of a worker, counted as long as it lives.
#[derive(Debug)]
pub struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The way to one worker.
#[derive(Clone, Debug)]
pub struct Lane {
    pub arrivals: mpsc::Sender<Arrival>,
    pub load: Arc<AtomicUsize>,
}

/// First and longest pause when accepting fails for lack of resources.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Accepts until `stop` turns true.
pub async fn accept_loop(
    context: Arc<Context>,
    listener: Listener,
    lanes: Arc<[Lane]>,
    mut stop: watch::Receiver<bool>,
) {
    let mut pause = PAUSE.0;
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                pause = PAUSE.0;
                admit(&context, &lanes, socket, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                context.metrics.accept_pauses.increment();
                if complained.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                    complained = Some(Instant::now());
                    tracing::error!(%error, "accepting pauses");
                }
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(PAUSE.1);
            }
        }
    }
}

async fn accept(listener: &Listener) -> io::Result<(Socket, Peer)> {
    match listener {
        Listener::Tcp(listener) => {
            let (socket, address) = listener.accept().await?;
            Ok((Socket::Tcp(socket.into_std()?), Peer::Tcp(address)))
        }
        Listener::Unix(listener, _) => {
            let (socket, _) = listener.accept().await?;
            Ok((Socket::Unix(socket.into_std()?), Peer::Unix))
        }
    }
}

/// Errors of a connection that broke before it was accepted: the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Gives the connection a seat and a worker, or an error and the door.
fn admit(context: &Context, lanes: &[Lane], socket: Socket, peer: Peer) {
    let Some(seat) = context.seats.take() else {
        return refuse(context, &socket, "max_connections", &error_code::too_many_connections());
    };
    let Some(handshake) = context.handshakes.take(Instant::now()) else {
        return refuse(context, &socket, "max_handshakes", &error_code::too_many_connections());
    };
    let config = context.config();
    if let (Socket::Tcp(tcp), Some(idle)) = (&socket, config.listen.keepalive.limit()) {
        let keepalive =
            socket2::TcpKeepalive::new().with_time(idle).with_interval(idle / 4).with_retries(4);
        // Fails on a socket that is dead already, which its first read tells.
        let _ = socket2::SockRef::from(tcp).set_tcp_keepalive(&keepalive);
    }
    let Some(lane) = lanes.iter().min_by_key(|lane| lane.load.load(Ordering::Relaxed)) else {
        return;
    };
    lane.load.fetch_add(1, Ordering::AcqRel);
    let arrival = Arrival {
        socket,
        peer,
        seat,
        handshake,
        login_by: Instant::now() + config.timeouts.handshake.0,
        load: Load(lane.load.clone()),
    };
    if let Err(mpsc::error::TrySendError::Full(arrival)) = lane.arrivals.try_send(arrival) {
        // The least busy worker is this far behind: nobody is served better by waiting.
        refuse(context, &arrival.socket, "arrivals", &error_code::too_many_connections());
    }
}

/// Says why, without waiting: what doesn't fit into the socket's buffer is lost.
fn refuse(context: &Context, socket: &Socket, limit: &'static str, error: &Error) {
    context.metrics.refused.add(limit);
    let mut packet = Vec::with_capacity(64);
    packet.extend_from_slice(&[0; framing::HEADER_LENGTH]);
    err::write_error(error, Capabilities::PROTOCOL_41, &mut packet);
    framing::seal(&mut packet, 0, 0);
    let _ = match socket {
        Socket::Tcp(socket) => io::Write::write(&mut &*socket, &packet),
        Socket::Unix(socket) => io::Write::write(&mut &*socket, &packet),
    };
}
