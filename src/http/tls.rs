//! HTTPS: certificate and key to what the listener needs.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::private::{self, Private};
use crate::limits::Current;

/// Why there is no HTTPS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds no such thing.
    #[error("{path}: {why}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: pem::Error,
    },
    /// The key cannot be read, or others can read it.
    #[error(transparent)]
    Key(#[from] Private),
    /// The certificate file holds no certificate.
    #[error("{0}: there is no certificate in it")]
    Empty(String),
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("certificate and key cannot be used: {0}")]
    Unfit(rustls::Error),
}

/// Certificate and key of a server that runs; others may take their place.
pub struct Tls(Current<TlsAcceptor>);

impl Tls {
    /// With these.
    pub fn new(acceptor: TlsAcceptor) -> Tls {
        Tls(Current::new(acceptor))
    }

    /// Connections from now on get these.
    pub fn set(&self, acceptor: TlsAcceptor) {
        self.0.set(acceptor);
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::clone(&self.0.get())
    }
}

/// Reads a certificate chain and its key. What clients may speak is what rustls offers: TLS 1.3, and 1.2 with a fresh key
/// exchange and authenticated encryption; there is no setting that allows more.
///
/// # Errors
/// When a file cannot be read, others can read the key, or the two do not fit.
pub fn acceptor(cert_file: &Path, key_file: &Path) -> Result<TlsAcceptor, TlsError> {
    let wrong = |path: &Path, why| TlsError::File { path: path.display().to_string(), why };
    let chain = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| wrong(cert_file, why))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(cert_file.display().to_string()));
    }
    let key = private::read(key_file)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|why| wrong(key_file, why))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
