//! The certificate that clients are shown, renewed while the process runs.
//!
//! Owns: the files, and who is believed before and after. Never: tests TLS itself (`wire_secure`).

use std::path::{Path, PathBuf};

use mysql_async::{Conn, OptsBuilder, SslOpts};
use rcgen::{CertificateParams, KeyPair};

use crate::support::proxy::{self, Proxy};
use crate::support::reaper;
use crate::support::rig;

/// A certificate of this machine that signs itself, and its key, as PEM texts.
fn made() -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

/// Whether a client that trusts this certificate alone gets in.
fn lets_in(proxy: &Proxy, trusted: &Path) -> bool {
    let ssl = SslOpts::default()
        .with_root_certs(vec![trusted.to_path_buf().into()])
        .with_disable_built_in_roots(true);
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(proxy.port)
        .user(Some(proxy::USER))
        .pass(Some(proxy::USER))
        .prefer_socket(false)
        .ssl_opts(ssl);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        match Conn::new(opts).await {
            Ok(conn) => conn.disconnect().await.is_ok(),
            Err(_) => false,
        }
    })
}

struct Files {
    directory: PathBuf,
}

impl Files {
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

#[test]
fn a_renewed_certificate_is_shown_after_a_reload_and_a_wrong_one_changes_nothing() {
    for rig in rig::shared_kinds() {
        let files = Files { directory: reaper::directory("certificates") };
        let ((old, old_key), (new, new_key)) = (made(), made());
        let (old_ca, new_ca) = (files.write("old.pem", &old), files.write("new.pem", &new));
        let (cert, key) = (files.write("cert.pem", &old), files.write("key.pem", &old_key));
        let tls = |line: String| ("tls", line);
        let settings = [
            tls("mode: preferred".to_owned()),
            tls(format!("cert: '{}'", cert.display())),
            tls(format!("key: '{}'", key.display())),
        ];
        let (proxy, _rules) = rig.another(&settings).expect("Weir starts");
        assert!(lets_in(&proxy, &old_ca) && !lets_in(&proxy, &new_ca));

        // Half of a renewal: the key doesn't fit.
        files.write("cert.pem", &new);
        let refused = proxy.admin("RELOAD").expect_err("a refusal");
        assert!(refused.contains("tls") && refused.contains("cert.pem"), "{refused}");
        assert!(lets_in(&proxy, &old_ca));

        files.write("key.pem", &new_key);
        let told = proxy.admin("RELOAD").expect("a reload");
        assert!(told[0][1].contains("TLS certificate"), "{told:?}");
        assert!(lets_in(&proxy, &new_ca) && !lets_in(&proxy, &old_ca));
        assert_eq!(proxy.admin("RELOAD").expect("a reload")[0][0], "unchanged");
    }
}
