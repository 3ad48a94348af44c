//! Control connections: few rows, other threads' business, by mysql_async.
//!
//! Owns: how a control connection is opened and bounded in time, and KILL. Never: carries a
//! client's statement.
//!
//! mysql_async has no timeouts of its own, so every use is wrapped in one.

use std::future::Future;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, DriverError, OptsBuilder, SslOpts};
use tokio::time::timeout;

use crate::backend::fault;
use crate::backend::kill::Scope;
use crate::backend::node::Node;
use crate::backend::spec::{Account, Address, Tls};
use crate::error::{Error, Result};
use crate::wire::tls::TlsMode;

/// `max_allowed_packet` that control connections assume: their answers are small.
const CONTROL_PACKET: usize = 16 << 20;

/// Opens a control connection with `account`.
pub async fn connect(node: &Node, account: &Account, bound: Duration) -> Result<Conn> {
    let tls = &node.spec.tls;
    let secure = tls.mode != TlsMode::Off && matches!(node.spec.address, Address::Tcp { .. });
    let opened = bounded(bound, Conn::new(options(node, account, secure))).await;
    match opened {
        Err(Failure::Driver(mysql_async::Error::Driver(
            DriverError::NoClientSslFlagFromServer,
        ))) if tls.mode == TlsMode::Preferred => {
            bounded(bound, Conn::new(options(node, account, false)))
                .await
                .map_err(|failure| failure.into_error(node))
        }
        other => other.map_err(|failure| failure.into_error(node)),
    }
}

/// Runs one step on a control connection, at most for `bound`.
pub async fn run<T>(
    node: &Node,
    bound: Duration,
    step: impl Future<Output = mysql_async::Result<T>>,
) -> Result<T> {
    bounded(bound, step).await.map_err(|failure| failure.into_error(node))
}

/// Stops a thread of the data account: one's own threads may be killed without any further right.
pub async fn kill(node: &Node, connection_id: u64, scope: Scope, bound: Duration) -> Result<()> {
    let step = async {
        let mut control = match connect(node, &node.spec.data, bound).await {
            Ok(control) => control,
            // A server without room keeps a place for accounts with a right to kill.
            Err(_) => connect(node, &node.spec.control, bound).await?,
        };
        let verb = match scope {
            Scope::Query => "KILL QUERY",
            Scope::Connection => "KILL CONNECTION",
        };
        let killed = run(node, bound, control.query_drop(format!("{verb} {connection_id}"))).await;
        // The answer has come; whether the goodbye arrives doesn't matter.
        let _ = timeout(Duration::from_millis(100), control.disconnect()).await;
        match killed {
            // The thread is gone already, which is what was wanted.
            Err(error) if error.errno == 1094 => Ok(()),
            other => other,
        }
    };
    match timeout(bound, step).await {
        Ok(outcome) => outcome,
        Err(_) => Err(late(node, bound)),
    }
}

enum Failure {
    Driver(mysql_async::Error),
    Late(Duration),
}

impl Failure {
    fn into_error(self, node: &Node) -> Error {
        match self {
            Failure::Driver(mysql_async::Error::Server(error)) => {
                let mut state = *b"HY000";
                if let Ok(given) = <[u8; 5]>::try_from(error.state.as_bytes()) {
                    state = given;
                }
                fault::of_server(node, Error::backend(error.code, state, error.message))
            }
            Failure::Driver(error) => fault::unreachable(node, &error.to_string()),
            Failure::Late(bound) => late(node, bound),
        }
    }
}

fn late(node: &Node, bound: Duration) -> Error {
    fault::unreachable(node, &format!("no answer within {} ms", bound.as_millis()))
}

async fn bounded<T>(
    bound: Duration,
    step: impl Future<Output = mysql_async::Result<T>>,
) -> Result<T, Failure> {
    match timeout(bound, step).await {
        Ok(outcome) => outcome.map_err(Failure::Driver),
        Err(_) => Err(Failure::Late(bound)),
    }
}

fn options(node: &Node, account: &Account, secure: bool) -> OptsBuilder {
    let base = OptsBuilder::default()
        .user(Some(&*account.user))
        .pass(Some(&*account.password))
        .prefer_socket(false)
        .max_allowed_packet(Some(CONTROL_PACKET))
        // Without both of these each login would ask the server for them.
        .wait_timeout(Some(28_800))
        .stmt_cache_size(0)
        .ssl_opts(secure.then(|| ssl(&node.spec.tls)));
    match &node.spec.address {
        Address::Tcp { host, port } => base.ip_or_hostname(&**host).tcp_port(*port),
        Address::Unix(path) => base.socket(Some(path.to_string_lossy().into_owned())),
    }
}

fn ssl(tls: &Tls) -> SslOpts {
    let mut options = SslOpts::default();
    if let Some((certificate, key)) = &tls.identity {
        let identity = ClientIdentity::new(certificate.clone().into(), key.clone().into());
        options = options.with_client_identity(Some(identity));
    }
    if !matches!(tls.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity) {
        return options
            .with_danger_accept_invalid_certs(true)
            .with_danger_skip_domain_validation(true);
    }
    if let Some(authority) = &tls.authority {
        options = options
            .with_root_certs(vec![authority.clone().into()])
            .with_disable_built_in_roots(true);
    }
    options.with_danger_skip_domain_validation(tls.mode == TlsMode::VerifyCa)
}
