//! A server that answers as the test says.

use axum::Router;
use std::net::SocketAddr;
use tiltyard_client::Client;
use tiltyard_client::connection::Destination;
use tiltyard_wire::model::secret::Secret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server, ended with its handle.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(routes: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
        Self { address, task }
    }

    pub(crate) fn client(&self) -> Client {
        client(&format!("http://{}", self.address))
    }
}

pub(crate) fn client(url: &str) -> Client {
    let token = Some(Secret::new("jst_hush".to_owned()));
    let destination = Destination { url: url.to_owned(), token, ..Destination::default() };
    Client::new(&destination).expect("is a destination")
}

/// The members of a problem document that every one has.
pub(crate) fn problem(status: u16, code: &str) -> String {
    serde_json::json!({
        "type": format!("/docs/problem/{code}"), "title": "Title", "status": status, "detail": "What happened.",
        "error": "What happened.", "code": code, "request_id": "r-1", "now": 7,
    })
    .to_string()
}
