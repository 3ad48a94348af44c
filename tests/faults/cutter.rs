//! A TCP proxy before one server, which cuts a connection at a packet's boundary.
//!
//! Owns: relaying, counting packets in both directions, and cutting. Never: reads a packet's inside
//! (so TLS must be off).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// What is asked of a cutter.
#[derive(Debug, Default)]
struct Order {
    /// The connection that passes this many packets more is cut; below zero: none.
    packets: AtomicI64,
    /// Nothing gets through any more, and nothing is closed: a peer that vanished.
    deaf: AtomicBool,
}

#[derive(Debug)]
pub struct Cutter {
    pub port: u16,
    order: Arc<Order>,
}

impl Cutter {
    /// Listens on a free port for connections to `target` on this machine.
    pub fn start(target: u16) -> Result<Cutter, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let order = Arc::new(Order::default());
        order.packets.store(-1, Ordering::SeqCst);
        let orders = order.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (Ok(back), Ok(forth)) = (client.try_clone(), server.try_clone()) else {
                    continue;
                };
                let (one, two) = (orders.clone(), orders.clone());
                std::thread::spawn(move || relay(client, server, &one));
                std::thread::spawn(move || relay(forth, back, &two));
            }
        });
        Ok(Cutter { port, order })
    }

    /// Cuts the connection that passes so many packets more, whichever way they go.
    pub fn cut_after(&self, packets: u64) {
        self.order.packets.store(i64::try_from(packets).unwrap_or(0), Ordering::SeqCst);
    }

    /// Holds back everything, or lets it through again.
    pub fn set_deaf(&self, deaf: bool) {
        self.order.deaf.store(deaf, Ordering::SeqCst);
    }

    /// Whether the last ordered cut was made.
    pub fn has_cut(&self) -> bool {
        self.order.packets.load(Ordering::SeqCst) < 0
    }
}

/// Relays one direction until either end closes, or a cut.
fn relay(mut from: TcpStream, mut to: TcpStream, order: &Order) {
    let mut buffer = vec![0; 16 << 10];
    // Bytes of the present packet still to come, and of its header what has come.
    let (mut left, mut header) = (0usize, Vec::new());
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        while order.deaf.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mut at = 0;
        let mut cut = None;
        while at < read {
            if left > 0 {
                let step = left.min(read - at);
                (left, at) = (left - step, at + step);
            } else {
                header.push(buffer[at]);
                at += 1;
                if header.len() < 4 {
                    continue;
                }
                left = usize::from(header[0])
                    | usize::from(header[1]) << 8
                    | usize::from(header[2]) << 16;
                header.clear();
            }
            let ends = left == 0 && header.is_empty();
            if ends
                && order.packets.load(Ordering::SeqCst) >= 0
                && order.packets.fetch_sub(1, Ordering::SeqCst) == 0
            {
                cut = Some(at);
                break;
            }
        }
        if to.write_all(&buffer[..cut.unwrap_or(read)]).is_err() || cut.is_some() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
