//! One keep-alive connection that speaks just enough HTTP/1.1 to load a server and cost little itself.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A connection with its token.
pub(crate) struct Connection {
    stream: TcpStream,
    head: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\n");
        Ok(Self { stream, head, request: Vec::new(), answer: Vec::new() })
    }

    /// Posts JSON and gives the answer's body; anything but 2xx is an error.
    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> Result<&[u8]> {
        self.ask("POST", path, body).await
    }

    /// Gets JSON; anything but 2xx is an error.
    pub(crate) async fn get(&mut self, path: &str) -> Result<&[u8]> {
        self.ask("GET", path, &[]).await
    }

    async fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<&[u8]> {
        self.request.clear();
        let head = format!(
            "{method} /api/v1{path} HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.head,
            body.len()
        );
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;
        let (status, from, to) = self.read().await?;
        let body = &self.answer[from..to];
        if !(200..300).contains(&status) {
            bail!("{path}: {status} {}", String::from_utf8_lossy(body));
        }
        Ok(body)
    }

    async fn read(&mut self) -> Result<(u16, usize, usize)> {
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some(head) = find(&self.answer) {
                let (status, length) = parse(&self.answer[..head])?;
                let whole = head + 4 + length;
                while self.answer.len() < whole {
                    self.answer.reserve(whole - self.answer.len());
                    if self.stream.read_buf(&mut self.answer).await? == 0 {
                        bail!("the server broke off");
                    }
                }
                return Ok((status, head + 4, whole));
            }
        }
    }
}

fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

fn parse(head: &[u8]) -> Result<(u16, usize)> {
    let text = std::str::from_utf8(head)?;
    let status = text.get(9..12).context("no status")?.parse()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.context("an answer without Content-Length")?;
    if length > MAX_ANSWER_BYTES {
        bail!("an answer of {length} bytes");
    }
    Ok((status, length))
}
