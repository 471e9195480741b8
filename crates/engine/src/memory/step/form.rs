//! How words of the model are written down in a step, where they have no written form of their own. The compiler
//! compares each form with its word, so a field that is added there is asked for here.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tiltyard_model::agent::record::Record;
use tiltyard_model::agent::{self, Profile};
use tiltyard_model::id::Id;
use tiltyard_model::role::{self, Role};
use tiltyard_model::time::TimeMs;
use tiltyard_model::{scope, sign_in};

/// A scope.
#[derive(Serialize, Deserialize)]
#[serde(remote = "scope::Scope")]
pub(crate) struct Scope {
    name: String,
    description: String,
    created_at: TimeMs,
}

/// An agent.
#[derive(Serialize, Deserialize)]
#[serde(remote = "agent::Agent")]
pub(crate) struct Agent {
    name: String,
    instance: Option<String>,
    profile: Profile,
    draining: bool,
    created_at: TimeMs,
    last_seen: Option<TimeMs>,
    record: Arc<Record>,
}

/// A caller.
#[derive(Serialize, Deserialize)]
#[serde(remote = "role::Caller")]
pub(crate) struct Caller {
    token: Option<Id>,
    owner: String,
    groups: Vec<String>,
    role: Role,
    #[serde(with = "Reach")]
    reach: role::Reach,
    queues: Option<Vec<String>>,
    agent: Option<String>,
    expires: Option<TimeMs>,
    sign_in: Option<i64>,
}

/// What a token reaches.
#[derive(Serialize, Deserialize)]
#[serde(remote = "role::Reach")]
pub(crate) enum Reach {
    All,
    Only(Vec<String>),
}

/// A sign-in or a code.
#[derive(Serialize, Deserialize)]
#[serde(remote = "sign_in::SignIn")]
pub(crate) struct SignIn {
    key: i64,
    #[serde(with = "Kind")]
    kind: sign_in::Kind,
    token: Option<i64>,
    expires: TimeMs,
}

/// What of the two.
#[derive(Serialize, Deserialize)]
#[serde(remote = "sign_in::Kind")]
pub(crate) enum Kind {
    Code,
    SignIn,
}

/// A caller that many know.
pub(crate) mod shared_caller {
    use serde::{Deserializer, Serializer};
    use std::sync::Arc;
    use tiltyard_model::role::Caller;

    pub(crate) fn serialize<S: Serializer>(caller: &Caller, serializer: S) -> Result<S::Ok, S::Error> {
        super::Caller::serialize(caller, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Caller>, D::Error> {
        super::Caller::deserialize(deserializer).map(Arc::new)
    }
}

/// A boxed scope.
pub(crate) mod boxed_scope {
    use serde::{Deserializer, Serializer};
    use tiltyard_model::scope::Scope;

    pub(crate) fn serialize<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
        super::Scope::serialize(scope, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Scope>, D::Error> {
        super::Scope::deserialize(deserializer).map(Box::new)
    }
}

/// A boxed agent.
pub(crate) mod boxed_agent {
    use serde::{Deserializer, Serializer};
    use tiltyard_model::agent::Agent;

    pub(crate) fn serialize<S: Serializer>(agent: &Agent, serializer: S) -> Result<S::Ok, S::Error> {
        super::Agent::serialize(agent, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Agent>, D::Error> {
        super::Agent::deserialize(deserializer).map(Box::new)
    }
}
