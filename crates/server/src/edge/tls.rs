//! TLS by this server (SEC10): certificate files, rustls with ring, HTTP/1.1.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Why the certificate files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or holds no such thing.
    #[error("cannot read {what} from {path}: {source}; give a PEM file that holds one")]
    Unreadable {
        /// A certificate chain or a private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: pem::Error,
    },
    /// They do not fit each other or are of a sort that is not known.
    #[error("the certificate and the key do not work together: {0}; check that they are of one pair")]
    Unusable(#[from] rustls::Error),
}

/// Reads a certificate chain and its key from PEM files.
///
/// # Errors
/// [`TlsError`], which names the file.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |what, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Unreadable { what, path, source }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(unreadable("a certificate", certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable("a private key", key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
