//! From nodes to a definition, with every mistake told.

mod fields;
mod filled;
mod gate;
mod judged;
mod outputs;
mod stage;
mod uses;

use super::graph::Graph;
use super::node::{Content, Node};
use super::place::{Mistake, Mistakes, Source, Trust};
use super::{Definition, MAX_NEEDS, MAX_STAGES, Stage, yaml};
use crate::schema::Schema;
use fields::Fields;
use filled::Occurrence;
use serde_json::Value;
use stage::Written;
use std::collections::BTreeMap;

/// What is carried through a reading.
pub(super) struct Reading<'a> {
    pub(super) found: Mistakes,
    source: Source<'a>,
    /// The expressions of the stage that is being read, judged once all stages are known.
    occurrences: Vec<Occurrence>,
}

pub(super) fn of_text(text: &str) -> Result<Definition, Vec<Mistake>> {
    let mut found = Mistakes::default();
    let node = yaml::read(text, &mut found);
    let reading = Reading { found, source: Source::new(text), occurrences: Vec::new() };
    reading.definition(node.as_ref())
}

pub(super) fn of_value(value: &Value, trust: Trust) -> Result<Definition, Vec<Mistake>> {
    let reading = Reading { found: Mistakes::with(trust), source: Source::new(""), occurrences: Vec::new() };
    reading.definition(Some(&Node::of_value(value)))
}

impl Reading<'_> {
    fn definition(mut self, node: Option<&Node>) -> Result<Definition, Vec<Mistake>> {
        let read = node.and_then(|node| self.document(node));
        match read {
            Some(definition) if self.found.is_empty() => Ok(definition),
            _ => Err(self.found.in_order()),
        }
    }

    fn document(&mut self, node: &Node) -> Option<Definition> {
        let fields = Fields::of(node, "", "a definition", &["input", "stages"], &mut self.found)?;
        let input = fields.get("input").map(|node| self.schema(node, "/input"));
        let stages = fields.need("stages", &mut self.found)?;
        let written = self.stages(stages)?;
        let index = self.index(&written);
        let needs = self.needs(&written, &index);
        let graph = Graph::new(needs);
        self.circles(&written, &graph);
        let stages = self.finish(written, &graph, input.as_ref());
        Some(Definition { input, stages, order: graph.order })
    }

    /// A JSON Schema: read, so that one that is none shows now, and kept as it is.
    fn schema(&mut self, node: &Node, at: &str) -> Value {
        let value = node.to_value();
        if self.found.trusts() {
            return value;
        }
        if let Err(faults) = Schema::read(&value) {
            for fault in faults {
                let place = node.nearest(&fault.field).place;
                self.found.add(
                    place,
                    format!("{at}{}", fault.field),
                    format!("no JSON Schema: {}", fault.error),
                );
            }
        }
        value
    }

    fn stages(&mut self, node: &Node) -> Option<Vec<Written>> {
        let Content::List(items) = &node.content else {
            self.found.add(
                node.place,
                "/stages",
                format!("must be a list of stages, and is {}", node.kind()),
            );
            return None;
        };
        if (items.is_empty() || items.len() > MAX_STAGES) && !self.found.trusts() {
            let error = format!("a definition has 1 to {MAX_STAGES} stages, this one has {}", items.len());
            self.found.add(node.place, "/stages", error);
            return None;
        }
        let stages = items.iter().enumerate();
        Some(stages.map(|(index, node)| self.stage(node, &format!("/stages/{index}"))).collect())
    }

    fn index<'w>(&mut self, written: &'w [Written]) -> BTreeMap<&'w str, usize> {
        let mut index: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, stage) in written.iter().enumerate() {
            if stage.id.is_empty() {
                continue;
            }
            match index.get(stage.id.as_str()) {
                None => {
                    index.insert(&stage.id, number);
                }
                Some(first) => {
                    let line = written[*first].id_place.line;
                    let error = format!("there is a stage `{}` already, in line {line}", stage.id);
                    self.found.add(stage.id_place, format!("{}/id", stage.at), error);
                }
            }
        }
        index
    }

    fn needs(&mut self, written: &[Written], index: &BTreeMap<&str, usize>) -> Vec<Vec<usize>> {
        let mut all = Vec::with_capacity(written.len());
        let mut count = 0;
        for (number, stage) in written.iter().enumerate() {
            let mut needs = Vec::new();
            for (place, at, id) in &stage.needs {
                let known = index.get(id.as_str()).copied();
                match known {
                    Some(need) if need == number => {
                        self.found.add(*place, at, format!("{id} cannot need itself"));
                    }
                    Some(need) if needs.contains(&need) => {
                        self.found.judge(*place, at, format!("`{id}` stands here twice"));
                    }
                    Some(need) => needs.push(need),
                    None if self.found.is_full() => {}
                    None => {
                        let near = super::expression::hint(id, index.keys().copied());
                        let shown: String = id.chars().take(64).collect();
                        self.found.add(*place, at, format!("there is no stage `{shown}`{near}"));
                    }
                }
            }
            count += needs.len();
            if count > MAX_NEEDS && !self.found.trusts() {
                let error = format!("all stages together have at most {MAX_NEEDS} needs");
                self.found.add(stage.id_place, format!("{}/needs", stage.at), error);
                needs.clear();
            }
            all.push(needs);
        }
        all
    }

    fn circles(&mut self, written: &[Written], graph: &Graph) {
        for circle in graph.circles() {
            let ids: Vec<&str> =
                circle.iter().chain(circle.first()).map(|stage| written[*stage].id.as_str()).collect();
            let stage = &written[circle[0]];
            let next = ids.get(1).copied().unwrap_or_default();
            let (place, at) = stage
                .needs
                .iter()
                .find(|(_, _, id)| id == next)
                .map_or((stage.id_place, stage.at.clone()), |(place, at, _)| (*place, at.clone()));
            self.found.add(place, at, format!("the needs go in a circle: {}", ids.join(" → ")));
        }
    }

    fn finish(&mut self, written: Vec<Written>, graph: &Graph, input: Option<&Value>) -> Vec<Stage> {
        if !self.found.trusts() {
            self.judge(&written, graph, input);
        }
        let index: BTreeMap<String, usize> =
            written.iter().enumerate().rev().map(|(number, stage)| (stage.id.clone(), number)).collect();
        let mut stages = Vec::with_capacity(written.len());
        for stage in written {
            let needs = stage.needs.iter().filter_map(|(_, _, id)| index.get(id).copied()).collect();
            stages.push(stage.finish(needs, &index));
        }
        stages
    }
}
