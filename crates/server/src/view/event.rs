//! Events as they are shown: CloudEvents 1.0 (D50), the members of `wire::event::Event`, in its order. Rendered on
//! reading, from columns.

use crate::pen::{self, Pen};
use sha2::{Digest, Sha256};
use tiltyard_engine::Engine;
use tiltyard_engine::event::Event;
use tiltyard_model::event::cursor;
use tiltyard_model::id::Noun;

/// What an event usually takes, in bytes.
pub(crate) const ROOM_BYTES: usize = 768;

/// The name of a store in its events: with an event's id it is unique among all stores, as CloudEvents want it. It
/// follows from what the store's ids follow from, and does not tell that.
pub(crate) fn source_of(engine: &Engine) -> String {
    let own = engine.store().forge().id(Noun::Act, 0);
    let digest = Sha256::digest(own.to_string());
    let name = digest[..8].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("/tiltyard/{name}")
}

/// Writes an event of the store that `source` names.
pub(crate) fn write(out: &mut Vec<u8>, event: &Event, source: &str) {
    pen::object(out, |pen| {
        pen.any("specversion", &"1.0");
        pen.any("id", &id(event));
        pen.any("source", &source);
        pen.any("type", &event.kind.wire());
        pen.any("subject", &event.subject.to_string());
        pen.time("time", Some(event.time));
        pen.any("datacontenttype", &"application/json");
        pen.raw("data", Some(&event.data));
        extensions(pen, event);
    });
}

/// The same as a line: what files and exports hold.
pub(crate) fn write_line(out: &mut Vec<u8>, event: &Event, source: &str) {
    write(out, event, source);
    out.push(b'\n');
}

fn extensions(pen: &mut Pen<'_>, event: &Event) {
    pen.any("scope", &event.scope);
    pen.any("actor", &event.actor);
    pen.some("requestid", event.request.as_ref());
    if let Some(task) = event.task {
        pen.id("taskid", task);
    }
    if let Some(run) = event.run {
        pen.id("runid", run);
    }
    pen.any("sequence", &event.seq.to_string());
    pen.any("seq", &event.seq);
    pen.any("scope_seq", &event.scope_seq);
}

/// The id of an event: what a reader resumes after.
pub(crate) fn id(event: &Event) -> String {
    cursor::id(event.epoch, event.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::event::{Subject, Type};
    use tiltyard_wire::event as wire;

    fn event(request: Option<&str>) -> Event {
        Event {
            seq: 7,
            epoch: 2,
            scope: "default".into(),
            scope_seq: 3,
            kind: Type::TaskReady,
            time: 0,
            actor: "ada".into(),
            request: request.map(str::to_owned),
            subject: Subject::Name("x\n".into()),
            task: None,
            run: None,
            data: r#"{"cause": 1.0}"#.into(),
        }
    }

    // D50: a CloudEvent of the store, with our own numbers beside it; its data is passed on as it was written.
    #[test]
    fn d50_an_event_reads_back_as_the_contract_has_it() {
        let mut out = Vec::new();
        write(&mut out, &event(Some("r-1")), "/s");
        let read: wire::Event = serde_json::from_slice(&out).unwrap();
        assert_eq!((read.specversion.as_str(), read.id.as_str(), read.source.as_str()), ("1.0", "2-7", "/s"));
        assert_eq!((read.kind.as_str(), read.subject.as_str()), ("tiltyard.task.ready", "x\n"));
        assert_eq!((read.sequence.as_str(), read.seq, read.scope_seq), ("7", 7, 3));
        assert_eq!((read.requestid.as_deref(), read.taskid), (Some("r-1"), None));
        assert_eq!(read.data.get(), r#"{"cause": 1.0}"#);
        assert!(!out.contains(&b'\n'), "an event is one line, so that a stream can carry it as one");
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let mut out = Vec::new();
        write(&mut out, &event(None), "/s");
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains("requestid") && !text.contains("taskid") && !text.contains("runid"), "{text}");
    }
}
