//! Certificates of a throw-away authority, for servers and clients of a run.
//!
//! Owns: one authority per process and what it signed. Never: weakens a check; every certificate
//! names `localhost` and `127.0.0.1`.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::reaper;

/// Paths of PEM files.
pub struct Certificates {
    pub authority: PathBuf,
    pub server: PathBuf,
    pub server_key: PathBuf,
    pub client: PathBuf,
    pub client_key: PathBuf,
    /// An authority that signed nothing here: verification against it must fail.
    pub stranger: PathBuf,
}

/// This process's certificates, made at the first call.
pub fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(|| make().unwrap_or_else(|error| panic!("certificates: {error}")))
}

fn make() -> Result<Certificates, Box<dyn std::error::Error>> {
    let directory = reaper::directory("tls");
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).map(|()| path)
    };
    let key = KeyPair::generate()?;
    let params = authority("Weir test authority")?;
    let authority_path = write("ca.pem", params.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(params, key);
    let sign = |name: &str| -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        Ok((params.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
    };
    let (server, server_key) = sign("weir test server")?;
    let (client, client_key) = sign("weir test client")?;
    let stranger = authority("Weir test stranger")?.self_signed(&KeyPair::generate()?)?;
    Ok(Certificates {
        authority: authority_path,
        server: write("server.pem", server)?,
        server_key: write("server-key.pem", server_key)?,
        client: write("client.pem", client)?,
        client_key: write("client-key.pem", client_key)?,
        stranger: write("stranger.pem", stranger.pem())?,
    })
}

fn authority(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(params)
}
