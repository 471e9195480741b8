//! Dead letters as they are shown: the members of `wire::dead_letter::View`, in its order.

use crate::pen;
use serde_json::json;
use tiltyard_model::dead_letter::{Group, Letter};
use tiltyard_wire::dead_letter as wire;
use tiltyard_wire::time::Time;

/// What a letter without its payloads usually takes, in bytes.
const ROOM_BYTES: usize = 1_024;

/// Writes a letter.
pub(crate) fn write(out: &mut Vec<u8>, letter: &Letter) {
    pen::object(out, |pen| {
        pen.id("id", letter.id);
        pen.any("scope", &letter.scope);
        pen.id("task", letter.task);
        pen.any("status", &letter.state);
        pen.any("title", &letter.title);
        pen.any("queue", &letter.queue);
        pen.any("kind", &letter.kind);
        pen.any("category", &letter.category);
        pen.any("error", &letter.error);
        pen.any("agent", &letter.agent);
        pen.time("failed_at", Some(letter.failed_at));
        pen.any("attempts", &letter.attempts);
        pen.any("retries", &letter.retries);
        pen.any("fingerprint", &letter.fingerprint);
        pen.any("reason", &letter.reason);
        pen.raw("payload", Some(&letter.payload));
        if letter.original_payload.is_some() {
            pen.raw("original_payload", letter.original_payload.as_deref());
        }
        pen.any("metadata", &metadata(letter));
    });
}

fn metadata(letter: &Letter) -> serde_json::Value {
    json!({"created_by": letter.created_by, "labels": letter.labels, "priority": letter.priority})
}

/// A letter alone, as text.
pub(crate) fn text(letter: &Letter) -> Vec<u8> {
    let mut out = Vec::with_capacity(ROOM_BYTES + letter.payload.len());
    write(&mut out, letter);
    out
}

/// Letters of one cause.
pub(crate) fn group(group: Group) -> wire::Group {
    wire::Group {
        scope: group.scope,
        fingerprint: group.fingerprint,
        kind: group.kind,
        error: group.error,
        pending: group.pending,
        total: group.total,
        first_at: Time(group.first_at),
        last_at: Time(group.last_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::dead_letter::State;
    use tiltyard_model::id::{Id, Noun};

    // What is written by hand is what the wire's own type writes: no member more, less or elsewhere.
    #[test]
    fn d10_a_letter_is_written_as_the_wire_has_it() {
        let letter = Letter {
            id: Id::from_parts(Noun::DeadLetter, 7, 8),
            scope: "default".into(),
            task: Id::from_parts(Noun::Task, 9, 8),
            state: State::Dismissed,
            fingerprint: "f".into(),
            category: None,
            error: "say \"no\"".into(),
            agent: Some("me".into()),
            failed_at: 5,
            attempts: 3,
            retries: 1,
            reason: Some("r".into()),
            payload: r#"{"x":[1.50]}"#.into(),
            original_payload: Some("1.0".into()),
            title: "t".into(),
            queue: "q".into(),
            kind: "k".into(),
            priority: 4,
            labels: vec!["l".into()],
            created_by: "ada".into(),
        };
        for letter in [Letter { original_payload: None, ..letter.clone() }, letter] {
            let text = String::from_utf8(text(&letter)).unwrap();
            let read: wire::View = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!((&*read.status, read.payload.get()), ("dismissed", r#"{"x":[1.50]}"#));
        }
    }
}
