//! A document with the place of each of its parts.

use super::place::Place;
use serde_json::{Map, Number, Value};

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Where it begins.
    pub place: Place,
    /// Where it ends, for scalars.
    pub end: Place,
    pub content: Content,
    /// How a scalar without quotes is spelled.
    pub plain: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Null,
    Truth(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(Key, Node)>),
}

/// The name of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub place: Place,
    pub name: String,
}

impl Node {
    /// A document that is no text: its parts have no place.
    pub(super) fn of_value(value: &Value) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(truth) => Content::Truth(*truth),
            Value::Number(number) => Content::Number(number.clone()),
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(items) => Content::List(items.iter().map(Self::of_value).collect()),
            Value::Object(members) => Content::Object(
                members
                    .iter()
                    .map(|(name, value)| {
                        (Key { place: Place::default(), name: name.clone() }, Self::of_value(value))
                    })
                    .collect(),
            ),
        };
        let plain = matches!(value, Value::Bool(_) | Value::Number(_)).then(|| value.to_string());
        Self { place: Place::default(), end: Place::default(), content, plain }
    }

    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Truth(truth) => Value::Bool(*truth),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.name.clone(), value.to_value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content { Some(text) } else { None }
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match &self.content {
            Content::Object(members) => {
                members.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The part that a JSON Pointer leads to, or the last one on the way that there is.
    pub(super) fn nearest(&self, pointer: &str) -> &Self {
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            let next = match &node.content {
                Content::List(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => node.member(&name),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// How many parts it has, itself included, and how deep they are nested.
    pub(super) fn size(&self) -> (usize, usize) {
        let parts: Vec<(usize, usize)> = match &self.content {
            Content::List(items) => items.iter().map(Self::size).collect(),
            Content::Object(members) => members.iter().map(|(_, value)| value.size()).collect(),
            _ => return (1, 0),
        };
        let count = parts.iter().map(|(count, _)| count).sum::<usize>();
        (count + 1, parts.iter().map(|(_, depth)| *depth).max().unwrap_or_default() + 1)
    }

    /// What sort of value it is, for a sentence.
    pub(super) const fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "empty",
            Content::Truth(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Object(_) => "an object",
        }
    }
}

/// A name as a part of a JSON Pointer.
pub(super) fn escaped(name: &str) -> String {
    name.chars().take(64).collect::<String>().replace('~', "~0").replace('/', "~1")
}
