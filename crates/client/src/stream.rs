//! Following something: server-sent events that resume by themselves after a break, without gap or repeat.

use crate::error::Error;
use crate::http::{Client, Download};
use crate::request::Request;
use crate::sse::{Message, Parser};
use std::collections::VecDeque;
use std::time::Duration;
use tiltyard_wire::endpoint::{Call, call};
use tiltyard_wire::{event, task};

/// Longest silence of a stream: the server's heartbeat comes every 5 s (API20).
pub const MAX_SILENCE: Duration = Duration::from_secs(15);
/// Longest pause before a stream is opened again.
pub const MAX_PAUSE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What comes out of a stream.
#[derive(Debug)]
pub enum Item<T> {
    /// The next one.
    Next(T),
    /// The connection broke; the stream is opened again where it ended. For telling people; it may be ignored.
    Broken(Error),
}

/// A row that streams, and how it is asked to go on after the last thing seen.
pub trait Follow: Call {
    /// One thing of the stream.
    type Item;

    /// The parameters for what follows the message with that id.
    fn resume(query: &Self::Query, last_id: &str) -> Self::Query;

    /// Reads a message; `None` for one that carries nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(message: &Message) -> Result<Option<Self::Item>, serde_json::Error>;

    /// Whether this message says that nothing follows.
    fn is_last(message: &Message) -> bool;
}

impl Follow for call::EventStream {
    type Item = event::Event;

    fn resume(query: &event::Query, last_id: &str) -> event::Query {
        event::Query { after: Some(last_id.to_owned()), ..query.clone() }
    }

    fn read(message: &Message) -> Result<Option<event::Event>, serde_json::Error> {
        serde_json::from_str(&message.data).map(Some)
    }

    fn is_last(_: &Message) -> bool {
        false
    }
}

impl Follow for call::TaskLog {
    type Item = String;

    /// The id of a piece of log is the offset behind it.
    fn resume(query: &task::LogQuery, last_id: &str) -> task::LogQuery {
        task::LogQuery { offset: last_id.parse().ok().or(query.offset), ..query.clone() }
    }

    fn read(message: &Message) -> Result<Option<String>, serde_json::Error> {
        Ok(Some(message.data.clone()))
    }

    fn is_last(message: &Message) -> bool {
        message.event.as_deref() == Some("end")
    }
}

/// A stream that resumes by itself.
pub struct Following<C: Follow> {
    client: Client,
    places: Vec<String>,
    query: C::Query,
    open: Option<Open>,
    /// Of the last message handed out.
    last_id: Option<String>,
    /// Of the last message read; those between are in `waiting`.
    resume_id: Option<String>,
    waiting: VecDeque<Message>,
    breaks: u32,
    ended: bool,
}

struct Open {
    download: Download,
    parser: Parser,
}

impl Client {
    /// Follows a row that streams. Nothing is sent before the first [`Following::next`].
    pub fn follow<C: Follow>(&self, request: Request<C>) -> Following<C> {
        Following {
            client: self.clone(),
            places: request.places,
            query: request.query,
            open: None,
            last_id: None,
            resume_id: None,
            waiting: VecDeque::new(),
            breaks: 0,
            ended: false,
        }
    }
}

impl<C: Follow> Following<C>
where
    C::Query: Clone,
{
    /// The next item; `None` when the stream has said that nothing follows. It resumes for as long as it is
    /// asked.
    ///
    /// # Errors
    /// What trying again cannot mend: no right, a cursor that is gone (410), a message that cannot be read;
    /// and whatever keeps the stream from being opened the first time.
    pub async fn next(&mut self) -> Result<Option<Item<C::Item>>, Error> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                if let Some(item) = self.read(&message)? {
                    return Ok(Some(item));
                }
                continue;
            }
            if self.ended {
                return Ok(None);
            }
            if let Err(error) = self.fill().await {
                let first = self.resume_id.is_none() && self.breaks == 0 && self.open.is_none();
                self.open = None;
                if first || !error.is_passing() {
                    return Err(error);
                }
                self.breaks += 1;
                return Ok(Some(Item::Broken(error)));
            }
        }
    }

    /// The id of the last message: where another stream would resume.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn read(&mut self, message: &Message) -> Result<Option<Item<C::Item>>, Error> {
        self.last_id.clone_from(&message.id);
        if C::is_last(message) {
            self.ended = true;
            return Ok(None);
        }
        let unreadable = |error: serde_json::Error| Error::Unreadable {
            url: self.client.url().to_owned(),
            status: 200,
            reason: error.to_string(),
        };
        Ok(C::read(message).map_err(unreadable)?.map(Item::Next))
    }

    /// Opens the stream if need be, and reads the next piece of it.
    async fn fill(&mut self) -> Result<(), Error> {
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let interrupted = |reason: &str| Error::Interrupted {
            url: self.client.url().to_owned(),
            reason: reason.to_owned(),
        };
        let piece = tokio::time::timeout(MAX_SILENCE, open.download.next()).await;
        let piece = piece.map_err(|_| interrupted("nothing was heard for 15 s"))??;
        let piece = piece.ok_or_else(|| interrupted("the stream ended"))?;
        self.breaks = 0;
        self.waiting.extend(open.parser.feed(&piece).map_err(|error| interrupted(&error.to_string()))?);
        // An id without data says where the stream begins: a break before the first message loses nothing.
        if let Some(id) = open.parser.last_id() {
            self.resume_id = Some(id.to_owned());
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Open, Error> {
        if self.breaks > 0 {
            tokio::time::sleep(pause(self.breaks)).await;
        }
        let mut request = Request::<C>::new();
        request.places.clone_from(&self.places);
        request.query = match &self.resume_id {
            Some(id) => C::resume(&self.query, id),
            None => self.query.clone(),
        };
        Ok(Open { download: self.client.download(request).await?, parser: Parser::default() })
    }
}

fn pause(breaks: u32) -> Duration {
    MAX_PAUSE.min(FIRST_PAUSE * 2_u32.pow(breaks.min(10) - 1))
}
