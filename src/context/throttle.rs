//! Logins that fail: how many each host had of late, and whether the next answer waits.
//!
//! Owns: the table of hosts, which is bounded. Never: waits itself, answers anything, or holds back a
//! login that succeeds: hosts are shared, by balancers and by NAT.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::observe::sessions::Peer;

/// How long the answer to one failed login too many waits. It is short, since the one who waits has a
/// place among `limits.max_connections`.
pub const HELD_BACK: Duration = Duration::from_millis(500);

/// What a host's failed logins are counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// Hosts that are counted apart; those beyond are counted together.
const HOSTS: usize = 4096;

/// Where failed logins come from: an address of IPv4, a network of 64 bits of IPv6, which one host may
/// have all of; `None` for unix sockets.
type Host = Option<IpAddr>;

/// Failed logins by host.
#[derive(Debug, Default)]
pub struct FailedLogins(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    hosts: HashMap<Host, Window>,
    others: Window,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    since: Option<Instant>,
    failed: u32,
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW)
    }

    fn add(&mut self, now: Instant) -> u32 {
        if self.is_over(now) {
            *self = Window { since: Some(now), failed: 0 };
        }
        self.failed = self.failed.saturating_add(1);
        self.failed
    }
}

impl FailedLogins {
    /// Counts one. True where the host had more than `limit` within a minute: its answer is to wait for
    /// [`HELD_BACK`].
    pub fn add(&self, peer: &Peer, limit: u32, now: Instant) -> bool {
        let host = host_of(peer);
        // A count is right at every step.
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.hosts.len() >= HOSTS && !table.hosts.contains_key(&host) {
            table.hosts.retain(|_, window| !window.is_over(now));
        }
        let is_full = table.hosts.len() >= HOSTS && !table.hosts.contains_key(&host);
        let window = if is_full { &mut table.others } else { table.hosts.entry(host).or_default() };
        window.add(now) > limit
    }
}

fn host_of(peer: &Peer) -> Host {
    let Peer::Tcp(address) = peer else { return None };
    Some(match address.ip().to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::Tcp(address.parse().unwrap())
    }

    #[test]
    fn a_host_waits_beyond_its_limit_and_others_do_not() {
        let (table, now) = (FailedLogins::default(), Instant::now());
        let held: Vec<bool> =
            (0..5).map(|port| table.add(&peer(&format!("10.0.0.1:{port}")), 3, now)).collect();
        assert_eq!(held, [false, false, false, true, true]);
        assert!(!table.add(&peer("10.0.0.2:1"), 3, now));
        assert!(!table.add(&Peer::Unix, 3, now));
        assert!(!table.add(&peer("10.0.0.1:9"), 3, now + WINDOW));
        assert!(table.add(&peer("10.0.0.2:1"), 0, now));
    }

    #[test]
    fn a_network_of_ipv6_is_one_host() {
        let (table, now) = (FailedLogins::default(), Instant::now());
        assert!(!table.add(&peer("[2001:db8::1]:1"), 1, now));
        assert!(table.add(&peer("[2001:db8::ffff:2]:1"), 1, now));
        assert!(!table.add(&peer("[2001:db8:0:1::1]:1"), 1, now));
        assert!(!table.add(&peer("[::ffff:10.0.0.1]:1"), 1, now));
        assert!(table.add(&peer("10.0.0.1:1"), 1, now));
    }

    #[test]
    fn the_table_is_bounded_and_clears_itself() {
        let (table, now) = (FailedLogins::default(), Instant::now());
        let address = |n: u32| Peer::Tcp((IpAddr::from(n.to_be_bytes()), 1).into());
        let first = u32::try_from(HOSTS).unwrap();
        assert!((0..first).all(|n| !table.add(&address(n), 2, now)));
        // Those beyond are counted together.
        assert!(!table.add(&address(first), 2, now));
        assert!(!table.add(&address(first + 1), 2, now));
        assert!(table.add(&address(first + 2), 2, now));
        assert_eq!(table.0.lock().unwrap().hosts.len(), HOSTS);
        assert!(!table.add(&address(first), 2, now + WINDOW));
        assert_eq!(table.0.lock().unwrap().hosts.len(), 1);
    }
}
