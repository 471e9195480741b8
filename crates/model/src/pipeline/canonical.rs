//! The canonical form of a definition: what of it is kept, and what its digest is taken of.

use super::{From, Output, Retry, Stage, Uses, Work};
use serde_json::{Map, Value, json};

impl Stage {
    pub(super) fn to_value(&self, stages: &[Self]) -> Value {
        let mut stage = Map::new();
        stage.insert("id".to_owned(), json!(self.id));
        if !self.needs.is_empty() {
            let needs: Vec<&str> =
                self.needs.iter().filter_map(|need| stages.get(*need)).map(|need| need.id.as_str()).collect();
            stage.insert("needs".to_owned(), json!(needs));
        }
        if let Some(condition) = &self.condition {
            stage.insert("if".to_owned(), json!(format!("${{{{ {} }}}}", condition.source())));
        }
        stage.append(&mut self.work.to_object());
        Value::Object(stage)
    }
}

impl Work {
    fn to_object(&self) -> Map<String, Value> {
        let mut work = Map::new();
        work.insert("uses".to_owned(), json!(self.uses.as_str()));
        let mut with = self.with.source();
        if let (Uses::Foreach(foreach), Value::Object(members)) = (&self.uses, &mut with) {
            members.insert("do".to_owned(), Value::Object(foreach.each.to_object()));
        }
        work.insert("with".to_owned(), with);
        if self.retry != Retry::default() {
            let Retry { max_attempts, backoff } = self.retry;
            work.insert("retry".to_owned(), json!({"max_attempts": max_attempts, "backoff": backoff}));
        }
        if let Some(timeout_ms) = self.timeout_ms {
            work.insert("timeout_ms".to_owned(), json!(timeout_ms));
        }
        if !self.outputs.is_empty() {
            let outputs = self.outputs.iter().map(|output| (output.name.clone(), output.to_value()));
            work.insert("outputs".to_owned(), Value::Object(outputs.collect()));
        }
        work
    }
}

impl Output {
    fn to_value(&self) -> Value {
        let mut output = match &self.from {
            From::File { path, media_type: None } => json!({"file": path}),
            From::File { path, media_type } => json!({"file": path, "media_type": media_type}),
            From::Json { path } => json!({"json": path}),
            From::StdoutJson => json!({"stdout": "json"}),
            From::StdoutText => json!({"stdout": "text"}),
            From::Result => json!({}),
        };
        if let (Some(schema), Value::Object(members)) = (&self.schema, &mut output) {
            members.insert("schema".to_owned(), schema.clone());
        }
        output
    }
}
