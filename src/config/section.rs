//! Every process setting, with its default, its doc line, and whether a reload applies it.
//!
//! Owns: the list. Never: reads a file ([`super`]) or acts on a setting.
//!
//! `live` settings take effect with a reload (for sessions that begin afterwards, unless the doc
//! line says more); `restart` settings only when the process starts again, which a reload reports.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::SecretRef;
use super::units::{Network, Size, Span};
use super::{Setting, When};

macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $doc:literal])+ $when:ident $field:ident : $type:ty = $default:expr; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $default, )+ }
            }
        }

        impl $name {
            pub(super) fn list(&self, section: &'static str, out: &mut Vec<Setting>) {
                let default = Self::default();
                $( out.push(Setting {
                    key: concat_key(section, stringify!($field)),
                    value: shown(&self.$field),
                    default: shown(&default.$field),
                    when: section!(@when $when),
                    doc: concat!($($doc),+).trim(),
                }); )+
            }

            /// Takes over the live settings of `new`; names what changed.
            pub(super) fn adopt(&mut self, new: &Self, section: &str, change: &mut super::Change) {
                $( if self.$field != new.$field {
                    section!(@adopt $when self new section change $field);
                } )+
            }
        }
    };
    (@when live) => { When::Live };
    (@when restart) => { When::Restart };
    (@adopt live $self:ident $new:ident $section:ident $change:ident $field:ident) => {
        $self.$field = $new.$field.clone();
        $change.applied.push(concat_key($section, stringify!($field)));
    };
    (@adopt restart $self:ident $new:ident $section:ident $change:ident $field:ident) => {
        $change.needs_restart.push(concat_key($section, stringify!($field)));
    };
}

fn concat_key(section: &str, field: &str) -> String {
    format!("{section}.{field}")
}

/// A value as one writes it in YAML, on one line.
fn shown<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) => "none".to_owned(),
        Ok(value) => value.to_string(),
        Err(error) => format!("({error})"),
    }
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// TLS isn't offered.
    Off,
    /// TLS is offered; plain connections are taken too.
    Preferred,
    /// A client that asks for no TLS is refused before it sends a password.
    Required,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

section! {
    /// Where clients connect.
    Listen {
        /// TCP addresses for clients. Only loopback until someone opens it.
        restart tcp: Vec<SocketAddr> = vec![SocketAddr::from(([127, 0, 0, 1], 6033))];
        /// A unix socket's path, or none.
        restart unix: Option<PathBuf> = None;
        /// The unix socket's permission bits, in octal.
        restart unix_mode: String = "0660".to_owned();
        /// Connections that the kernel holds until they are accepted (1 to 65535).
        restart backlog: u32 = 1024;
        /// Balancers whose PROXY protocol header (v1, v2) is required and believed. Others' connections must not send one.
        live proxy_protocol_from: Vec<Network> = Vec::new();
        /// Which of 4096 proxies this one is, in the high bits of connection ids, so that KILL through a balancer hits no stranger. None: drawn at start.
        restart proxy_id: Option<u16> = None;
        /// The zone that this proxy stands in, as nodes' zones are written in the rules: near nodes answer its reads first.
        restart zone: Option<String> = None;
        /// Threads that serve clients. 0: one for each core.
        restart workers: u16 = 0;
        /// LOAD DATA LOCAL. Off, clients aren't offered to send files and servers can't ask for any; on, a server is asked by the client's own statement only, and must have its own local_infile on.
        restart local_infile: bool = false;
        /// TCP keep-alive: a peer that vanished is noticed after about twice this time. 0: off.
        live keepalive: Span = Span::seconds(60);
    }
}

section! {
    /// Encryption towards clients. Backends' TLS is a matter of each group's rules.
    Tls {
        /// off, preferred or required.
        restart mode: TlsMode = TlsMode::Off;
        /// The certificate chain, PEM. Renewed files are taken over by RELOAD or SIGHUP, for new clients.
        restart cert: Option<PathBuf> = None;
        /// The private key, PEM.
        restart key: Option<PathBuf> = None;
    }
}

section! {
    /// The admin port: SQL commands over MySQL's protocol.
    Admin {
        /// The admin port's address, or none. It only opens once `password` is set.
        restart listen: Option<SocketAddr> = Some(SocketAddr::from(([127, 0, 0, 1], 6032)));
        /// The only account that may log in there.
        restart user: String = "admin".to_owned();
        /// Its password, as env:NAME or file:/path. There is no default: without it, and without the environment variable WEIR_ADMIN_PASSWORD, the port stays shut.
        restart password: Option<SecretRef> = None;
        /// Admin sessions at the same time.
        restart max_connections: u32 = 32;
    }
}

section! {
    /// Plain HTTP: /healthz, /readyz, /metrics. It has no passwords and shows no statement.
    Http {
        /// Its address, or none.
        restart listen: Option<SocketAddr> = Some(SocketAddr::from(([127, 0, 0, 1], 6080)));
    }
}

section! {
    /// Bounds on what clients may use. Each answers with an error that names the setting.
    Limits {
        /// Clients at the same time; the next one gets error 1040. Lowered at start to what open files allow.
        live max_connections: u32 = 10_000;
        /// Clients that haven't logged in yet, at the same time. For the next one the oldest of them is cut where it has had a second; otherwise it gets error 1040.
        live max_handshakes: u32 = 2_000;
        /// Failed logins of one host in a minute that are answered at once; the answer to each further one waits for half a second. Logins that succeed never wait. 0: every failed one waits.
        live failed_logins: u32 = 30;
        /// The longest statement or row in one command; beyond it error 1153.
        restart max_allowed_packet: Size = Size::mib(64);
        /// What large packets, merges, sorts and queues may hold together in the whole process; beyond it reading stops, then comes error 1038.
        restart memory_budget: Size = Size::gib(1);
        /// What a sorted or grouped merge may hold for one statement; beyond it error 1038.
        live merge_memory: Size = Size::mib(64);
        /// What each shard of a merge may be ahead of the client.
        live merge_window: Size = Size::kib(256);
        /// Rows that the workbench may gather for one statement; beyond it error 1104.
        live workbench_rows: u32 = 1_000_000;
        /// Bytes of these rows; beyond it error 1104.
        live workbench_bytes: Size = Size::mib(512);
        /// The plan cache of the whole process, shared out among the workers.
        restart plan_cache: Size = Size::mib(64);
        /// Prepared statements that one session may hold; beyond it error 1461.
        live prepared_statements: u32 = 4096;
        /// What one session may hold of COM_STMT_SEND_LONG_DATA.
        live long_data: Size = Size::mib(64);
        /// Operators in one statement; a longer chain gets error 1235.
        restart statement_operators: u32 = 10_000;
        /// Nested parentheses in one statement; deeper gets error 1235.
        restart statement_depth: u32 = 200;
        /// Statements sent in one COM_QUERY; more get error 1235.
        live multi_statements: u32 = 1000;
        /// Templates whose statistics are kept; the rest are counted together.
        restart templates: u32 = 2000;
    }
}

section! {
    /// Deadlines. None of them is ever reset by traffic of somebody else.
    Timeouts {
        /// From the accept to the end of the login, TLS included.
        live handshake: Span = Span::seconds(10);
        /// A session that sends nothing and has no transaction open. 0: none.
        live idle: Span = Span::hours(8);
        /// A session that sends nothing while a transaction is open: it is rolled back and closed. 0: none.
        live idle_in_transaction: Span = Span::hours(1);
        /// A transaction, from its first statement on a database: beyond it a statement under way is answered 3024, and the session is closed (4031), which rolls the transaction back. 0: none.
        live transaction: Span = Span::seconds(0);
        /// One statement; beyond it it is killed on the backends and answered 3024. 0: none.
        live statement: Span = Span::seconds(0);
        /// How long a server may take to answer a statement that was told to stop, by KILL or a deadline; then the session ends.
        live stop: Span = Span::seconds(30);
        /// A client that doesn't take its rows; the session is closed.
        live client_write: Span = Span::seconds(60);
        /// Waiting for a backend connection to be free; beyond it error 1040 names the group.
        live pool_wait: Span = Span::seconds(5);
        /// PAUSE holds statements for at most this long, then they get error 1205.
        live pause: Span = Span::seconds(30);
        /// After SIGTERM: /readyz answers 503 for this long before listeners close.
        live not_ready: Span = Span::seconds(1);
        /// After that: sessions end at their next transaction boundary, and are cut at this deadline.
        live drain: Span = Span::seconds(30);
    }
}

section! {
    /// Transactions over several groups, and their recovery.
    Transactions {
        /// Each step of a COMMIT over several groups (prepare, decide, finish); beyond it the group counts as lost.
        live step: Span = Span::seconds(10);
        /// How long the outcome of a COMMIT is asked for whose answer was lost, before the client is told that it is unknown. Less than half of `rows_kept`.
        live outcome: Span = Span::seconds(30);
        /// How often prepared branches are looked for.
        live recover_every: Span = Span::seconds(2);
        /// A prepared branch of another proxy is resolved after it has been seen for so long.
        live recover_after: Span = Span::seconds(10);
        /// Commit rows of other proxies are kept for so long before they are cleared.
        live rows_kept: Span = Span::seconds(600);
        /// How often deadlocks over groups are looked for while transactions over groups run. 0: never.
        live deadlocks_every: Span = Span::millis(300);
    }
}

section! {
    /// The rules and when they are read again. What they say is described by `weir schema`.
    RulesFiles {
        /// The directory of YAML files.
        restart directory: Option<PathBuf> = None;
        /// Reload when a file in it changes. SIGHUP and RELOAD work in any case.
        restart watch: bool = true;
        /// How long the files must have been quiet before they are read.
        live settle: Span = Span::millis(300);
    }
}

section! {
    /// What is logged.
    Log {
        /// text or json, to standard error.
        restart format: LogFormat = LogFormat::Text;
        /// error, warn, info, debug, trace, or a filter such as `info,weir::session=debug`.
        live level: String = "info".to_owned();
        /// Statements that take longer are logged, as templates without their literals. 0: none.
        live slow_statement: Span = Span::seconds(1);
        /// Slow-log lines in one second and worker; more are counted and left out.
        live slow_statements_per_second: u32 = 20;
        /// Lines of failed logins in one second and worker; more are counted and left out.
        live failed_logins_per_second: u32 = 20;
    }
}
