//! Reading frames. Written by hand because serde's own way loses something: for a tag inside an object it builds the
//! object in memory first, and JSON that is carried as text (`payload`, `result`, `data`) cannot come out of that.

use super::{FromAgent, ToAgent};
use crate::event::{FromReader, ToReader};
use crate::task::work::Lease;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use tiltyard_model::id::Id;

/// The tag of a frame; everything else is passed over.
#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// A frame with a body, read as the body's own type.
fn body<'a, T: Deserialize<'a>, E: Error>(text: &'a str) -> Result<T, E> {
    serde_json::from_str(text).map_err(E::custom)
}

macro_rules! read {
    ($name:ident { $($tag:literal => |$text:ident| $frame:expr,)+ }) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let raw = Box::<RawValue>::deserialize(from)?;
                let tag: Tag<'_> = body(raw.get())?;
                match &*tag.kind {
                    $($tag => {
                        let $text = raw.get();
                        Ok($frame)
                    })+
                    other => Err(D::Error::unknown_variant(other, &[$($tag,)+])),
                }
            }
        }
    };
}

read!(FromAgent {
    "hello" => |text| Self::Hello(body(text)?),
    "accept" => |text| Self::Accept(body::<Loose, _>(text)?.into()),
    "refuse" => |text| Self::Refuse(body(text)?),
    "renew" => |text| Self::Renew(body(text)?),
    "progress" => |text| Self::Progress(body(text)?),
    "log" => |text| Self::Log(body(text)?),
    "settle" => |text| Self::Settle(body(text)?),
    "stopping" => |text| Self::Stopping(body::<Loose, _>(text)?.into()),
    "stopped" => |text| Self::Stopped(body::<Loose, _>(text)?.into()),
    "resources" => |text| Self::Resources(body(text)?),
    "pong" => |text| Self::Pong(body(text)?),
});

read!(ToAgent {
    "welcome" => |text| Self::Welcome(body(text)?),
    "assign" => |text| Self::Assign(body(text)?),
    "settled" => |text| Self::Settled(body(text)?),
    "keep" => |text| Self::Keep(body(text)?),
    "drop" => |text| Self::Drop(body(text)?),
    "cancel" => |text| Self::Cancel(body(text)?),
    "drain" => |text| Self::Drain(body(text)?),
    "ping" => |text| Self::Ping(body(text)?),
    "error" => |text| Self::Error(body(text)?),
});

read!(FromReader {
    "subscribe" => |text| Self::Subscribe(body(text)?),
    "unsubscribe" => |text| Self::Unsubscribe(body(text)?),
    "pong" => |_text| Self::Pong,
});

read!(ToReader {
    "event" => |text| Self::Event { event: body::<EventMember, _>(text)?.event },
    "subscribed" => |text| Self::Subscribed { id: body::<IdMember, _>(text)?.id },
    "unsubscribed" => |text| Self::Unsubscribed { id: body::<IdMember, _>(text)?.id },
    "lagged" => |text| Self::Lagged { cursor: body::<CursorMember, _>(text)?.cursor },
    "ping" => |_text| Self::Ping,
    "error" => |text| body::<ErrorMembers, _>(text)?.into(),
});

#[derive(Deserialize)]
struct EventMember {
    event: Box<crate::event::Event>,
}

#[derive(Deserialize)]
struct IdMember {
    id: String,
}

#[derive(Deserialize)]
struct CursorMember {
    cursor: String,
}

#[derive(Deserialize)]
struct ErrorMembers {
    code: String,
    detail: String,
    request_id: String,
}

impl From<ErrorMembers> for ToReader {
    fn from(ErrorMembers { code, detail, request_id }: ErrorMembers) -> Self {
        Self::Error { code, detail, request_id }
    }
}

/// A lease as frames carry it: unknown fields are passed over, as in every frame.
#[derive(Deserialize)]
struct Loose {
    id: Id,
    generation: i64,
}

impl From<Loose> for Lease {
    fn from(Loose { id, generation }: Loose) -> Self {
        Self { id, generation }
    }
}

/// Leases inside a frame.
pub(super) fn leases<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Lease>, D::Error> {
    Ok(Vec::<Loose>::deserialize(from)?.into_iter().map(Lease::from).collect())
}
