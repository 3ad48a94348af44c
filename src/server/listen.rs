//! Listening sockets.
//!
//! Owns: binding TCP and unix addresses. Never: accepts.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

/// One open door.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The unix socket's file; removed when the listener goes.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that is gone already is what was wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds a TCP address. The error names it.
    pub fn tcp(address: SocketAddr, backlog: u32) -> io::Result<Self> {
        let bind = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // A restarted proxy needn't wait for old connections' TIME_WAIT.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(backlog)
        };
        bind().map(Listener::Tcp).map_err(|e| named(&e, &address.to_string()))
    }

    /// Binds a unix socket. A file that a dead process left there is replaced; a live one isn't,
    /// and neither is a file of another kind.
    pub async fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        let name = path.display().to_string();
        if let Ok(metadata) = std::fs::symlink_metadata(path) {
            if !metadata.file_type().is_socket() {
                let text = format!("can't listen on {name}: a file that is no socket is there");
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
            if tokio::net::UnixStream::connect(path).await.is_ok() {
                let text = format!("can't listen on {name}: another process does");
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
            std::fs::remove_file(path).map_err(|e| named(&e, &name))?;
        }
        let listener = UnixListener::bind(path).map_err(|e| named(&e, &name))?;
        let file = SocketFile(path.to_owned());
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode))
            .map_err(|e| named(&e, &name))?;
        Ok(Listener::Unix(listener, file))
    }

    /// The address that was bound (with the port that the kernel chose for port 0).
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }
}

fn named(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("can't listen on {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let path = std::env::temp_dir().join(format!("weir-listen-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        // Left behind: bound, then closed without removing the file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let live = Listener::unix(&path, 0o600).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = Listener::unix(&path, 0o600).await.unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        drop(live);
        assert!(!path.exists());
        std::fs::write(&path, "mine").unwrap();
        assert!(Listener::unix(&path, 0o600).await.unwrap_err().to_string().contains("no socket"));
        std::fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let first = Listener::tcp("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        let address = first.address().unwrap();
        let error = Listener::tcp(address, 16).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
