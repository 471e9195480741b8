//! A fake agent: it speaks the agent protocol and does no work.

use anyhow::{Context, bail};
use std::time::Duration;
use tiltyard_client::socket::{Received, Receiver, Sender};
use tiltyard_client::{Client, Error};
use tiltyard_wire::frame::{Assign, FromAgent, Hello, PROTOCOL, Settle, ToAgent, Welcome};
use tiltyard_wire::task::work::{Lease, Reported};

/// How long a frame that a test waits for may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection of an agent.
pub struct FakeAgent {
    sender: Sender<FromAgent>,
    receiver: Receiver<ToAgent>,
}

/// What a fake agent says of itself, unless a test says otherwise.
pub fn hello(name: &str, slots: u32) -> Hello {
    Hello { protocol: PROTOCOL, name: name.to_owned(), instance: "one".to_owned(), slots, ..Hello::default() }
}

impl FakeAgent {
    /// Connects and says nothing.
    ///
    /// # Errors
    /// When the connection is refused.
    pub async fn connect(client: &Client) -> Result<Self, Error> {
        let (sender, receiver) = client.connect_agent().await?;
        Ok(Self { sender, receiver })
    }

    /// Connects, says hello, and waits for welcome.
    ///
    /// # Errors
    /// When it is not welcome.
    pub async fn welcome(client: &Client, hello: Hello) -> anyhow::Result<(Self, Welcome)> {
        let mut agent = Self::connect(client).await?;
        agent.say(FromAgent::Hello(hello)).await?;
        match agent.hear().await? {
            ToAgent::Welcome(welcome) => Ok((agent, welcome)),
            other => bail!("no welcome: {other:?}"),
        }
    }

    /// Says a frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, frame: FromAgent) -> Result<(), Error> {
        self.sender.send(&frame).await
    }

    /// The next frame; pings are answered on the way.
    ///
    /// # Errors
    /// When the connection is gone, or nothing comes.
    pub async fn hear(&mut self) -> anyhow::Result<ToAgent> {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.receiver.receive()).await;
            match received.context("no frame came")?? {
                Received::Frame(ToAgent::Ping(ping)) => self.say(FromAgent::Pong(ping)).await?,
                Received::Frame(frame) => return Ok(frame),
                Received::Unreadable(why) => bail!("an unreadable frame: {why}"),
            }
        }
    }

    /// The next frame, which assigns a task.
    ///
    /// # Errors
    /// When another one comes.
    pub async fn assigned(&mut self) -> anyhow::Result<Assign> {
        match self.hear().await? {
            ToAgent::Assign(assign) => Ok(*assign),
            other => bail!("no task: {other:?}"),
        }
    }

    /// Settles an assigned task as done; the answer comes as a frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn settle(&mut self, lease: Lease) -> Result<(), Error> {
        let Lease { id, generation } = lease;
        let outcome = Reported::Succeeded;
        let settle = Settle { id, generation, outcome, result: None, error: None, retryable: None };
        self.say(FromAgent::Settle(settle)).await
    }

    /// The code with which the server closes, whatever frames come before.
    ///
    /// # Errors
    /// When it does not close.
    pub async fn closed(&mut self) -> anyhow::Result<u16> {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.receiver.receive()).await;
            match received.context("nothing closed it")? {
                Ok(_) => {}
                Err(Error::Closed { code, .. }) => return Ok(code),
                Err(other) => return Err(other.into()),
            }
        }
    }
}

/// The lease of an assigned task.
pub fn lease_of(assign: &Assign) -> Lease {
    Lease { id: assign.task.id, generation: assign.task.generation }
}
