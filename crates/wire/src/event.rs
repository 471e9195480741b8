//! Events on the wire: CloudEvents 1.0 (D50).

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tiltyard_model::id::Id;

/// Most events of one page.
pub const MAX_PAGE_EVENTS: u32 = 1_000;

/// One event.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// `1.0`.
    pub specversion: String,
    /// `epoch-seq`.
    pub id: String,
    /// The store.
    pub source: String,
    /// `tiltyard.<noun>.<what happened>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id or name of the thing.
    pub subject: String,
    /// When.
    pub time: Time,
    /// `application/json`.
    pub datacontenttype: String,
    /// As the type's schema says.
    #[schemars(with = "serde_json::Value")]
    pub data: Box<RawValue>,
    /// The scope.
    pub scope: String,
    /// Who.
    pub actor: String,
    /// The request that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requestid: Option<String>,
    /// The task it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taskid: Option<Id>,
    /// The run it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runid: Option<Id>,
    /// `seq` as text, as the CloudEvents extension wants it.
    pub sequence: String,
    /// Gap-free in the store.
    pub seq: i64,
    /// Gap-free in the scope.
    pub scope_seq: i64,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "EventQuery")]
pub struct Query {
    /// After this one: `epoch-seq`, `0`, or a seq of the present epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Types or nouns, by comma: `task.ready,gate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The id or name of the thing; a task's also finds what belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// 1 to 1,000, clamped; 100 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A page of events, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "EventPage")]
pub struct Page {
    /// Oldest first.
    pub items: Vec<Event>,
    /// The last id seen: ask with it as `after` for what follows. Never null. A filter is tried on a bounded stretch
    /// of the log, so that a page may hold few events or none and yet not be the last.
    pub next_cursor: String,
    /// The id of the log's last event: the page is the last one when `next_cursor` is the same.
    pub latest: String,
}

/// From the reader of a socket (API21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromReader {
    /// Adds a filter under a name of the reader's choice.
    Subscribe(Subscribe),
    /// Takes it away.
    Unsubscribe(Unsubscribe),
    /// Answers `ping`.
    Pong,
}

/// A filter at run time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Subscribe {
    /// The reader's name for it.
    pub id: String,
    /// As in the query.
    pub filter: Query,
}

/// A filter that ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unsubscribe {
    /// The reader's name for it.
    pub id: String,
}

/// To the reader of a socket.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToReader {
    /// An event.
    Event {
        /// The event.
        event: Box<Event>,
    },
    /// A filter was added or taken away.
    Subscribed {
        /// The reader's name for it.
        id: String,
    },
    /// A filter was taken away.
    Unsubscribed {
        /// The reader's name for it.
        id: String,
    },
    /// The reader was too slow; go on from the cursor.
    Lagged {
        /// The last id sent.
        cursor: String,
    },
    /// Are you there.
    Ping,
    /// A message was not taken.
    Error {
        /// The code of the refusal.
        code: String,
        /// One sentence.
        detail: String,
        /// The request id of the message.
        request_id: String,
    },
}
