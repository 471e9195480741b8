//! Frames and messages of sockets survive the wire, whatever JSON they carry.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tiltyard_wire::event::{FromReader, ToReader};
use tiltyard_wire::frame::{FromAgent, ToAgent};

const TASK: &str = "task_01h2xcejqtf2nbrexx3vqjhp41";

fn same_after_reading<T: DeserializeOwned + Serialize>(text: &str) {
    let read: T = serde_json::from_str(text).expect(text);
    assert_eq!(serde_json::to_string(&read).expect("writes"), text);
}

// C2: one schema a frame; what an agent says with JSON of its own in it is read as it was written.
#[test]
fn c2_frames_of_agents_are_read() {
    for text in [
        format!(
            r#"{{"type":"settle","id":"{TASK}","generation":3,"outcome":"succeeded","result":{{"a": [1.50]}}}}"#
        ),
        format!(r#"{{"type":"accept","id":"{TASK}","generation":3}}"#),
        format!(r#"{{"type":"renew","leases":[{{"id":"{TASK}","generation":3}}]}}"#),
        format!(r#"{{"type":"log","id":"{TASK}","generation":3,"offset":7,"text":"x"}}"#),
        r#"{"type":"pong","nonce":4}"#.to_owned(),
    ] {
        same_after_reading::<FromAgent>(&text);
    }
}

#[test]
fn c2_frames_to_agents_are_read() {
    let task = format!(
        r#"{{"id":"{TASK}","scope":"default","queue":"default","kind":"command","title":"x","payload":{{"argv": ["a"]}},"priority":5,"category":null,"labels":[],"capabilities":[],"depends_on":[],"run_at":null,"deadline":null,"timeout_ms":1,"max_attempts":3,"backoff":{{"kind":"fixed","base_ms":1,"max_ms":1,"jitter":"none"}},"unique_key":null,"unique_for_ms":null,"concurrency_key":null,"concurrency_limit":null,"rate_key":null,"rate_per_minute":null,"assign_to":null,"on_dependency_failure":"cancel","state":"running","generation":1,"attempts":0,"agent":"a","created_at":"2026-11-20T07:14:00.123Z","ready_at":null,"started_at":null,"ended_at":null,"result":null,"error":null}}"#
    );
    same_after_reading::<ToAgent>(&format!(r#"{{"type":"assign","task":{task},"lease_ms":30000}}"#));
    same_after_reading::<ToAgent>(r#"{"type":"drain","draining":true}"#);
    let dropped =
        format!(r#"{{"type":"drop","leases":[{{"id":"{TASK}","generation":3,"code":"stale_generation"}}]}}"#);
    same_after_reading::<ToAgent>(&dropped);
}

// API21: an event inside a message keeps its data as it was written.
#[test]
fn api21_messages_of_event_sockets_are_read() {
    let event = r#"{"specversion":"1.0","id":"1-2","source":"/s","type":"tiltyard.task.ready","subject":"x","time":"2026-11-20T07:14:00.123Z","datacontenttype":"application/json","data":{"a": 1.0},"scope":"default","actor":"a","sequence":"2","seq":2,"scope_seq":1}"#;
    same_after_reading::<ToReader>(&format!(r#"{{"type":"event","event":{event}}}"#));
    same_after_reading::<ToReader>(r#"{"type":"ping"}"#);
    same_after_reading::<FromReader>(r#"{"type":"subscribe","id":"a","filter":{"types":"task"}}"#);
    same_after_reading::<FromReader>(r#"{"type":"pong"}"#);
}

// C2: both sides ignore unknown fields, and a type that is not known is an error that names it.
#[test]
fn c2_readers_are_lenient() {
    let frame = format!(r#"{{"id":"{TASK}","later":{{"x":1}},"generation":3,"type":"accept"}}"#);
    assert!(matches!(serde_json::from_str(&frame), Ok(FromAgent::Accept(lease)) if lease.generation == 3));
    let error = serde_json::from_str::<FromAgent>(r#"{"type":"sing"}"#).expect_err("no such frame");
    assert!(error.to_string().contains("sing"), "{error}");
    assert!(serde_json::from_str::<FromAgent>(r#"{"id":1}"#).is_err());
    assert!(serde_json::from_str::<FromAgent>("[]").is_err());
}
