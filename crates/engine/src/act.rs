//! What a deed works with: rows, memory, time, and the record of what it does.

pub mod name;
pub mod record;

use crate::clock::Now;
use crate::memory::Memory;
use serde::{Deserialize, Serialize};
use tiltyard_model::event::Type;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_store::{Error, Tx};

/// Who enters, and how the record names the visit.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Who.
    pub caller: Caller,
    /// The request.
    pub request_id: Option<String>,
    /// The address of the caller.
    pub client: Option<String>,
}

impl Pass {
    /// The program itself.
    pub fn system() -> Self {
        Self { caller: Caller::system(), request_id: None, client: None }
    }
}

/// A deed at work, inside the door.
pub struct Act<'a> {
    /// Rows, to read and write.
    pub tx: &'a Tx,
    /// The memory beside them.
    pub memory: &'a mut Memory,
    /// Now, the same for everything in one deed.
    pub now: Now,
    /// Who.
    pub pass: &'a Pass,
    /// The store's epoch.
    pub epoch: i64,
    /// Drawn for this deed, 0.0 to below 1.0.
    pub chance: f64,
    /// What is to be done after the commit.
    pub effects: &'a mut Vec<Effect>,
}

/// What is done after the commit, listed as data during the deed. What the world is told comes first, in an order that
/// stays: it is written into the journal (`journal.rs`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// An agent is to be told to stop an attempt (D4).
    StopAttempt {
        /// The agent.
        agent: String,
        /// The task.
        task: Id,
        /// The generation.
        generation: i64,
        /// Why.
        reason: String,
    },
    /// A token has ended: its streams and sockets close (SEC19).
    TokenEnded {
        /// The token.
        token: Id,
    },
    /// A browser is signed out: its streams and sockets close.
    SignInEnded,
    /// An agent is to be told to take nothing new, or to take work again.
    AgentDrain {
        /// The agent.
        agent: String,
        /// Whether it drains.
        draining: bool,
    },
    /// An agent has connected: whoever spoke for it on an older connection is superseded, on whichever server (API23).
    AgentConnected {
        /// The agent.
        agent: String,
        /// The number of the connection; newer ones have greater ones.
        number: u64,
    },
    /// An event was written: the door counts it, nobody is told.
    #[serde(skip)]
    Written(Type),
    /// A lease began so long after its task had become ready: the door counts it, nobody is told.
    #[serde(skip)]
    Started {
        /// In milliseconds.
        waited_ms: i64,
    },
    /// A task is gone for good, and what it had stored may go too. A server that dies before it has done it, and every other
    /// that shares the store, finds it by looking around.
    #[serde(skip)]
    TaskGone {
        /// The task's key.
        task: i64,
        /// Bytes that its attempts had named.
        digests: Vec<String>,
    },
    /// A claim found nothing: the door counts it, nobody is told.
    #[serde(skip)]
    Idle,
    /// Something of a run is to begin: whoever does that on this server is woken.
    #[serde(skip)]
    ToBegin,
    /// This server has missed what others did, and made its memory anew: whoever is connected to it begins anew too.
    #[serde(skip)]
    LostTrack,
}

impl Effect {
    /// Whether the world is told, by whichever server has the agent or the stream.
    pub fn is_told(&self) -> bool {
        match self {
            Self::StopAttempt { .. }
            | Self::TokenEnded { .. }
            | Self::SignInEnded
            | Self::AgentDrain { .. }
            | Self::AgentConnected { .. } => true,
            Self::Written(_)
            | Self::Started { .. }
            | Self::TaskGone { .. }
            | Self::Idle
            | Self::ToBegin
            | Self::LostTrack => false,
        }
    }
}

impl Act<'_> {
    /// Goes on as the program itself: what follows by the rules is not the act of whoever set it off.
    ///
    /// # Errors
    /// What `deed` says.
    pub(crate) fn as_system<T>(
        &mut self,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.in_name_of(&Caller::system().owner, deed)
    }

    /// The same in somebody's name: what they once asked for is done now.
    ///
    /// # Errors
    /// What `deed` says.
    pub(crate) fn in_name_of<T>(
        &mut self,
        owner: &str,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let caller = Caller { owner: owner.to_owned(), ..Caller::system() };
        let pass = Pass { caller, request_id: self.pass.request_id.clone(), client: None };
        deed(&mut Act {
            tx: self.tx,
            memory: &mut *self.memory,
            now: self.now,
            pass: &pass,
            epoch: self.epoch,
            chance: self.chance,
            effects: &mut *self.effects,
        })
    }

    /// A new key: it grows with every call, and tells the time as long as fewer than 32,768 are made a millisecond.
    pub fn next_key(&mut self) -> i64 {
        let at_least = Id::key_at(self.now.wall, 0);
        let hints = self.memory.hints();
        hints.last_key = at_least.max(hints.last_key + 1);
        hints.last_key
    }

    /// Does a part that may be refused without the rest: what it wrote is then taken back, the rest stands, and the
    /// inner result says why.
    ///
    /// # Errors
    /// When the part cannot be taken back by itself, and the whole deed must fail: the database has taken back the
    /// whole transaction, as it does on a full disk.
    pub fn part<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Result<T, Refusal>, Refusal> {
        let (mark, effects) = (self.memory.mark(), self.effects.len());
        self.tx.save_part().map_err(refusal_of)?;
        let refusal = match part(self) {
            Ok(done) => return self.tx.keep_part().map_err(refusal_of).map(|()| Ok(done)),
            Err(refusal) => refusal,
        };
        self.memory.rollback_to(mark);
        self.effects.truncate(effects);
        match self.tx.undo_part() {
            Ok(()) => Ok(Err(refusal)),
            // There is nothing left to go back to: the part's own refusal says why, where the store is not at fault.
            Err(_) if matches!(refusal.code, Code::StorageLow | Code::Overloaded) => Err(refusal),
            Err(error) => Err(refusal_of(error)),
        }
    }

    /// Does one of many things that have nothing to do with each other, as a part: one that fails is logged and left as
    /// it is, so that it does not keep the others from being done. Says whether it was done.
    ///
    /// # Errors
    /// What every one of them would meet: a full disk, a record that cannot be written; as [`Act::part`].
    pub(crate) fn one_of_many(
        &mut self,
        what: &'static str,
        key: i64,
        thing: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        match self.part(thing)? {
            Ok(()) => Ok(true),
            Err(refusal) if refusal.kind() == Kind::Overloaded => Err(refusal),
            Err(refusal) => {
                tracing::error!(target: "scheduler", what, key, "left as it is: {refusal}");
                Ok(false)
            }
        }
    }

    /// The id of a key.
    pub fn id(&self, noun: Noun, key: i64) -> Id {
        self.tx.id(noun, key)
    }
}

/// What a fault of the store means to a caller.
pub fn refusal_of(error: Error) -> Refusal {
    match error {
        Error::Full(_) | Error::Unsynced(_) => Refusal::new(
            Code::StorageLow,
            "the disk of the data folder is full: nothing was written; make room and try again",
        )
        .retry_after(5_000),
        Error::Busy(reason) => Refusal::new(Code::Overloaded, reason).retry_after(1_000),
        Error::Unknown(reason) => Refusal::new(
            Code::StorageBroken,
            format!(
                "whether this was done is not known: look before it is asked for again (a request with the same Idempotency-Key, or \
                 of the same generation, is never done twice): {reason}"
            ),
        )
        .retry_after(5_000),
        Error::Lost(reason) => Refusal::new(
            Code::StoreUnreachable,
            format!(
                "the database cannot be reached, nothing of this was done: try again in a moment ({reason})"
            ),
        )
        .retry_after(1_000),
        Error::Locked(reason) => Refusal::new(
            Code::StoreUnreachable,
            format!("this server cannot use the store, nothing of this was done: ask another one ({reason})"),
        )
        .retry_after(1_000),
        other => Refusal::new(Code::Internal, format!("the store refused the write: {other}")),
    }
}
