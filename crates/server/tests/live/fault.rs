//! What no client of ours sends: bytes on a socket that are no messages, and how each is closed (API23).

use crate::support::{server, soon};
use tiltyard_testkit::{ADMIN_TOKEN, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A socket of a reader of events, spoken byte by byte.
struct Bare(TcpStream);

impl Bare {
    async fn connect(server: &TestServer) -> Self {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "GET /api/v1/events/ws HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            server.address().port()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Self(stream)
    }

    /// A frame with a mask of zeros, which leaves its bytes as they are.
    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).unwrap();
        let frame = [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat();
        self.0.write_all(&frame).await.unwrap();
    }

    /// The code of its close frame, whatever comes before.
    async fn closed(&mut self) -> u16 {
        loop {
            let (first, second) = (self.0.read_u8().await.unwrap(), self.0.read_u8().await.unwrap());
            let length = match second {
                126 => usize::from(self.0.read_u16().await.unwrap()),
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.unwrap();
            if first == 0x88 {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

// API23: what is no WebSocket, no text or too large is told so by the code of its close.
#[tokio::test]
async fn api23_faults_of_the_protocol_have_their_codes() {
    let server = server().await;
    let too_large = [0x81, 0xff, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    let unmasked = [0x81, 0x02, b'{', b'}'];
    for (bytes, code) in [(&too_large[..], 1009), (&unmasked, 1002), (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007)]
    {
        let mut bare = Bare::connect(&server).await;
        bare.0.write_all(bytes).await.unwrap();
        assert_eq!(soon(bare.closed()).await, code);
    }
}

// API23: twenty invalid messages one upon the other close a reader's socket with 4422, and not its silence later on.
#[tokio::test]
async fn api23_invalid_messages_close_a_socket() {
    let server = server().await;
    let mut bare = Bare::connect(&server).await;
    for _ in 0..20 {
        bare.send(1, b"junk").await;
    }
    assert_eq!(soon(bare.closed()).await, 4422);
}
