//! From the greeting to OK: who the client is.
//!
//! Owns: the login's dialogue, TLS at the door, both password plugins and the switch between them,
//! and COM_CHANGE_USER's half of it. Never: computes a scramble (`protocol::auth`), or lets a byte
//! of SQL through before the account is proven. Attributes of the client never become SQL.

use std::sync::Arc;

use rand::RngCore;

use crate::backend::state::{Charset, State, quote};
use crate::context::WorkerContext;
use crate::context::front::Announced;
use crate::context::throttle;
use crate::error::{Error, Fault, Result};
use crate::name::SchemaName;
use crate::observe::sessions::{Entry, Software};
use crate::protocol::auth::{self, Plugin};
use crate::protocol::auth_switch::{self, AuthSwitch};
use crate::protocol::capability::Capabilities;
use crate::protocol::charset::Collation;
use crate::protocol::error_code;
use crate::protocol::greeting::{Greeting, SALT_LENGTH};
use crate::protocol::login::{self, FirstPacket};
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::protocol::status::StatusFlags;
use crate::protocol::verifier::Verifier;
use crate::rules::Rules;
use crate::rules::user::User;
use crate::session::identity::Identity;
use crate::sql::lex::ServerKind;
use crate::wire::stream::Stream;

/// What a login gives.
pub struct Login {
    pub identity: Identity,
    pub capabilities: Capabilities,
    pub schema: Option<SchemaName>,
    pub state: State,
}

/// The longest packet before the login is complete, in bytes: attributes may be 64 KiB.
const MAX_LOGIN_PACKET: usize = 80 << 10;

/// Runs the whole login; `None` where the client left before it said anything.
pub async fn run(ctx: &WorkerContext, stream: &mut Stream, entry: &Entry) -> Result<Option<Login>> {
    stream.set_max_packet(MAX_LOGIN_PACKET);
    let salt = new_salt();
    let offered = greet(ctx, stream, entry.id(), &salt).await?;
    let front = &ctx.shared.front;
    let Some(first) = stream.read_packet().await? else { return Ok(None) };
    let mut packet = first.to_vec();
    if let FirstPacket::Tls(_) = FirstPacket::parse(&packet)? {
        let Some(tls) = front.tls() else {
            return Err(error_code::bad_handshake("TLS isn't offered here"));
        };
        stream.accept_tls(tls).await?;
        entry.set_tls();
        let Some(second) = stream.read_packet().await? else { return Ok(None) };
        packet = second.to_vec();
    }
    let request = login::Login::parse(&packet)?;
    if front.tls_required() && !stream.is_secure() {
        return Err(error_code::tls_required());
    }
    if !request.capabilities.contains(Capabilities::PROTOCOL_41) {
        return Err(error_code::bad_handshake("the client doesn't speak protocol 4.1"));
    }
    let capabilities = request.capabilities & offered;
    let rules = ctx.shared.snapshot().rules.clone();
    let asked =
        Asked { user: request.user, plugin: request.plugin, response: request.auth_response, salt };
    let identity = authenticate(ctx, stream, &rules, entry, asked).await?;
    let schema = first_schema(&identity, &rules, request.database)?;
    let state = first_state(request.collation, capabilities, &front.announced());
    entry.set_software(Software::of(login::attributes(request.attributes)));
    entry.log_in(identity.user.name.clone(), schema.clone());
    let status = StatusFlags::AUTOCOMMIT;
    let ok = OkPacket { status, ..OkPacket::default() };
    stream.write_with(|out| ok.write(OkHeader::Plain, capabilities, out));
    stream.flush().await?;
    if capabilities.contains(Capabilities::COMPRESS) {
        stream.enable_compression();
    }
    Ok(Some(Login { identity, capabilities, schema, state }))
}

/// Sends the greeting; returns what it offers.
async fn greet(
    ctx: &WorkerContext,
    stream: &mut Stream,
    id: u32,
    salt: &[u8; SALT_LENGTH],
) -> Result<Capabilities> {
    let front = &ctx.shared.front;
    if let Some(announced) = Announced::of(&ctx.shared.snapshot().topology) {
        front.announce(announced);
    }
    let announced = front.announced();
    let mut offered = Capabilities::OFFERED | Capabilities::COMPRESS;
    if ctx.shared.config().listen.local_infile {
        offered = offered | Capabilities::LOCAL_FILES;
    }
    if front.tls().is_some() {
        offered = offered | Capabilities::SSL;
    }
    // MariaDB says so before version 11, and drivers go by it.
    let is_old = announced.kind == ServerKind::MariaDb && announced.number < 110_000;
    let version = format!("{}{}", if is_old { "5.5.5-" } else { "" }, announced.version);
    let greeting = Greeting {
        server_version: version.as_bytes(),
        connection_id: id,
        salt: *salt,
        capabilities: offered,
        extended_capabilities: 0,
        collation: announced.collation.to_le_bytes()[0],
        status: StatusFlags::AUTOCOMMIT,
        plugin: announced.plugin().name().as_bytes(),
    };
    stream.write_with(|out| greeting.write(out));
    stream.flush().await?;
    Ok(offered)
}

fn new_salt() -> [u8; SALT_LENGTH] {
    let mut random = [0; SALT_LENGTH];
    rand::rng().fill_bytes(&mut random);
    auth::salt_from(random)
}

/// What a client says of itself.
pub(super) struct Asked<'a> {
    pub user: &'a [u8],
    pub plugin: &'a [u8],
    pub response: &'a [u8],
    pub salt: [u8; SALT_LENGTH],
}

/// Proves that the client is the account it names. An unknown account takes the same path as a
/// wrong password.
pub(super) async fn authenticate(
    ctx: &WorkerContext,
    stream: &mut Stream,
    rules: &Rules,
    entry: &Entry,
    asked: Asked<'_>,
) -> Result<Identity> {
    let host = entry.peer().host();
    let name = String::from_utf8_lossy(asked.user).into_owned();
    let user = rules.user(&name).cloned();
    let sent = Plugin::by_name(asked.plugin);
    let plugin = choose(user.as_deref(), sent, ctx.shared.front.announced().plugin());
    let mut salt = asked.salt;
    let mut response = asked.response.to_vec();
    if sent != Some(plugin) {
        salt = new_salt();
        let switch = AuthSwitch { plugin: plugin.name().as_bytes(), data: &salt };
        stream.write_with(|out| switch.write(out));
        stream.flush().await?;
        response = read_auth(stream).await?;
    }
    let denied = || error_code::access_denied(&name, &host, !response.is_empty()).fatal();
    let proven = match (&user, plugin) {
        (Some(user), Plugin::NativePassword) => {
            user.native.is_some_and(|digest| auth::verify_native(&digest, &salt, &response))
        }
        (Some(user), _) => caching_sha2(ctx, stream, user, &salt, &response).await?,
        (None, _) => {
            // As much work as a wrong password, so that the time tells nothing.
            std::hint::black_box(auth::verify_native(&[0; 20], &salt, &response));
            false
        }
    };
    match user {
        Some(user) if proven => {
            check_connections(ctx, entry, &user)?;
            Ok(Identity { user, host })
        }
        _ => Err(denied()),
    }
}

/// A login failed: counts and logs it, and waits before it is answered where the host has had too many
/// wrong passwords. Nothing of other sessions waits.
pub(super) async fn failed(ctx: &WorkerContext, entry: &Entry, error: &Error) {
    let (config, peer) = (ctx.shared.config(), entry.peer());
    if ctx.recorder.failed_login(error.code, config.log.failed_logins_per_second) {
        tracing::info!(connection = entry.id(), %peer, %error, "login failed");
    }
    if error.code != "access_denied" {
        return;
    }
    let now = std::time::Instant::now();
    if ctx.shared.failed_logins.add(&peer, config.limits.failed_logins, now) {
        ctx.recorder.metrics().failed_logins_held.increment();
        tokio::time::sleep(throttle::HELD_BACK).await;
    }
}

/// The plugin to prove the account with: the client's own where the account has its verifier.
fn choose(user: Option<&User>, sent: Option<Plugin>, default: Plugin) -> Plugin {
    let Some(user) = user else {
        return sent.filter(|p| *p != Plugin::ClearPassword).unwrap_or(default);
    };
    match sent {
        Some(Plugin::NativePassword) if user.native.is_some() => Plugin::NativePassword,
        Some(Plugin::CachingSha2Password) if user.sha2.is_some() => Plugin::CachingSha2Password,
        _ if user.sha2.is_some() => Plugin::CachingSha2Password,
        _ => Plugin::NativePassword,
    }
}

/// The account's `max_connections`. A session that logs in again on its own connection has its place
/// already.
fn check_connections(ctx: &WorkerContext, entry: &Entry, user: &User) -> Result<()> {
    let limit = user.max_connections as usize;
    if limit == 0 || ctx.shared.sessions.claim(entry, &user.name, limit) {
        return Ok(());
    }
    Err(Error::limit(
        1226,
        "user_connections",
        format!(
            "User '{}' has exceeded the 'max_connections' of its rules (current value: {})",
            user.name, user.max_connections
        ),
    )
    .fatal())
}

/// caching_sha2_password: the fast path where a fast verifier is known, else the password itself,
/// over a secure stream or encrypted with the RSA key.
async fn caching_sha2(
    ctx: &WorkerContext,
    stream: &mut Stream,
    user: &User,
    salt: &[u8; SALT_LENGTH],
    response: &[u8],
) -> Result<bool> {
    let Some(stored) = &user.sha2 else { return Ok(false) };
    let Some(verifier) = Verifier::parse(stored) else { return Ok(false) };
    let front = &ctx.shared.front;
    let fast = match verifier {
        Verifier::Sha2(digest) => Some(digest),
        _ => front.learnt(&user.name, stored),
    };
    if let Some(digest) = fast {
        if response.is_empty() {
            return Ok(false);
        }
        if auth::verify_sha2(&digest, salt, response) {
            stream.write_with(|out| {
                auth_switch::write_more_data(&[auth_switch::FAST_AUTHENTICATION_OK], out);
            });
            return Ok(true);
        }
        // A fast verifier that is the stored one leaves nothing to try.
        if matches!(verifier, Verifier::Sha2(_)) {
            return Ok(false);
        }
    }
    if response.is_empty() {
        return Ok(false);
    }
    stream.write_with(|out| {
        auth_switch::write_more_data(&[auth_switch::FULL_AUTHENTICATION], out);
    });
    stream.flush().await?;
    let Some(password) = full_password(ctx, stream, salt).await? else { return Ok(false) };
    let proven = verifier.verify_clear(&password);
    if proven {
        front.learn(&user.name, stored, auth::sha2_digest(&password));
    }
    Ok(proven)
}

/// The password itself, as the client sends it for full authentication.
async fn full_password(
    ctx: &WorkerContext,
    stream: &mut Stream,
    salt: &[u8; SALT_LENGTH],
) -> Result<Option<Vec<u8>>> {
    let mut sent = read_auth(stream).await?;
    if stream.is_secure() {
        return Ok(match sent.pop() {
            Some(0) => Some(sent),
            _ => None,
        });
    }
    let rsa = ctx.shared.front.rsa()?;
    if sent == [auth_switch::PUBLIC_KEY_REQUEST] {
        stream.write_with(|out| auth_switch::write_more_data(rsa.public_pem().as_bytes(), out));
        stream.flush().await?;
        sent = read_auth(stream).await?;
    }
    Ok(rsa.decrypt_password(&sent, salt))
}

async fn read_auth(stream: &mut Stream) -> Result<Vec<u8>> {
    match stream.read_packet().await? {
        Some(packet) => Ok(packet.to_vec()),
        None => Err(Error::new(
            Fault::Client,
            1158,
            b"08S01",
            "login_aborted",
            "The client closed in the middle of its login",
        )
        .fatal()),
    }
}

/// The schema that the client asked for, else the account's default.
pub(super) fn first_schema(
    identity: &Identity,
    rules: &Rules,
    asked: &[u8],
) -> Result<Option<SchemaName>> {
    if asked.is_empty() {
        return Ok(identity.user.default_schema.clone());
    }
    let name = String::from_utf8_lossy(asked);
    identity.schema(rules, &name).map(Some).map_err(Error::fatal)
}

/// The state of a session that begins: the client's collation, as a server would set it, and
/// IGNORE_SPACE where the client asked for it.
pub(super) fn first_state(
    collation: u16,
    capabilities: Capabilities,
    announced: &Announced,
) -> State {
    let mut state = State::default();
    // Servers refuse a client charset in which ASCII isn't one byte.
    let may_be = Collation::by_id(collation).is_none_or(Collation::may_be_client);
    if let Some((charset, collation)) = announced.charset_of(collation).filter(|_| may_be) {
        let charset: Arc<str> = charset;
        state.set_charset(Charset { client: charset.clone(), results: Some(charset), collation });
    }
    let sql_mode = &announced.sql_mode;
    if capabilities.contains(Capabilities::IGNORE_SPACE) {
        let value = quote(format!("{sql_mode},IGNORE_SPACE").as_bytes(), "utf8mb4");
        state.set_variable("sql_mode", Some(&value));
    }
    state
}
