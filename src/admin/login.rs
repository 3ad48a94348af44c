//! The admin login: one account, whose password someone set.
//!
//! Owns: the dialogue from the greeting to OK. Never: lets anything run before it is complete, or
//! tells a wrong user from a wrong password.
//!
//! mysql_native_password is offered, because every client has it or answers with a plugin that it
//! has instead; those are switched to caching_sha2_password, whose fast path always works here:
//! the password is known.

use subtle::ConstantTimeEq;

use super::Admin;
use crate::error::{Error, Result};
use crate::protocol::auth::{self, Plugin};
use crate::protocol::auth_switch::{AuthSwitch, FAST_AUTHENTICATION_OK, write_more_data};
use crate::protocol::capability::Capabilities;
use crate::protocol::error_code;
use crate::protocol::greeting::Greeting;
use crate::protocol::login::Login;
use crate::protocol::status::StatusFlags;
use crate::wire::stream::Stream;

const OFFERED: Capabilities = Capabilities::LONG_PASSWORD
    .with(Capabilities::LONG_FLAG)
    .with(Capabilities::CONNECT_WITH_DB)
    .with(Capabilities::PROTOCOL_41)
    .with(Capabilities::TRANSACTIONS)
    .with(Capabilities::SECURE_CONNECTION)
    .with(Capabilities::PLUGIN_AUTH)
    .with(Capabilities::PLUGIN_AUTH_LENENC_DATA)
    .with(Capabilities::CONNECT_ATTRS);

/// As clients see it; the prefix is what drivers parse.
pub const SERVER_VERSION: &str = concat!("8.0.0-weir-admin-", env!("CARGO_PKG_VERSION"));

/// Runs the login; returns what both sides can do.
pub async fn log_in(
    admin: &Admin,
    stream: &mut Stream,
    connection_id: u32,
    host: &str,
) -> Result<Capabilities> {
    let salt = auth::salt_from(rand::random());
    let greeting = Greeting {
        server_version: SERVER_VERSION.as_bytes(),
        connection_id,
        salt,
        capabilities: OFFERED,
        extended_capabilities: 0,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        plugin: Plugin::NativePassword.name().as_bytes(),
    };
    stream.write_with(|out| greeting.write(out));
    stream.flush().await?;
    let Some(packet) = stream.read_packet().await? else {
        return Err(error_code::bad_handshake("the client left"));
    };
    let login = Login::parse(packet)?;
    let capabilities = OFFERED & login.capabilities;
    let user = login.user.to_vec();
    let response = login.auth_response.to_vec();
    let plugin = Plugin::by_name(login.plugin).unwrap_or(Plugin::NativePassword);
    let proven = match plugin {
        Plugin::NativePassword => check(admin, plugin, &salt, &response),
        _ => switch_to_sha2(admin, stream).await?,
    };
    let known: bool = user.ct_eq(admin.user.as_bytes()).into();
    if known && proven {
        return Ok(capabilities);
    }
    let user = String::from_utf8_lossy(&user).chars().take(64).collect::<String>();
    Err(error_code::access_denied(&user, host, !response.is_empty()))
}

async fn switch_to_sha2(admin: &Admin, stream: &mut Stream) -> Result<bool> {
    let salt = auth::salt_from(rand::random());
    let plugin = Plugin::CachingSha2Password;
    let switch = AuthSwitch { plugin: plugin.name().as_bytes(), data: &salt };
    stream.write_with(|out| switch.write(out));
    stream.flush().await?;
    let Some(response) = stream.read_packet().await? else {
        return Err(error_code::bad_handshake("the client left"));
    };
    let proven = check(admin, plugin, &salt, response);
    if proven {
        stream.write_with(|out| write_more_data(&[FAST_AUTHENTICATION_OK], out));
    }
    Ok(proven)
}

fn check(admin: &Admin, plugin: Plugin, salt: &[u8; 20], response: &[u8]) -> bool {
    let password = admin.password.reveal().as_bytes();
    match plugin {
        Plugin::NativePassword => {
            auth::verify_native(&auth::native_digest(password), salt, response)
        }
        Plugin::CachingSha2Password => {
            auth::verify_sha2(&auth::sha2_digest(password), salt, response)
        }
        Plugin::ClearPassword => false,
    }
}

/// Logins that fail are answered after this delay, so that guessing is slow.
pub const FAILED_DELAY: std::time::Duration = std::time::Duration::from_millis(500);

/// The error of a login that took too long.
pub fn late() -> Error {
    error_code::bad_handshake("it wasn't complete within timeouts.handshake")
}
