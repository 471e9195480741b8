//! The value of a tree.

use super::{Comparison, Function, MAX_LOOKED_BYTES, MAX_MADE_BYTES, Path, To, Tree};
use crate::pipeline::lookup::{Beginning, Lookup, too_large};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where, in bytes from the beginning of the expression.
    pub at: usize,
    /// One sentence.
    pub error: String,
    /// Whether it is only that something is not there.
    pub absence: Absence,
}

/// Whether a failure is that of a value that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The path leads to nothing: `default` helps.
    Absent,
    /// The value is there, and of a kind that does not fit.
    Unfit,
}

fn unfit(at: usize, error: String) -> Failure {
    Failure { at, error, absence: Absence::Unfit }
}

/// What looking at a number, a truth, or the outside of something larger counts.
const PART_BYTES: usize = 8;

type Found<'a> = Result<Cow<'a, Value>, Failure>;

/// How much may still be looked at: comparing, searching and counting take time, though they make nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MAX_LOOKED_BYTES }
    }
}

/// There is nothing left to look with.
struct Spent;

impl Budget {
    fn look(&mut self, bytes: usize) -> Result<(), Spent> {
        self.left = self.left.checked_sub(bytes).ok_or(Spent)?;
        Ok(())
    }
}

fn spent(at: usize) -> impl Fn(Spent) -> Failure {
    move |Spent| {
        let error = format!(
            "comparing and searching looks at more than {MAX_LOOKED_BYTES} bytes; compare smaller parts, or let a command do it"
        );
        unfit(at, error)
    }
}

pub(super) fn evaluate(tree: &Tree, names: &dyn Lookup, budget: &mut Budget) -> Result<Value, Failure> {
    let mut walk = Walk { names, left: MAX_MADE_BYTES, budget };
    walk.value(tree).map(Cow::into_owned)
}

struct Walk<'a, 'b> {
    names: &'a dyn Lookup,
    /// How many bytes may still be made.
    left: usize,
    budget: &'b mut Budget,
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, tree: &'a Tree) -> Found<'a> {
        match tree {
            Tree::Literal(value) => Ok(Cow::Borrowed(value)),
            Tree::Path(path) => look_up(path, self.names),
            Tree::Not { at, of } => self.truth(of, *at).map(|truth| Cow::Owned(Value::Bool(!truth))),
            Tree::Every(parts) => self.until(parts, false),
            Tree::Some(parts) => self.until(parts, true),
            Tree::Compare { at, how, sides } => {
                let (left, right) = (self.value(&sides.0)?, self.value(&sides.1)?);
                self.compare(*at, *how, &left, &right).map(|truth| Cow::Owned(Value::Bool(truth)))
            }
            Tree::Call { at, function, arguments } => self.call(*at, *function, arguments),
        }
    }

    fn truth(&mut self, tree: &'a Tree, at: usize) -> Result<bool, Failure> {
        let value = self.value(tree)?;
        let error = || unfit(at, format!("true or false is needed here, not {}", kind(&value)));
        value.as_bool().ok_or_else(error)
    }

    /// The parts in order, until one decides.
    fn until(&mut self, parts: &'a [(usize, Tree)], decides: bool) -> Found<'a> {
        for (at, part) in parts {
            if self.truth(part, *at)? == decides {
                return Ok(Cow::Owned(Value::Bool(decides)));
            }
        }
        Ok(Cow::Owned(Value::Bool(!decides)))
    }

    fn call(&mut self, at: usize, function: Function, arguments: &'a [Tree]) -> Found<'a> {
        match (function, arguments) {
            (Function::Default, [value, otherwise]) => match self.value(value) {
                Ok(value) if !value.is_null() => Ok(value),
                Err(failure) if failure.absence == Absence::Unfit => Err(failure),
                _ => self.value(otherwise),
            },
            (Function::Length, [value]) => {
                let value = self.value(value)?;
                self.budget.look(value.as_str().map_or(0, str::len)).map_err(spent(at))?;
                length(at, &value).map(Cow::Owned)
            }
            (Function::Contains, [whole, part]) => {
                let (whole, part) = (self.value(whole)?, self.value(part)?);
                self.contains(at, &whole, &part).map(|truth| Cow::Owned(Value::Bool(truth)))
            }
            (Function::Join, [list, between]) => {
                let (list, between) = (self.value(list)?, self.value(between)?);
                self.join(at, &list, &between)
            }
            (Function::Json, [value]) => {
                let text = self.value(value)?.to_string();
                self.made(at, text)
            }
            (function, _) => Err(unfit(at, format!("it is called {}", function.usage()))),
        }
    }

    fn compare(&mut self, at: usize, how: Comparison, left: &Value, right: &Value) -> Result<bool, Failure> {
        let order = match how {
            Comparison::Same => return same(left, right, self.budget).map_err(spent(at)),
            Comparison::Other => {
                return same(left, right, self.budget).map(|same| !same).map_err(spent(at));
            }
            _ => order(left, right).ok_or_else(|| {
                let error =
                    format!("two numbers or two texts have an order, not {} and {}", kind(left), kind(right));
                unfit(at, error)
            })?,
        };
        let shorter = left.as_str().map_or(0, str::len).min(right.as_str().map_or(0, str::len));
        self.budget.look(shorter).map_err(spent(at))?;
        Ok(match how {
            Comparison::Less => order == Ordering::Less,
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::More => order == Ordering::Greater,
            _ => order != Ordering::Less,
        })
    }

    fn contains(&mut self, at: usize, whole: &Value, part: &Value) -> Result<bool, Failure> {
        match (whole, part) {
            (Value::String(whole), Value::String(part)) => {
                self.budget.look(whole.len()).map_err(spent(at))?;
                Ok(whole.contains(part.as_str()))
            }
            (Value::Array(items), part) => is_in(items, part, self.budget).map_err(spent(at)),
            (Value::Object(members), Value::String(name)) => Ok(members.contains_key(name)),
            _ => {
                let error =
                    "contains looks for a text in a text, for a value in a list, or for a name in an object";
                Err(unfit(at, format!("{error}, not for {} in {}", kind(part), kind(whole))))
            }
        }
    }

    fn join(&mut self, at: usize, list: &Value, between: &Value) -> Found<'a> {
        let (Some(items), Some(between)) = (list.as_array(), between.as_str()) else {
            let error = format!("join takes a list and a text, not {} and {}", kind(list), kind(between));
            return Err(unfit(at, error));
        };
        let mut text = String::new();
        for (index, item) in items.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { between });
            text.push_str(&as_text(item));
            if text.len() > self.left {
                break;
            }
        }
        self.made(at, text)
    }

    fn made(&mut self, at: usize, text: String) -> Found<'a> {
        let left = self.left.checked_sub(text.len());
        self.left = left.ok_or_else(|| unfit(at, format!("it makes more than {MAX_MADE_BYTES} bytes")))?;
        Ok(Cow::Owned(Value::String(text)))
    }
}

/// A value as a part of a text: texts as they are, everything else as JSON.
pub(crate) fn as_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

fn look_up<'a>(path: &Path, names: &'a dyn Lookup) -> Found<'a> {
    let at = |step: usize| path.steps.get(step).map_or(path.at, |step| step.at);
    let (mut value, begun) = match names.begin(path) {
        Beginning::At(value, steps) => (value, steps),
        Beginning::TooLarge(bytes, steps) => return Err(unfit(path.at, too_large(&path.text(steps), bytes))),
        Beginning::Nowhere(steps) => {
            return Err(absent(at(steps.saturating_sub(1)), &format!("there is no {}", path.text(steps))));
        }
    };
    for (index, step) in path.steps.iter().enumerate().skip(begun) {
        let next = match &step.to {
            To::Name(name) => value.get(name.as_str()),
            To::Item(item) => value.get(*item),
        };
        let (so_far, whole) = (path.text(index), path.text(index + 1));
        value = match (next, value, &step.to) {
            (Some(next), _, _) => next,
            (None, Value::Null, _) => {
                return Err(absent(step.at, &format!("{so_far} is null here, so there is no {whole}")));
            }
            (None, Value::Object(_), To::Name(_)) | (None, Value::Array(_), To::Item(_)) => {
                return Err(absent(step.at, &format!("there is no {whole}")));
            }
            (None, other, _) => {
                return Err(unfit(step.at, format!("{so_far} is {}, so there is no {whole}", kind(other))));
            }
        };
    }
    Ok(Cow::Borrowed(value))
}

fn absent(at: usize, error: &str) -> Failure {
    Failure {
        at, error: format!("{error}; write default(…, …) where that may be"), absence: Absence::Absent
    }
}

pub(in crate::pipeline) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => match (left.as_i128(), right.as_i128()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        _ => None,
    }
}

/// Equal as JSON, with 1 and 1.0 the same number.
fn same(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, Spent> {
    budget.look(PART_BYTES)?;
    Ok(match (left, right) {
        (Value::Number(_), Value::Number(_)) => order(left, right) == Some(Ordering::Equal),
        (Value::String(left), Value::String(right)) if left.len() == right.len() => {
            budget.look(left.len())?;
            left == right
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            all(left.iter().zip(right), budget)?
        }
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            for (name, value) in left {
                budget.look(name.len())?;
                if !right.get(name).map_or(Ok(false), |other| same(value, other, budget))? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::String(_) | Value::Array(_) | Value::Object(_), _) => false,
        _ => left == right,
    })
}

fn all<'v>(pairs: impl Iterator<Item = (&'v Value, &'v Value)>, budget: &mut Budget) -> Result<bool, Spent> {
    for (left, right) in pairs {
        if !same(left, right, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_in(items: &[Value], part: &Value, budget: &mut Budget) -> Result<bool, Spent> {
    for item in items {
        if same(item, part, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn length(at: usize, value: &Value) -> Result<Value, Failure> {
    let length = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        other => return Err(unfit(at, format!("{} has no length", kind(other)))),
    };
    Ok(Value::from(length))
}
