//! TLS by this server (SEC10).

use crate::support::{Raw, Server};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tiltyard_server::edge::Settings;
use tiltyard_server::edge::host::Scheme;
use tiltyard_server::edge::listener::Listener;
use tiltyard_server::edge::tls;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

struct Pair {
    _folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
    trusted: CertificateDer<'static>,
}

fn pair() -> Pair {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    Pair { _folder: folder, certificate, key, trusted: cert.der().clone() }
}

fn start(pair: &Pair, settings: Settings) -> Server {
    let acceptor = tls::acceptor(&pair.certificate, &pair.key).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_tls(acceptor);
    Server::serve(listener, Settings { scheme: Scheme::Https, ..settings })
}

async fn connect(server: &Server, pair: &Pair) -> Raw<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(pair.trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    Raw::new(stream, server.port)
}

#[tokio::test]
async fn sec10_the_server_speaks_tls() {
    let pair = pair();
    let server = start(&pair, Settings::default());
    let mut raw = connect(&server, &pair).await;
    for _ in 0..2 {
        raw.ask("GET /api/v1/health", &[&format!("Origin: https://localhost:{}", server.port)]).await;
        assert_eq!(raw.answer().await.status, 200);
    }
    raw.ask("GET /api/v1/health", &[&format!("Origin: http://localhost:{}", server.port)]).await;
    assert_eq!(raw.answer().await.refusal().0, 403, "plain HTTP is another origin");
}

#[tokio::test]
async fn sec13_the_limit_of_connections_is_told_over_tls_too() {
    let pair = pair();
    let server = start(&pair, Settings { max_connections: 0, ..Settings::default() });
    let mut raw = connect(&server, &pair).await;
    assert_eq!(raw.answer().await.refusal(), (503, "too_many_connections".into()));
}

#[tokio::test]
async fn sec10_plain_text_at_a_tls_port_is_not_answered() {
    let pair = pair();
    let server = start(&pair, Settings::default());
    let mut raw = server.connect().await;
    raw.ask("GET /api/v1/health", &[]).await;
    let heard = raw.rest().await;
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
}

#[test]
fn sec10_bad_certificate_files_are_named() {
    let (pair, other) = (pair(), pair());
    let missing = pair.key.with_file_name("none.pem");
    let said = |certificate, key| tls::acceptor(certificate, key).err().unwrap().to_string();
    assert!(said(&missing, &pair.key).contains("none.pem"));
    assert!(said(&pair.certificate, &pair.certificate).contains("private key"));
    assert!(said(&pair.certificate, &other.key).contains("one pair"));
}
