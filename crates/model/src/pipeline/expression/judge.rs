//! What can be known of an expression before it is evaluated: names that nobody has, and kinds that cannot fit.

use super::{Comparison, Function, Path, Step, To, Tree, Wrong};
use crate::nearest::nearest;
use serde_json::Value;

/// Deepest part of a JSON Schema that is looked at for names.
const MAX_LOOK_DEPTH: u32 = 16;
/// Most parts of a JSON Schema that are looked at for names; beyond them anything goes.
const MAX_LOOK_PARTS: u32 = 2_000;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Nothing: it may be anything.
    Any,
    /// Null.
    Null,
    /// True or false.
    Truth,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A list of such.
    List(Box<Shape>),
    /// An object with these members and no others.
    Object(Vec<(String, Shape)>),
}

/// Who knows the names that an expression may look up.
pub trait Names {
    /// The shape of what a path leads to.
    ///
    /// # Errors
    /// What is wrong with it, at its step.
    fn shape(&self, path: &Path) -> Result<Shape, Wrong>;
}

impl Shape {
    /// An object with these members.
    pub fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect())
    }

    /// What sort of value it is, for a sentence; `None` when anything goes.
    pub fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Any => return None,
            Self::Null => "null",
            Self::Truth => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        })
    }

    /// What is known of values that meet a JSON Schema; anything where the schema does not say one thing plainly.
    pub fn of_schema(schema: &Value) -> Self {
        let mut parts = MAX_LOOK_PARTS;
        of_schema(schema, schema, MAX_LOOK_DEPTH, &mut parts)
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Truth,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List(Box::new(Self::Any)),
            Value::Object(_) => Self::Any,
        }
    }

    /// Follows a path's steps from the one at `from` on, this being the shape of what comes before.
    ///
    /// # Errors
    /// The first step that cannot be, at its place.
    pub fn follow(&self, path: &Path, from: usize) -> Result<Self, Wrong> {
        let mut shape = self;
        for (index, step) in path.steps.iter().enumerate().skip(from) {
            shape = shape.step(step).map_err(|why| {
                let so_far = path.text(index);
                let error = match why {
                    No::Member(near) => format!("{so_far} has no `{}`{near}", name_of(step)),
                    No::Way(kind) => format!("{so_far} is {kind}, so there is no {}", path.text(index + 1)),
                };
                Wrong::new(step.at, error)
            })?;
        }
        Ok(shape.clone())
    }

    fn step(&self, step: &Step) -> Result<&Self, No> {
        match (self, &step.to) {
            (Self::Any, _) => Ok(&Self::Any),
            (Self::List(item), To::Item(_)) => Ok(item),
            (Self::Object(members), To::Name(name)) => {
                let found = members.iter().find(|(known, _)| known == name);
                found
                    .map(|(_, shape)| shape)
                    .ok_or_else(|| No::Member(hint(name, members.iter().map(|(n, _)| n.as_str()))))
            }
            (other, _) => Err(No::Way(other.kind().unwrap_or("something else"))),
        }
    }
}

enum No {
    Member(String),
    Way(&'static str),
}

fn name_of(step: &Step) -> String {
    match &step.to {
        To::Name(name) => name.chars().take(64).collect(),
        To::Item(item) => item.to_string(),
    }
}

/// What a person who wrote `name` may have meant: the nearest, or else all of a few.
pub(in crate::pipeline) fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    // A name of one or two letters is near to every other one.
    let near = nearest(name, known.clone()).filter(|_| name.chars().count() > 2);
    if let Some(near) = near {
        return format!("; is `{near}` meant?");
    }
    let few: Vec<&str> = known.take(9).collect();
    if few.is_empty() || few.len() > 8 { String::new() } else { format!("; there is {}", few.join(", ")) }
}

fn of_schema(root: &Value, schema: &Value, depth: u32, parts: &mut u32) -> Shape {
    if depth == 0 || *parts == 0 {
        return Shape::Any;
    }
    *parts -= 1;
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        let target = pointer.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Shape::Any, |target| of_schema(root, target, depth - 1, parts));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Shape::Text,
        Some("number" | "integer") => Shape::Number,
        Some("boolean") => Shape::Truth,
        Some("null") => Shape::Null,
        Some("array") => {
            let items = schema.get("items").filter(|_| schema.get("prefixItems").is_none());
            Shape::List(Box::new(items.map_or(Shape::Any, |items| of_schema(root, items, depth - 1, parts))))
        }
        Some("object") => members(root, schema, depth, parts),
        None if schema.get("properties").is_some() => members(root, schema, depth, parts),
        _ => Shape::Any,
    }
}

/// Keywords that may bring members of which `properties` does not tell.
const OPEN: [&str; 8] =
    ["patternProperties", "allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas"];

/// An object that names its properties has those and no others, as far as expressions go, unless it says that there
/// are more: a name that nobody promised is more often a mistake than a wish.
fn members(root: &Value, schema: &Value, depth: u32, parts: &mut u32) -> Shape {
    let open = OPEN.iter().any(|keyword| schema.get(keyword).is_some())
        || schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) if !open => {
            let shape = |(name, property): (&String, &Value)| {
                (name.clone(), of_schema(root, property, depth - 1, parts))
            };
            Shape::Object(properties.iter().map(shape).collect())
        }
        _ => Shape::Any,
    }
}

pub(super) fn judge(tree: &Tree, names: &dyn Names) -> (Shape, Vec<Wrong>) {
    let mut judging = Judging { names, found: Vec::new() };
    let shape = judging.shape(tree);
    (shape, judging.found)
}

struct Judging<'a> {
    names: &'a dyn Names,
    found: Vec<Wrong>,
}

impl Judging<'_> {
    fn shape(&mut self, tree: &Tree) -> Shape {
        match tree {
            Tree::Literal(value) => Shape::of_value(value),
            Tree::Path(path) => self.names.shape(path).unwrap_or_else(|wrong| {
                self.found.push(wrong);
                Shape::Any
            }),
            Tree::Not { at, of } => {
                self.truth(*at, of);
                Shape::Truth
            }
            Tree::Every(parts) | Tree::Some(parts) => {
                parts.iter().for_each(|(at, part)| self.truth(*at, part));
                Shape::Truth
            }
            Tree::Compare { at, how, sides } => {
                let sides = (self.shape(&sides.0), self.shape(&sides.1));
                self.comparison(*at, *how, &sides);
                Shape::Truth
            }
            Tree::Call { at, function, arguments } => {
                let shapes: Vec<Shape> = arguments.iter().map(|argument| self.shape(argument)).collect();
                self.call(*at, *function, &shapes)
            }
        }
    }

    fn wrong(&mut self, at: usize, error: String) {
        self.found.push(Wrong::new(at, error));
    }

    fn truth(&mut self, at: usize, tree: &Tree) {
        let shape = self.shape(tree);
        if let Some(kind) = shape.kind().filter(|_| shape != Shape::Truth) {
            self.wrong(at, format!("true or false is needed here, not {kind}"));
        }
    }

    fn comparison(&mut self, at: usize, how: Comparison, (left, right): &(Shape, Shape)) {
        let ordered = |shape: &Shape| matches!(shape, Shape::Any | Shape::Number | Shape::Text);
        let alike = left == &Shape::Any || right == &Shape::Any || left == right;
        let fits =
            matches!(how, Comparison::Same | Comparison::Other) || (ordered(left) && ordered(right) && alike);
        if !fits {
            let said = |shape: &Shape| shape.kind().unwrap_or("anything");
            let error =
                format!("two numbers or two texts have an order, not {} and {}", said(left), said(right));
            self.wrong(at, error);
        }
    }

    fn call(&mut self, at: usize, function: Function, shapes: &[Shape]) -> Shape {
        let first = shapes.first().unwrap_or(&Shape::Any);
        match function {
            Function::Default => match shapes {
                [Shape::Null, other] | [other, Shape::Null] => other.clone(),
                [left, right] if left == right => left.clone(),
                _ => Shape::Any,
            },
            Function::Length => {
                if let Shape::Null | Shape::Truth | Shape::Number = first {
                    self.wrong(at, format!("{} has no length", first.kind().unwrap_or("it")));
                }
                Shape::Number
            }
            Function::Contains => {
                if let Shape::Null | Shape::Truth | Shape::Number = first {
                    self.wrong(at, format!("{} contains nothing", first.kind().unwrap_or("it")));
                }
                Shape::Truth
            }
            Function::Join => {
                if !matches!(first, Shape::Any | Shape::List(_)) {
                    self.wrong(at, format!("join takes a list, not {}", first.kind().unwrap_or("that")));
                }
                if !matches!(shapes.get(1), Some(Shape::Any | Shape::Text)) {
                    self.wrong(at, "join takes a text to put between".to_owned());
                }
                Shape::Text
            }
            Function::Json => Shape::Text,
        }
    }
}
