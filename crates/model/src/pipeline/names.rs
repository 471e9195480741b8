//! The names that a stage's expressions may look up, and what is known of each.

use super::From;
use super::expression::{Names, Path, Shape, Wrong, hint};
use super::graph::Graph;
use serde_json::Value;
use std::collections::BTreeMap;

/// What expressions may look up everywhere.
pub(super) const ROOTS: [&str; 4] = ["input", "stages", "run", "feedback"];
/// What an item of a `foreach` is called that has no name.
pub(super) const ITEM: &str = "item";
/// The number of an item of a `foreach`, from 0 on.
pub(super) const INDEX: &str = "index";

/// The outputs of a stage and what is known of each.
pub(super) type Outputs = Vec<(String, Shape)>;

/// The shape of a file's output: where it is kept, not what is in it.
pub(super) fn file() -> Shape {
    Shape::object([
        ("artifact", Shape::Text),
        ("sha256", Shape::Text),
        ("size", Shape::Number),
        ("media_type", Shape::Text),
        ("name", Shape::Text),
    ])
}

/// What is known of an output by what it says of itself.
pub(super) fn output(from: &From, schema: Option<&Value>) -> Shape {
    match from {
        From::File { .. } => file(),
        From::StdoutText => Shape::Text,
        _ => schema.map_or(Shape::Any, Shape::of_schema),
    }
}

/// What a pipeline's expressions can know.
pub(super) struct Known<'a> {
    pub input: Option<Shape>,
    pub index: BTreeMap<&'a str, usize>,
    pub outputs: Vec<Outputs>,
    pub graph: &'a Graph,
}

/// The names of one stage, or of the items of one.
pub(super) struct StageNames<'a> {
    pub known: &'a Known<'a>,
    pub stage: usize,
    pub id: &'a str,
    /// The name and shape of the item, inside of a `foreach`.
    pub item: Option<(&'a str, Shape)>,
}

impl Names for StageNames<'_> {
    fn shape(&self, path: &Path) -> Result<Shape, Wrong> {
        let root = path.name(0).unwrap_or_default();
        match root {
            "input" => self.input(path),
            "stages" => self.stages(path),
            "run" => Shape::object([("id", Shape::Text), ("scope", Shape::Text)]).follow(path, 1),
            "feedback" => feedback().follow(path, 1),
            INDEX if self.item.is_some() => Shape::Number.follow(path, 1),
            name => match &self.item {
                Some((item, shape)) if *item == name => shape.follow(path, 1),
                _ => Err(self.no_root(path, name)),
            },
        }
    }
}

fn feedback() -> Shape {
    let text = || Shape::Text;
    Shape::object([
        ("gate", text()),
        ("reason", text()),
        ("patch", Shape::Any),
        ("subject", Shape::Any),
        ("by", text()),
        ("round", Shape::Number),
    ])
}

impl StageNames<'_> {
    fn no_root(&self, path: &Path, name: &str) -> Wrong {
        let item = self.item.as_ref().map(|(item, _)| *item);
        let own = item.into_iter().chain(item.map(|_| INDEX));
        let near = hint(name, ROOTS.into_iter().chain(own.clone()));
        let error = if self.known.index.contains_key(name) {
            format!("a stage is looked up as stages.{name}.outputs.…")
        } else if matches!(name, ITEM | INDEX) {
            format!("`{name}` is known inside of the `do` of a foreach only")
        } else {
            format!("there is no `{name}`{near}")
        };
        Wrong::new(path.at, error)
    }

    fn input(&self, path: &Path) -> Result<Shape, Wrong> {
        let shape = self.known.input.as_ref().ok_or_else(|| {
            Wrong::new(
                path.at,
                "the pipeline takes no input; say with `input:` (a JSON Schema) what it takes",
            )
        })?;
        shape.follow(path, 1)
    }

    fn stages(&self, path: &Path) -> Result<Shape, Wrong> {
        let at = |step: usize| path.steps.get(step).map_or(path.at, |step| step.at);
        let Some(id) = path.name(1) else {
            return Err(Wrong::new(path.at, "name a stage: stages.ID.outputs.NAME or stages.ID.state"));
        };
        let Some(stage) = self.known.index.get(id).copied() else {
            let near = hint(id, self.known.index.keys().copied());
            return Err(Wrong::new(at(1), format!("there is no stage `{}`{near}", shortened(id))));
        };
        if stage == self.stage {
            return Err(Wrong::new(at(1), format!("{id} cannot look up itself")));
        }
        if !self.known.graph.has_circle() && !self.known.graph.needs(self.stage, stage) {
            let error = format!("{} does not run after {id}; add `{id}` to its needs", self.id);
            return Err(Wrong::new(at(1), error));
        }
        match path.name(2) {
            Some("state") => Shape::Text.follow(path, 3),
            Some("outputs") => self.output(path, id, stage),
            _ => Err(Wrong::new(
                at(2),
                format!("a stage has `outputs` and a `state`: stages.{id}.outputs.NAME"),
            )),
        }
    }

    fn output(&self, path: &Path, id: &str, stage: usize) -> Result<Shape, Wrong> {
        let outputs = self.known.outputs.get(stage).map(Vec::as_slice).unwrap_or_default();
        let at = path.steps.get(3).or(path.steps.get(2)).map_or(path.at, |step| step.at);
        let Some(name) = path.name(3) else {
            return Err(Wrong::new(at, format!("name an output: stages.{id}.outputs.NAME")));
        };
        let Some((_, shape)) = outputs.iter().find(|(known, _)| known == name) else {
            let near = hint(name, outputs.iter().map(|(known, _)| known.as_str()));
            return Err(Wrong::new(at, format!("stage {id} has no output `{}`{near}", shortened(name))));
        };
        shape.follow(path, 4)
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}
