//! TLS: settings from PEM files, and the change of a running stream to TLS.
//!
//! Owns: the four client modes and what each verifies; that no plain byte survives the change.
//! Never: decides who must use TLS.
//!
//! Bytes that came in one segment with the TLS request go into the TLS handshake and nowhere else:
//! a client may well send its hello at once, while a plain command smuggled in there (the class of
//! CVE-2021-3935) is refused.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::error::{Error, Result};
use crate::protocol::error_code;
use crate::wire::stream::Stream;
use crate::wire::transport::{Prefixed, Socket, Transport};

/// How Weir, as a client, uses TLS towards a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TlsMode {
    /// Never.
    Off,
    /// Where the server offers it, without looking at its certificate.
    #[default]
    Preferred,
    /// Always, without looking at the certificate.
    Required,
    /// The certificate must come from a trusted authority.
    VerifyCa,
    /// And name the host that was connected to.
    VerifyIdentity,
}

/// Settings for connections to backends.
#[derive(Clone, Debug)]
pub struct ClientTls {
    pub mode: TlsMode,
    config: Arc<ClientConfig>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn setting(what: &str, path: &Path, why: impl std::fmt::Display) -> Error {
    Error::internal(format!("TLS {what} {}: {why}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(list) if !list.is_empty() => Ok(list),
        Ok(_) => Err(setting("certificate", path, "the file holds none")),
        Err(error) => Err(setting("certificate", path, error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| setting("key", path, error))
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| setting("authority", path, error))?;
    }
    Ok(store)
}

/// A server's settings, from PEM files: its chain and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    pub config: Arc<ServerConfig>,
    /// SHA-256 of both files.
    pub source: [u8; 32],
}

impl Identity {
    /// # Errors
    /// A file that can't be read, holds nothing, or a key that doesn't fit the certificate.
    pub fn read(certificate: &Path, key: &Path) -> Result<Identity> {
        let mut source = Sha256::new();
        for (what, path) in [("certificate", certificate), ("key", key)] {
            source.update(std::fs::read(path).map_err(|error| setting(what, path, error))?);
        }
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| setting("versions for", certificate, error))?
            .with_no_client_auth()
            .with_single_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| setting("certificate", certificate, error))?;
        Ok(Identity { config: Arc::new(config), source: source.finalize().into() })
    }
}

impl ClientTls {
    /// Settings of a mode. `authority` is a PEM file of trusted certificates, needed by the two
    /// verifying modes; `identity` is a certificate and its key for servers that ask for one.
    pub fn new(
        mode: TlsMode,
        authority: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal(format!("TLS versions: {error}")))?;
        let verifier: Arc<dyn ServerCertVerifier> = match (mode, authority) {
            (TlsMode::VerifyCa | TlsMode::VerifyIdentity, None) => {
                return Err(Error::internal("TLS mode verify-* needs a file of authorities"));
            }
            (TlsMode::VerifyCa | TlsMode::VerifyIdentity, Some(path)) => {
                let inner =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(roots(path)?), provider())
                        .build()
                        .map_err(|error| setting("authority", path, error))?;
                if mode == TlsMode::VerifyCa { Arc::new(AnyName(inner)) } else { inner }
            }
            _ => Arc::new(AnyCertificate(provider())),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| setting("certificate", certificate, error))?,
        };
        Ok(ClientTls { mode, config: Arc::new(config) })
    }
}

impl Stream {
    /// Goes on in TLS as a server, after the client's TLS request was read. Sequence ids go on.
    /// The caller bounds the time; a dropped future leaves a closed stream.
    ///
    /// # Errors
    /// 1043 where bytes that aren't TLS came with the request, or the handshake fails.
    pub async fn accept_tls(&mut self, config: Arc<ServerConfig>) -> Result<()> {
        let (prefix, socket) = self.take_socket()?;
        // A TLS record of type handshake begins with 0x16: refuse early what can't be one. The
        // socket is dropped with it.
        if prefix.first().is_some_and(|&byte| byte != 0x16) {
            return Err(error_code::bad_handshake("plain bytes follow the TLS request"));
        }
        let accepted = TlsAcceptor::from(config).accept(Prefixed::new(prefix, socket)).await;
        let stream =
            accepted.map_err(|error| error_code::bad_handshake(&format!("TLS: {error}")))?;
        self.transport = Transport::Tls(Box::new(TlsStream::Server(stream)));
        Ok(())
    }

    /// Goes on in TLS as a client, after the TLS request was flushed. `host` is what the
    /// certificate must name in mode verify-identity.
    pub async fn connect_tls(&mut self, tls: &ClientTls, host: &str) -> Result<()> {
        if !self.buffer().is_empty() {
            let text = "the backend sent plain bytes before TLS began";
            return Err(Error::unavailable("tls", text).fatal());
        }
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::unavailable("tls", format!("`{host}` is no name for TLS")))?;
        let (prefix, socket) = self.take_socket()?;
        let connector = TlsConnector::from(tls.config.clone());
        let connected = connector.connect(name, Prefixed::new(prefix, socket)).await;
        let stream = connected.map_err(|error| {
            Error::unavailable("tls", format!("TLS with `{host}`: {error}")).fatal()
        })?;
        self.transport = Transport::Tls(Box::new(TlsStream::Client(stream)));
        Ok(())
    }

    /// The socket and what was read ahead, leaving a closed stream with an empty buffer.
    fn take_socket(&mut self) -> Result<(Vec<u8>, Socket)> {
        if self.pending_write() > 0 {
            return Err(Error::internal("TLS begins with a plain packet unsent").fatal());
        }
        let prefix = self.buffer().to_vec();
        self.consume(prefix.len());
        match std::mem::replace(&mut self.transport, Transport::Closed) {
            Transport::Plain(socket) => Ok((prefix, socket)),
            _ => Err(error_code::bad_handshake("TLS is on already")),
        }
    }
}

/// Takes any certificate: the modes that only want encryption.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies the chain and not the name: mode verify-ca.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last, so the chain was found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
