//! Templates: JSON with expressions in its texts, and what becomes of it once names have values.
//!
//! A text that is one expression and nothing else becomes what the expression is, of whatever kind. Inside of a longer
//! text an expression becomes text: a text as it is, everything else as JSON; null is a failure there.

use super::expression::{Budget, Expression, Failure, as_text};
use super::lookup::Lookup;
use serde_json::{Map, Value};

/// Largest value that a template may become, in bytes of its texts and names.
pub const MAX_RENDERED_BYTES: usize = 1024 * 1024;

/// Most expressions in one text.
pub const MAX_TEXT_EXPRESSIONS: usize = 256;

/// JSON with expressions in its texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// Without an expression.
    Value(Value),
    /// One expression.
    Expression(Expression),
    /// A text with expressions in it.
    Text(Vec<Part>),
    /// A list.
    List(Vec<Template>),
    /// An object.
    Object(Vec<(String, Template)>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// What an expression becomes.
    Expression(Expression),
}

/// Why a template has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{error}", if .field.is_empty() { "" } else { .field }, if .field.is_empty() { "" } else { ": " })]
pub struct Unrendered {
    /// JSON Pointer into the template.
    pub field: String,
    /// The expression, as it is written; empty where none is to blame.
    pub expression: String,
    /// One sentence.
    pub error: String,
}

impl Template {
    /// Its value, given the names that its expressions may look up.
    ///
    /// # Errors
    /// The first expression that has no value, or a value that grows beyond [`MAX_RENDERED_BYTES`].
    pub fn render(&self, names: &dyn Lookup) -> Result<Value, Unrendered> {
        Rendering::new(names).value(self, "")
    }

    /// As it was written.
    pub fn source(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Expression(expression) => Value::String(written(expression)),
            Self::Text(parts) => {
                let part = |part: &Part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Expression(expression) => written(expression),
                };
                Value::String(parts.iter().map(part).collect())
            }
            Self::List(items) => Value::Array(items.iter().map(Self::source).collect()),
            Self::Object(members) => {
                let members = members.iter().map(|(name, member)| (name.clone(), member.source()));
                Value::Object(members.collect())
            }
        }
    }

    /// The member of that name, of an object.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                members.iter().find(|(known, _)| known == name).map(|(_, member)| member)
            }
            _ => None,
        }
    }

    /// Its members, of an object.
    pub(super) fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// Every expression in it.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Value(_) => Vec::new(),
            Self::Expression(expression) => vec![expression],
            Self::Text(parts) => parts.iter().filter_map(Part::expression).collect(),
            Self::List(items) => items.iter().flat_map(Self::expressions).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, member)| member.expressions()).collect(),
        }
    }
}

impl Part {
    const fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Text(_) => None,
            Self::Expression(expression) => Some(expression),
        }
    }
}

fn written(expression: &Expression) -> String {
    format!("${{{{ {} }}}}", expression.source())
}

/// Templates that become values together, within one limit.
pub(super) struct Rendering<'a> {
    names: &'a dyn Lookup,
    left: usize,
    budget: Budget,
}

impl<'a> Rendering<'a> {
    pub(super) fn new(names: &'a dyn Lookup) -> Self {
        Self { names, left: MAX_RENDERED_BYTES, budget: Budget::default() }
    }

    /// What one becomes; `at` is its place.
    pub(super) fn value(&mut self, template: &Template, at: &str) -> Result<Value, Unrendered> {
        match template {
            Template::Value(value) => self.taken(value.clone(), at),
            Template::Expression(expression) => {
                let value = self.evaluated(expression, at)?;
                self.taken(value, at)
            }
            Template::Text(parts) => {
                let text = self.text(parts, at)?;
                self.taken(Value::String(text), at)
            }
            Template::List(items) => {
                let items = items.iter().enumerate();
                let values = items.map(|(index, item)| self.value(item, &format!("{at}/{index}")));
                values.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Template::Object(members) => {
                let mut object = Map::new();
                for (name, member) in members {
                    let value = self.value(member, &format!("{at}/{}", super::node::escaped(name)))?;
                    object.insert(name.clone(), value);
                }
                Ok(Value::Object(object))
            }
        }
    }

    fn evaluated(&mut self, expression: &Expression, at: &str) -> Result<Value, Unrendered> {
        let value = expression.value_within(self.names, &mut self.budget);
        value.map_err(|failure| failed(expression, failure, at))
    }

    fn text(&mut self, parts: &[Part], at: &str) -> Result<String, Unrendered> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Expression(expression) => {
                    let value = self.evaluated(expression, at)?;
                    if value.is_null() {
                        let error = "is null, which is nothing to put into a text; write default(…, \"\")";
                        return Err(Unrendered {
                            field: at.to_owned(),
                            expression: expression.source().to_owned(),
                            error: format!("{} {error}", expression.source()),
                        });
                    }
                    text.push_str(&as_text(&value));
                }
            }
            if text.len() > self.left {
                return Err(too_large(at));
            }
        }
        Ok(text)
    }

    fn taken(&mut self, value: Value, at: &str) -> Result<Value, Unrendered> {
        self.left = self.left.checked_sub(bytes(&value)).ok_or_else(|| too_large(at))?;
        Ok(value)
    }
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| bytes(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + bytes(member) + 4).sum::<usize>() + 2
        }
        _ => 4,
    }
}

fn too_large(at: &str) -> Unrendered {
    let error = format!("it becomes more than {MAX_RENDERED_BYTES} bytes; hand larger things on as files");
    Unrendered { field: at.to_owned(), expression: String::new(), error }
}

fn failed(expression: &Expression, failure: Failure, at: &str) -> Unrendered {
    Unrendered { field: at.to_owned(), expression: expression.source().to_owned(), error: failure.error }
}

#[cfg(test)]
mod tests;
