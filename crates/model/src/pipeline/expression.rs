//! Expressions: what stands in `${{ … }}`. A small closed grammar that looks things up and compares them; nothing in it
//! repeats or calls itself, so an evaluation is over after one walk.
//!
//! ```text
//! expression = every { "||" every }            both sides must be true or false; the right one is asked only if needed
//! every      = comparison { "&&" comparison }
//! comparison = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand ]
//! operand    = { "!" } ( literal | path | call | "(" expression ")" )
//! literal    = "null" | "true" | "false" | number | "text" | 'text'     with \\ \" \' \n \t in a text
//! path       = name { "." name | "[" number "]" | "[" text "]" }
//! call       = ("default" | "length" | "contains" | "join" | "json") "(" expression { "," expression } ")"
//! ```
//!
//! `==` and `!=` compare anything, numbers by value; `<` and its kin two numbers or two texts. A path that leads to
//! nothing, or on from `null`, is a failure that names the path; `default(a, b)` is `b` then, and where `a` is null.

mod evaluate;
mod judge;
mod lex;
mod parse;

use super::lookup::Lookup;
use serde_json::Value;
use std::fmt;

pub use evaluate::{Absence, Failure};
pub(super) use evaluate::{Budget, as_text, kind};
pub(super) use judge::hint;
pub use judge::{Names, Shape};

/// Longest expression in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 4 * 1024;
/// Deepest nesting of an expression: parentheses, calls and `!`.
pub const MAX_EXPRESSION_DEPTH: u32 = 32;
/// Most that `json` and `join` of one expression may make, in bytes.
pub const MAX_MADE_BYTES: usize = 1024 * 1024;

/// Most that the expressions of a stage's fields, of those of one item, or of one condition compare, search and count,
/// in bytes of what they look at.
pub const MAX_LOOKED_BYTES: usize = 64 * 1024 * 1024;

/// Something wrong inside an expression: where, counted in bytes from its beginning, and one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Bytes from the beginning of the expression.
    pub at: usize,
    /// What is wrong and what would be right.
    pub error: String,
}

impl Wrong {
    pub(super) fn new(at: usize, error: impl Into<String>) -> Self {
        Self { at, error: error.into() }
    }
}

/// An expression that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    source: String,
    tree: Tree,
}

/// A way to a value: `stages.plan.outputs.items[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where it begins in the expression, in bytes.
    pub at: usize,
    /// Its steps, the first of which is a name.
    pub steps: Vec<Step>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands in the expression, in bytes.
    pub at: usize,
    /// Where it goes.
    pub to: To,
}

/// Where a step goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// To the member of that name.
    Name(String),
    /// To that item, counted from 0.
    Item(usize),
}

impl Path {
    /// The name of the step at `index`; `None` where there is no step, or one that goes to an item.
    pub fn name(&self, index: usize) -> Option<&str> {
        match self.steps.get(index).map(|step| &step.to) {
            Some(To::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Its first `steps` steps, as they are written.
    pub fn text(&self, steps: usize) -> String {
        let mut text = String::new();
        for step in self.steps.iter().take(steps) {
            let dot = if text.is_empty() { "" } else { "." };
            text += &match &step.to {
                To::Item(item) => format!("[{item}]"),
                To::Name(name) if lex::is_name(name) => format!("{dot}{name}"),
                To::Name(name) => format!("[{}]", Value::from(name.as_str())),
            };
        }
        text
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(self.steps.len()))
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Literal(Value),
    Path(Path),
    Not {
        at: usize,
        of: Box<Tree>,
    },
    /// All of them, joined by `&&`.
    Every(Vec<(usize, Tree)>),
    /// One of them, joined by `||`.
    Some(Vec<(usize, Tree)>),
    Compare {
        at: usize,
        how: Comparison,
        sides: Box<(Tree, Tree)>,
    },
    Call {
        at: usize,
        function: Function,
        arguments: Vec<Tree>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Same,
    Other,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    const ALL: [(&'static str, Self); 6] = [
        ("==", Self::Same),
        ("!=", Self::Other),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::More),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Default,
    Length,
    Contains,
    Join,
    Json,
}

impl Function {
    /// Each with its word and how it is called.
    const ALL: [(&'static str, Self, &'static str); 5] = [
        ("default", Self::Default, "default(value, otherwise)"),
        ("length", Self::Length, "length(value)"),
        ("contains", Self::Contains, "contains(whole, part)"),
        ("join", Self::Join, "join(list, between)"),
        ("json", Self::Json, "json(value)"),
    ];

    const fn arguments(self) -> usize {
        match self {
            Self::Length | Self::Json => 1,
            Self::Default | Self::Contains | Self::Join => 2,
        }
    }

    fn usage(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, function, _)| *function == self).map_or("", |(_, _, usage)| usage)
    }
}

impl Expression {
    /// Reads an expression, without its `${{` and `}}`.
    ///
    /// # Errors
    /// The first thing in it that is wrong.
    pub fn read(source: &str) -> Result<Self, Wrong> {
        if source.len() > MAX_EXPRESSION_BYTES {
            let error = format!(
                "an expression has at most {MAX_EXPRESSION_BYTES} bytes, this one has {}",
                source.len()
            );
            return Err(Wrong::new(0, error));
        }
        let tree = parse::parse(source)?;
        Ok(Self { source: source.to_owned(), tree })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its value, given the names it may look up.
    ///
    /// # Errors
    /// The first thing that has no value, or not one of the right kind.
    pub fn value(&self, names: &dyn Lookup) -> Result<Value, Failure> {
        self.value_within(names, &mut Budget::default())
    }

    /// The same, together with others.
    pub(super) fn value_within(&self, names: &dyn Lookup, budget: &mut Budget) -> Result<Value, Failure> {
        evaluate::evaluate(&self.tree, names, budget)
    }

    /// What sort of value it will have, as far as that is known, and everything that is wrong with its names and kinds.
    pub fn judge(&self, names: &dyn Names) -> (Shape, Vec<Wrong>) {
        judge::judge(&self.tree, names)
    }

    /// Every path in it, in order.
    pub fn paths(&self) -> Vec<&Path> {
        let mut found = Vec::new();
        collect(&self.tree, &mut found);
        found
    }

    /// The path that is all of it, if it is one.
    pub fn as_path(&self) -> Option<&Path> {
        if let Tree::Path(path) = &self.tree { Some(path) } else { None }
    }
}

fn collect<'a>(tree: &'a Tree, found: &mut Vec<&'a Path>) {
    match tree {
        Tree::Literal(_) => {}
        Tree::Path(path) => found.push(path),
        Tree::Not { of, .. } => collect(of, found),
        Tree::Every(parts) | Tree::Some(parts) => parts.iter().for_each(|(_, part)| collect(part, found)),
        Tree::Compare { sides, .. } => {
            collect(&sides.0, found);
            collect(&sides.1, found);
        }
        Tree::Call { arguments, .. } => arguments.iter().for_each(|part| collect(part, found)),
    }
}

#[cfg(test)]
mod tests;
