//! Where the server is and how it is reached: address, token, TLS.

use crate::error::Error;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_wire::model::secret::Secret;

/// Longest time until a connection stands.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence in an answer; longer than the longest wait of a claim.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Where to call, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Destination {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// The token; absent for a server without tokens, and for what is open.
    pub token: Option<Secret<String>>,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub trusted_pem: Option<Vec<u8>>,
    /// Who calls: the `User-Agent`.
    pub program: String,
}

/// A destination that has been read.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) url: String,
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    pub(crate) fn read(url: &str) -> Result<Self, Error> {
        let bad = |reason: &str| Error::BadAddress { url: url.to_owned(), reason: reason.to_owned() };
        let uri: http::Uri =
            url.parse().map_err(|_| bad("expected http://host:port or https://host:port"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it must hold no user or password; use a token"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad("it must end after the port"));
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, secure, host: authority.host().to_owned(), port })
    }

    /// The host as the name system knows it: without the brackets of an IPv6 address.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// TLS for this destination. Reading the system's certificates takes time, so plain HTTP trusts nobody instead.
pub(crate) fn tls(destination: &Destination, address: &Address) -> Result<Arc<ClientConfig>, Error> {
    let bad = |reason: String| Error::BadAddress { url: address.url.clone(), reason };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?;
    let config = match &destination.trusted_pem {
        _ if !address.secure => builder.with_root_certificates(rustls::RootCertStore::empty()),
        Some(pem) => builder.with_root_certificates(trusted(pem).map_err(bad)?),
        None => builder.with_platform_verifier().map_err(|error| bad(error.to_string()))?,
    };
    Ok(Arc::new(config.with_no_client_auth()))
}

fn trusted(pem: &[u8]) -> Result<rustls::RootCertStore, String> {
    let mut store = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("its certificate is not PEM: {error}"))?;
        store.add(certificate).map_err(|error| format!("its certificate cannot be used: {error}"))?;
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        let address = Address::read("https://tilt.example/").expect("is one");
        assert_eq!((address.secure, address.port, address.url.as_str()), (true, 443, "https://tilt.example"));
        assert_eq!(Address::read("http://[::1]:8470").expect("is one").bare_host(), "::1");
        for bad in ["", "localhost", "ftp://x", "http://", "http://u:p@x", "http://x/api", "http://x?y=1"] {
            assert!(Address::read(bad).is_err(), "{bad}");
        }
    }
}
