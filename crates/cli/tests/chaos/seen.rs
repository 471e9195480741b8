//! What the store holds, read through the API by somebody who believes nothing else.

use crate::line::Line;
use crate::server::Server;
use serde_json::Value;
use std::collections::BTreeMap;

/// Events of one page, the most there are.
const PAGE_EVENTS: usize = 1_000;
/// Tasks of one page, the most there are.
const PAGE_TASKS: usize = 100;
/// How often tasks are read anew because services moved some meanwhile.
const MAX_READS: usize = 200;

/// The whole log, followed by cursor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// Every event so far.
    pub(crate) events: Vec<Value>,
    cursor: Option<String>,
}

impl Log {
    /// Reads what has come since.
    pub(crate) async fn follow(&mut self, line: &mut Line) {
        loop {
            let after = self.cursor.as_deref().unwrap_or("0");
            let page = read(line, &format!("/events?limit={PAGE_EVENTS}&after={after}")).await;
            let items = page["items"].as_array().expect("a page has items");
            self.events.extend(items.iter().cloned());
            self.cursor = Some(page["next_cursor"].as_str().expect("a page has a cursor").to_owned());
            if items.len() < PAGE_EVENTS {
                return;
            }
        }
    }
}

/// Tasks and log at one moment, and the attempts of every task.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Every task, by id.
    pub(crate) tasks: BTreeMap<String, Value>,
    /// Every event, by seq.
    pub(crate) events: Vec<Value>,
    /// Every attempt, by task, where they were asked for.
    pub(crate) attempts: Option<BTreeMap<String, Vec<Value>>>,
}

/// Tasks and log at one moment.
pub(crate) async fn look(server: &Server, log: &mut Log) -> Seen {
    let mut line = server.line();
    for _ in 0..MAX_READS {
        log.follow(&mut line).await;
        let before = log.events.len();
        let tasks = tasks(&mut line).await;
        log.follow(&mut line).await;
        if log.events.len() == before {
            return Seen { tasks, events: log.events.clone(), attempts: None };
        }
    }
    panic!("the store never rests")
}

/// The same with every attempt.
pub(crate) async fn look_closely(server: &Server, log: &mut Log) -> Seen {
    let mut seen = look(server, log).await;
    let mut line = server.line();
    let mut attempts = BTreeMap::new();
    for id in seen.tasks.keys() {
        let found = read(&mut line, &format!("/tasks/{id}/attempts")).await;
        attempts.insert(id.clone(), found["items"].as_array().expect("a page has items").clone());
    }
    seen.attempts = Some(attempts);
    seen
}

async fn tasks(line: &mut Line) -> BTreeMap<String, Value> {
    let mut tasks = BTreeMap::new();
    let mut path = format!("/tasks?limit={PAGE_TASKS}");
    loop {
        let page = read(line, &path).await;
        for task in page["items"].as_array().expect("a page has items") {
            tasks.insert(task["id"].as_str().expect("a task has an id").to_owned(), task.clone());
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/tasks?limit={PAGE_TASKS}&cursor={cursor}"),
            None => return tasks,
        }
    }
}

/// Reads what must be readable.
pub(crate) async fn read(line: &mut Line, path: &str) -> Value {
    let answer = line.get(path).await.expect("a running server answers");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}
