//! TLS, for calls and for sockets alike.

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tiltyard_client::connection::Destination;
use tiltyard_client::socket::Received;
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::endpoint::call;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 41\r\n\r\n{\"items\":[],\"next_cursor\":null,\"total\":0}";

/// Whether the next connection speaks HTTP or WebSocket.
#[derive(Clone, Copy)]
enum Speaks {
    Http,
    WebSocket,
}

/// A server with a certificate of its own: its port, and the certificate as PEM.
async fn serve(speaks: Speaks) -> (u16, Vec<u8>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a pair");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let config =
        builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).expect("a pair");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that does not trust us hangs up.
            let Ok(stream) = acceptor.accept(tcp).await else { continue };
            match speaks {
                Speaks::Http => answer(stream).await,
                Speaks::WebSocket => ping(stream).await,
            }
        }
    });
    (port, cert.pem().into_bytes())
}

async fn answer(mut stream: TlsStream<TcpStream>) {
    let mut head = [0; 4096];
    if stream.read(&mut head).await.is_ok() {
        drop(stream.write_all(ANSWER.as_bytes()).await);
        drop(stream.shutdown().await);
    }
}

async fn ping(stream: TlsStream<TcpStream>) {
    let mut socket = tokio_tungstenite::accept_async(stream).await.expect("upgrades");
    socket.send(Message::text(r#"{"type":"ping","nonce":1}"#)).await.expect("sends");
    drop(socket.next().await);
}

fn client(url: String, trusted_pem: Option<Vec<u8>>) -> Client {
    Client::new(&Destination { url, trusted_pem, ..Destination::default() }).expect("is a destination")
}

#[tokio::test]
async fn sec10_calls_and_sockets_speak_tls_with_a_named_certificate() {
    let (port, pem) = serve(Speaks::Http).await;
    let client_of = |port| client(format!("https://localhost:{port}"), Some(pem.clone()));
    let scopes = client_of(port).call(Request::<call::ScopeList>::new()).await.expect("answers");
    assert!(scopes.items.is_empty());

    let (port, pem) = serve(Speaks::WebSocket).await;
    let client = client(format!("https://localhost:{port}"), Some(pem));
    let (_sender, mut receiver) = client.connect_agent().await.expect("connects");
    assert!(matches!(receiver.receive().await, Ok(Received::Frame(_))));
}

#[tokio::test]
async fn sec10_a_certificate_that_nobody_vouches_for_is_refused() {
    let (port, pem) = serve(Speaks::Http).await;
    let call = |client: Client| async move { client.call(Request::<call::ScopeList>::new()).await };
    let error = call(client(format!("https://localhost:{port}"), None)).await.expect_err("is not trusted");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let other = client(format!("https://127.0.0.1:{port}"), Some(pem));
    let error = call(other.clone()).await.expect_err("is another name");
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    assert!(matches!(other.connect_agent().await.err(), Some(Error::Unreachable { .. })));
}
