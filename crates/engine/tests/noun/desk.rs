//! Who asks, and what the record says afterwards.

use crate::rig::Rig;
use tiltyard_engine::act::Act;
use tiltyard_engine::{Pass, Urgency};
use tiltyard_model::audit::Entry;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::{Caller, Reach, Role};
use tiltyard_store::event::Event;
use tiltyard_store::{Rows, audit, event};

/// A caller of that role with these scopes; `*` for all.
pub(crate) fn caller(role: Role, scopes: &[&str]) -> Caller {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Caller { role, owner: "ada".into(), reach: Reach::from_list(&scopes), ..Caller::system() }
}

pub(crate) fn admin() -> Caller {
    caller(Role::Admin, &["*"])
}

impl Rig {
    /// Does a deed for a caller.
    pub(crate) async fn act_as<T: Send + 'static>(
        &self,
        caller: &Caller,
        deed: impl FnOnce(&mut Act<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let pass =
            Pass { caller: caller.clone(), request_id: Some("r1".into()), client: Some("192.0.2.7".into()) };
        self.engine.enter(pass, Urgency::Normal, deed).await
    }

    /// Reads from the store.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Rows) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.engine.read(read).await
    }

    /// Every event of the log, oldest first.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let all = event::Filter::default();
        let read =
            move |rows: &Rows| event::after(rows, 0, &all, 1_000).map_err(tiltyard_engine::act::refusal_of);
        self.read(read).await.expect("reads")
    }

    /// Types and scopes of the events of a noun, oldest first: `queue.updated@default`.
    pub(crate) async fn told_of(&self, noun: &str) -> Vec<String> {
        let of_noun = |event: &Event| event.kind.as_str().split('.').next() == Some(noun);
        let told = |event: Event| format!("{}@{}", event.kind.as_str(), event.scope);
        self.events().await.into_iter().filter(of_noun).map(told).collect()
    }

    /// One audit chain from its first entry on.
    pub(crate) async fn chain(&self, chain: &'static str) -> Vec<Entry> {
        let read =
            move |rows: &Rows| audit::chain(rows, chain, 0, 1_000).map_err(tiltyard_engine::act::refusal_of);
        self.read(read).await.expect("reads")
    }

    /// The actions of a chain, in order.
    pub(crate) async fn acts_of(&self, chain: &'static str) -> Vec<String> {
        self.chain(chain).await.into_iter().map(|entry| entry.action).collect()
    }
}
