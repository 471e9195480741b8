//! The lines that the program writes about itself (O20).

use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tiltyard_cli::log::LevelHandle;
use tiltyard_cli::log::rotate::RotatingFile;
use tiltyard_cli::log::subscriber::{Lines, Sinks, Style};
use tiltyard_cli::output::style::Paint;
use tiltyard_cli::settings::LogLevel;
use tiltyard_model::secret::Secret;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("is not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("is not poisoned").clone()).expect("is UTF-8")
    }

    /// Every line without its time.
    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let objects = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("is JSON"));
        objects
            .map(|mut line| {
                let time = line.as_object_mut().and_then(|line| line.remove("ts")).expect("has a time");
                assert!(tiltyard_model::time::parse_rfc3339(time.as_str().expect("is text")).is_some());
                line
            })
            .collect()
    }
}

fn logged(level: LogLevel, style: Style, work: impl FnOnce(&LevelHandle)) -> Buffer {
    let buffer = Buffer::default();
    let handle = LevelHandle::new(level);
    let lines = Lines::new(handle.clone(), Sinks::new(Box::new(buffer.clone()), style, None));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || work(&handle));
    buffer
}

#[test]
fn o20_a_line_is_one_json_object_with_the_fields_of_its_spans() {
    let buffer = logged(LogLevel::Info, Style::Json, |_| {
        let request =
            tracing::info_span!(target: "api", "request", request_id = "r1", task_id = tracing::field::Empty);
        let _inside = request.enter();
        request.record("task_id", "task_1");
        tracing::info!(target: "api", method = "GET", path = "/tasks", status = 200, duration_ms = 1.5, "GET /tasks\n200");
    });
    assert_eq!(
        buffer.lines(),
        [json!({"level": "info", "target": "api", "msg": "GET /tasks\n200", "request_id": "r1",
            "task_id": "task_1", "method": "GET", "path": "/tasks", "status": 200, "duration_ms": 1.5})]
    );
    let text = buffer.text();
    let places: Vec<_> =
        ["\"ts\"", "\"level\"", "\"target\"", "\"msg\"", "\"request_id\"", "\"task_id\"", "\"method\""]
            .map(|name| text.find(name).expect("is there"))
            .to_vec();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn o20_tokens_and_secrets_are_redacted_by_type_by_name_and_by_pattern() {
    let buffer = logged(LogLevel::Info, Style::Json, |_| {
        let by_type = Secret::new("hunter-type".to_owned());
        tracing::info!(target: "security", key = %by_type, dump = ?by_type, "by type");
        tracing::info!(target: "security", authorization = "Bearer hunter-name", admin_token = "hunter-name", "by name");
        let token = format!("jst_{}", "0hunter".repeat(9));
        tracing::info!(target: "security", url = "/events?token=hunter-pattern", "by pattern {token}");
    });
    let text = buffer.text();
    assert!(!text.contains("hunter"), "{text}");
    assert_eq!(text.matches("[redacted]").count(), 6, "{text}");
}

#[test]
fn o20_the_level_is_changed_at_run_time() {
    let speak = || {
        tracing::debug!(target: "store", "quiet");
        tracing::warn!(target: "store", "loud");
    };
    let buffer = logged(LogLevel::Warn, Style::Json, |handle| {
        speak();
        handle.set_level(LogLevel::Debug);
        assert_eq!(handle.level(), LogLevel::Debug);
        speak();
        handle.set_level(LogLevel::Error);
        speak();
    });
    let messages: Vec<_> = buffer.lines().iter().map(|line| line["msg"].clone()).collect();
    assert_eq!(messages, ["loud", "quiet", "loud"]);
}

#[test]
fn o20_libraries_are_heard_from_warn_on_and_keep_to_the_list_of_targets() {
    let buffer = logged(LogLevel::Trace, Style::Json, |_| {
        tracing::info!(target: "hyper::proto", "chatter");
        tracing::warn!(target: "hyper::proto", "trouble");
        tracing::debug!(target: "tiltyard_engine::door", "ours");
    });
    let lines = buffer.lines();
    assert_eq!(
        lines[0],
        json!({"level": "warn", "target": "api", "module": "hyper::proto", "msg": "trouble"})
    );
    assert_eq!((lines.len(), &lines[1]["target"]), (2, &json!("scheduler")));
}

#[test]
fn o20_sec17_pretty_lines_obey_nobody() {
    let buffer = logged(LogLevel::Info, Style::Pretty(Paint::Plain), |_| {
        tracing::info!(target: "agent", agent = "a\x1b[2J", "title \u{202e}evil\nfake line");
    });
    let text = buffer.text();
    assert_eq!(&text[12..], " INFO  agent     title \\u{202e}evil\\nfake line agent=a\\u{1b}[2J\n");
}

#[test]
fn o20_the_file_gets_json_beside_a_pretty_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("server.log");
    let buffer = Buffer::default();
    let file = RotatingFile::open(&path).expect("opens");
    let sinks = Sinks::new(Box::new(buffer.clone()), Style::Pretty(Paint::Plain), Some(file));
    let lines = Lines::new(LevelHandle::new(LogLevel::Info), sinks);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
        tracing::error!(target: "merge", "it broke");
    });
    let line: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("is there")).expect("is JSON");
    assert_eq!((&line["msg"], &line["level"]), (&json!("it broke"), &json!("error")));
    assert!(buffer.text().contains("ERROR merge     it broke"));
}
