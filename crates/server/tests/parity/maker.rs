//! Requests by chance, from the contract: every operation, every parameter, every member of every body, mostly right.
//!
//! Where an id belongs stands `#n`: the n-th that came up, which each side knows by its own text.

use crate::chance::Chance;
use crate::plain::Names;
use serde_json::{Map, Value, json};
use tiltyard_wire::time::Time;

/// What is left out: streams and sockets do not end; a registration waits for an agent; links to the contract itself.
const LEFT_OUT: &[&str] = &[
    "EventStream",
    "EventSocket",
    "AgentConnect",
    "RepositoryPut",
    "OpenApi",
    "SchemaGet",
    "SchemaList",
    "SystemSettings",
];
/// What tells of the machine, of which only the status is compared.
const MEASURES: &[&str] = &[
    "MetricsGet",
    "HealthGet",
    "SystemStore",
    "SystemInfo",
    "LogLevelGet",
    "SystemMigrations",
    "Prometheus",
    "Ready",
    "Healthy",
];
/// Operations that make work, asked more often.
const OFTEN: &[&str] =
    &["TaskSubmit", "TaskClaim", "TaskComplete", "TaskFail", "TaskSettle", "TaskSubmitBatch"];
/// How much more often.
const OFTENER: usize = 8;
/// Deepest nesting of what is made.
const MAX_DEPTH: usize = 6;

pub(crate) struct Maker {
    chance: Chance,
    operations: Vec<Operation>,
    schemas: Value,
    /// The nouns of ids that came up, by number.
    nouns: Vec<String>,
    /// What the clock shows.
    pub(crate) now: i64,
}

struct Operation {
    name: String,
    method: &'static str,
    path: String,
    parameters: Vec<Value>,
    body: Option<Value>,
}

/// A request; its ids are still numbers.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) operation: String,
    pub(crate) method: &'static str,
    path: String,
    body: Option<String>,
}

impl Asked {
    pub(crate) fn path(&self, ids: &[String]) -> String {
        filled(&self.path, ids)
    }

    pub(crate) fn body(&self, ids: &[String]) -> Option<String> {
        self.body.as_ref().map(|body| filled(body, ids))
    }

    pub(crate) fn is_measure(&self) -> bool {
        MEASURES.contains(&self.operation.as_str())
    }
}

/// Puts each side's own ids into their places.
fn filled(text: &str, ids: &[String]) -> String {
    let mut parts = text.split('\u{1}');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    while let (Some(number), Some(after)) = (parts.next(), parts.next()) {
        let id = number.parse::<usize>().ok().and_then(|number| ids.get(number));
        whole += id.map_or("task_01h2xcejqtf2nbrexx3vqjhp41", String::as_str);
        whole += after;
    }
    whole
}

impl Maker {
    pub(crate) fn new(seed: u64, now: i64, contract: &Value) -> Self {
        let mut operations = Vec::new();
        for (path, methods) in contract["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
                let Some(method) = method_of(method) else { continue };
                if LEFT_OUT.contains(&name.as_str()) {
                    continue;
                }
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let body = operation["requestBody"]["content"]["application/json"].get("schema").cloned();
                let times = if OFTEN.contains(&name.as_str()) { OFTENER } else { 1 };
                for _ in 0..times {
                    let (name, path) = (name.clone(), path.clone());
                    operations.push(Operation {
                        name,
                        method,
                        path,
                        parameters: parameters.clone(),
                        body: body.clone(),
                    });
                }
            }
        }
        let schemas = contract["components"]["schemas"].clone();
        Self { chance: Chance::new(seed), operations, schemas, nouns: Vec::new(), now }
    }

    /// What came up in the answers.
    pub(crate) fn learn(&mut self, names: &Names) {
        for id in &names.ids[self.nouns.len()..] {
            self.nouns.push(id.split('_').next().unwrap_or_default().to_owned());
        }
    }

    pub(crate) fn make(&mut self) -> Asked {
        let number = self.chance.below(self.operations.len());
        let (name, method) = (self.operations[number].name.clone(), self.operations[number].method);
        let mut path = self.operations[number].path.clone();
        let mut query = Vec::new();
        for parameter in self.operations[number].parameters.clone() {
            let Some(own) = parameter["name"].as_str() else { continue };
            if parameter["in"] == "path" {
                let value = self.place(own, &name);
                path = path.replace(&format!("{{{own}}}"), &value);
            } else if parameter["in"] == "query"
                && self.chance.once_in(4)
                && own != "follow"
                && own != "wait_ms"
            {
                let value = self.value(own, &parameter["schema"], 0);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                query.push(format!("{own}={}", escaped(&text)));
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let schema = self.operations[number].body.clone();
        let body = schema.map(|schema| {
            if name.starts_with("Pipeline") {
                return self.definition().to_string();
            }
            let mut value = self.value("", &schema, 0);
            if self.chance.once_in(12) {
                self.spoil(&mut value);
            }
            if let Some(members) = value.as_object_mut() {
                members.remove("wait_ms");
                members.remove("claim_wait_ms");
            }
            value.to_string().replace("\\u0001", "\u{1}")
        });
        Asked { operation: name, method, path, body }
    }

    /// A definition, now and then one with a mistake.
    fn definition(&mut self) -> Value {
        let command = json!({"argv": ["echo", self.chance.one_of(&["a", "b", "${{ input.n }}"])]});
        let gate = json!({"subject": self.chance.one_of(&["Go on?", "Stop?"])});
        let name = *self.chance.one_of(&["a", "a", "a", "b"]);
        json!({
            "input": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "stages": [
                {"id": "a", "uses": "command", "with": command},
                {"id": "c", "uses": "gate", "needs": [name], "with": gate},
            ],
        })
    }

    /// Something wrong.
    fn spoil(&mut self, value: &mut Value) {
        let Some(members) = value.as_object_mut() else { return };
        // Without it, chance would say when a task is tried again.
        let names: Vec<String> = members.keys().filter(|name| *name != "backoff").cloned().collect();
        match self.chance.below(3) {
            0 => drop(members.insert("no_such".to_owned(), json!(1))),
            1 if !names.is_empty() => {
                members.insert(self.chance.one_of(&names).clone(), json!([1, {"x": null}]));
            }
            _ if !names.is_empty() => drop(members.remove(self.chance.one_of(&names))),
            _ => {}
        }
    }

    /// What stands in a place of a path.
    fn place(&mut self, name: &str, operation: &str) -> String {
        match name {
            "id" | "task" => {
                let noun = noun_of(operation);
                self.id(noun)
            }
            "hex" => "0".repeat(64),
            "fingerprint" => "db535a98bea51911395b69956e542273".to_owned(),
            _ => self.name(operation),
        }
    }

    fn name(&mut self, about: &str) -> String {
        let all: &[&str] = match about {
            _ if about.starts_with("Scope") => &["default", "other", "third", "system", "Bad Name"],
            _ if about.starts_with("Agent") => &["a1", "a2", "a3", "nobody"],
            _ => &["default", "q1", "q2", "slow"],
        };
        let one: &&str = self.chance.one_of(all);
        escaped(one)
    }

    /// An id of that noun that came up, mostly a new one; else one that nothing has.
    fn id(&mut self, noun: &str) -> String {
        let all: Vec<usize> = (0..self.nouns.len()).filter(|number| self.nouns[*number] == noun).collect();
        if all.is_empty() || self.chance.once_in(25) {
            return "task_01h2xcejqtf2nbrexx3vqjhp41".to_owned();
        }
        let back = self.chance.below(all.len().min(12));
        format!("\u{1}{}\u{1}", all[all.len() - 1 - back])
    }

    /// A value of a schema; what its name means goes before what its type allows.
    fn value(&mut self, name: &str, schema: &Value, depth: usize) -> Value {
        if let Some(meant) = self.meant(name) {
            return meant;
        }
        if let Some(path) = schema["$ref"].as_str() {
            let short = path.rsplit('/').next().unwrap_or_default();
            let target = self.schemas[short].clone();
            return match short {
                "Id" => json!(self.id("task")),
                "Time" => self.time(),
                _ => self.value(name, &target, depth + 1),
            };
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(all) = schema[choice].as_array() {
                let one = self.chance.one_of(all).clone();
                return self.value(name, &one, depth);
            }
        }
        if let Some(all) = schema["enum"].as_array() {
            return self.chance.one_of(all).clone();
        }
        if schema.get("const").is_some() {
            return schema["const"].clone();
        }
        self.of_type(name, schema, depth)
    }

    fn of_type(&mut self, name: &str, schema: &Value, depth: usize) -> Value {
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => vec![one],
            _ => vec![],
        };
        if types.is_empty() {
            return json!({"argv": ["true"]});
        }
        match *self.chance.one_of(&types) {
            "object" => self.object(schema, depth),
            "array" if depth < MAX_DEPTH => {
                let count = self.chance.below(4);
                Value::Array(
                    (0..count).map(|_| self.value(singular(name), &schema["items"], depth + 1)).collect(),
                )
            }
            "array" => json!([]),
            "integer" | "number" => self.number(schema),
            "boolean" => json!(self.chance.once_in(2)),
            "null" => Value::Null,
            _ => json!(self.chance.one_of(&["x", "Ein Titel mit ü und 😀", "a b", "", "slug-1", "%_"])),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut made = Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let needed =
                required.iter().any(|one| one == name.as_str()) || ESSENTIAL.contains(&name.as_str());
            if (needed || self.chance.once_in(6)) && depth < MAX_DEPTH {
                made.insert(name.clone(), self.value(name, member, depth + 1));
            }
        }
        Value::Object(made)
    }

    fn number(&mut self, schema: &Value) -> Value {
        let min = schema["minimum"].as_i64().unwrap_or(0);
        let max = schema["maximum"].as_i64().unwrap_or(min + 20);
        match self.chance.below(8) {
            0 => json!(max.saturating_add(1)),
            1 => json!(max),
            2 => json!(min),
            _ => json!(min + self.chance.below((max - min).clamp(1, 50) as usize) as i64),
        }
    }

    /// Never a moment that is over: what is due at once happens when a service finds it, on each side at its own moment.
    fn time(&mut self) -> Value {
        if self.chance.once_in(10) {
            return json!("tomorrow");
        }
        let ahead_ms = *self.chance.one_of(&[1_000, 40_500, 100_000, 3_600_000, 86_400_000]);
        json!(Time(self.now + ahead_ms))
    }

    /// What a member of that name holds, whatever type it has.
    fn meant(&mut self, name: &str) -> Option<Value> {
        Some(match name {
            "kind" => json!(self.chance.one_of(&["command", "work", "build"])),
            "title" => json!(self.chance.one_of(&["eins", "zwei", "ein längerer Titel 😀"])),
            "queue" | "queue_name" => json!(self.chance.one_of(&["default", "q1", "q2"])),
            "queues" => json!([self.chance.one_of(&["default", "q1", "q2"])]),
            "scope" => json!(self.chance.one_of(&["default", "default", "default", "other", "nope"])),
            "scopes" => json!(["default"]),
            "agent" | "assign_to" => json!(self.chance.one_of(&["a1", "a2", "a3"])),
            "instance" => json!(self.chance.one_of(&["i1", "i1", "i1", "i2"])),
            "generation" => json!(self.chance.one_of(&[1, 1, 1, 1, 2, 2, 3])),
            "unique_key" | "concurrency_key" | "rate_key" | "category" | "key" => {
                json!(self.chance.one_of(&["k1", "k2", "k3"]))
            }
            "capability" => json!(self.chance.one_of(&["gpu", "rust"])),
            "id" | "task" => json!(self.id("task")),
            "max_attempts" => json!(self.chance.one_of(&[1, 1, 2, 3])),
            "backoff" => {
                json!({"kind": "fixed", "base_ms": self.chance.one_of(&[1_000, 30_000, 60_000]), "jitter": "none"})
            }
            "definition" => self.definition(),
            "payload" => json!({"argv": ["true"], "n": self.chance.below(3)}),
            "limit" => json!(self.chance.one_of(&[1, 2, 5, 50, 0, 5_000])),
            "cursor" => json!(self.chance.one_of(&["1-3", "1-10", "nonsense", ""])),
            "after" | "before" => json!(self.chance.one_of(&["1-3", "1-10", "0", "1-100000"])),
            _ => return None,
        })
    }
}

/// Members without which a request seldom does anything.
const ESSENTIAL: &[&str] = &["kind", "title", "agent", "instance", "backoff", "max"];

fn singular(name: &str) -> &str {
    match name {
        "capabilities" => "capability",
        "depends_on" | "ids" => "id",
        _ => "",
    }
}

fn noun_of(operation: &str) -> &'static str {
    match operation {
        _ if operation.starts_with("DeadLetter") => "dlq",
        _ if operation.starts_with("Gate") => "gate",
        _ if operation.starts_with("Change") => "chg",
        _ if operation.starts_with("Token") => "tok",
        _ if operation.starts_with("Artifact") => "art",
        _ if operation.starts_with("Run") => "run",
        _ => "task",
    }
}

fn method_of(text: &str) -> Option<&'static str> {
    ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|method| method.eq_ignore_ascii_case(text))
}

fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        // Where an id belongs.
        1 => "\u{1}".to_owned(),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'#' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
