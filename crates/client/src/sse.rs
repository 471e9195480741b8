//! Server-sent events, as the HTML standard writes them: bytes in, messages out. Bounded.

/// Largest message in bytes, its name and id included.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its `id:`; the last one before it when it has none of its own.
    pub id: Option<String>,
    /// Its `event:`.
    pub event: Option<String>,
    /// Its `data:` lines.
    pub data: String,
}

/// A message grew beyond [`MAX_MESSAGE_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message of the stream is larger than {MAX_MESSAGE_BYTES} bytes")]
pub struct TooLarge;

/// Puts messages together from pieces that end anywhere.
#[derive(Debug, Default)]
pub struct Parser {
    /// Bytes of the line that has not ended yet.
    rest: Vec<u8>,
    /// The message that has not ended yet.
    open: Message,
    has_data: bool,
    /// The last `id:` that was read; it counts once its message has ended.
    read_id: Option<String>,
    last_id: Option<String>,
}

impl Parser {
    /// Takes a piece and gives the messages that end in it.
    ///
    /// # Errors
    /// [`TooLarge`]; the parser is of no use after it.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<Message>, TooLarge> {
        let mut messages = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if self.rest.len() + self.open.data.len() > MAX_MESSAGE_BYTES {
                return Err(TooLarge);
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.rest);
                let line = String::from_utf8_lossy(&line);
                messages.extend(self.line(line.trim_end_matches(['\r', '\n'])));
            }
        }
        Ok(messages)
    }

    /// The id of the last message that has ended: where to resume. A message that breaks off will come again.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            return self.end();
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if self.has_data {
                    self.open.data.push('\n');
                }
                self.open.data.push_str(value);
                self.has_data = true;
            }
            "event" => self.open.event = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.read_id = Some(value.to_owned()),
            // Comments (heartbeats) have an empty name; `retry` and unknown fields are ignored.
            _ => {}
        }
        None
    }

    fn end(&mut self) -> Option<Message> {
        let mut message = std::mem::take(&mut self.open);
        self.last_id.clone_from(&self.read_id);
        message.id.clone_from(&self.last_id);
        std::mem::take(&mut self.has_data).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 1-7\nevent: task\ndata: {\"a\":1}\n\nid: 1-8\r\ndata: two\r\ndata:lines\r\n\r\n: beat\n\nevent: none\n\n";

    // API20: messages are the same wherever the network cuts them.
    #[test]
    fn api20_messages_survive_any_cut() {
        let expected = [
            Message { id: Some("1-7".into()), event: Some("task".into()), data: "{\"a\":1}".into() },
            Message { id: Some("1-8".into()), event: None, data: "two\nlines".into() },
        ];
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let pieces = STREAM.as_bytes().chunks(size);
            let messages: Vec<_> = pieces.flat_map(|piece| parser.feed(piece).expect("is small")).collect();
            assert_eq!(messages, expected, "in pieces of {size}");
            assert_eq!(parser.last_id(), Some("1-8"));
        }
    }

    // API20: a message that breaks off behind its id has not been seen: resuming must bring it again.
    #[test]
    fn api20_an_id_counts_when_its_message_has_ended() {
        let mut parser = Parser::default();
        for (piece, id) in [("id: 1-7\n\n", "1-7"), ("id: 1-8\ndata: x\n", "1-7"), ("\n", "1-8")] {
            parser.feed(piece.as_bytes()).expect("is small");
            assert_eq!(parser.last_id(), Some(id), "{piece:?}");
        }
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; MAX_MESSAGE_BYTES / 2 + 1];
        assert!(parser.feed(&piece).is_ok());
        assert_eq!(parser.feed(&piece), Err(TooLarge));
    }
}
