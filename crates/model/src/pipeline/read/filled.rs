//! From nodes to templates.

use super::Reading;
use crate::pipeline::expression::{Expression, MAX_EXPRESSION_BYTES};
use crate::pipeline::form::{Filled, Form};
use crate::pipeline::node::{Content, Key, Node, escaped};
use crate::pipeline::place::{Place, Spot};
use crate::pipeline::template::{MAX_TEXT_EXPRESSIONS, Part, Template};
use serde_json::Value;

/// An expression and where it stands.
pub(super) struct Occurrence {
    pub expression: Expression,
    /// As it is written, blanks and all: places are counted in it.
    pub written: String,
    /// How many bytes of blanks it begins with.
    pub lead: usize,
    pub spot: Spot,
    pub field: String,
    pub wanted: Wanted,
}

/// What an expression must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Anything,
    /// A text, or what becomes one.
    Text,
    /// A part of a longer text, for which everything but null will do.
    Part,
    Number,
    Truth,
    List,
}

/// A piece of a text.
enum Piece {
    Text(String),
    Expression(String),
    Open(String),
}

impl Reading<'_> {
    /// A value with its expressions; what YAML takes for a number, where a text is wanted, is taken as it is spelled.
    pub(super) fn template(&mut self, node: &Node, at: &str, form: Form, filled: Filled) -> Template {
        match &node.content {
            Content::List(items) => {
                let items = items.iter().enumerate();
                let templates = items
                    .map(|(index, item)| self.template(item, &format!("{at}/{index}"), form.inner(), filled));
                Template::List(templates.collect())
            }
            Content::Object(members) => {
                let mut templates = Vec::with_capacity(members.len());
                for (key, value) in members {
                    let at = format!("{at}/{}", escaped(&key.name));
                    self.plain_name(key, &at);
                    templates.push((key.name.clone(), self.template(value, &at, form.inner(), filled)));
                }
                // The order of members means nothing, so that of a definition and of its canonical form is one.
                templates.sort_by(|(left, _), (right, _)| left.cmp(right));
                Template::Object(templates)
            }
            Content::Text(text) => self.text(node, text, at, (form, filled)),
            Content::Truth(_) | Content::Number(_) if form.is_text() => {
                Template::Value(Value::String(node.plain.clone().unwrap_or_default()))
            }
            Content::Number(number) => {
                self.exact(node, number, at);
                Template::Value(node.to_value())
            }
            _ => Template::Value(node.to_value()),
        }
    }

    fn plain_name(&mut self, key: &Key, at: &str) {
        if key.name.contains("${{") {
            self.found.judge(key.place, at, "an expression may be a value, not the name of one");
        }
    }

    /// A number that is spelled otherwise than it is kept was perhaps meant as a text: `1.10`.
    pub(super) fn exact(&mut self, node: &Node, number: &serde_json::Number, at: &str) {
        let Some(plain) = node.plain.as_deref().filter(|plain| !plain.contains(['e', 'E'])) else { return };
        let kept = number.to_string();
        if kept != plain {
            let shown: String = plain.chars().take(64).collect();
            let error =
                format!("is the number {kept} in YAML; write \"{shown}\" for a text, {kept} for the number");
            self.found.judge(node.place, at, error);
        }
    }

    fn text(&mut self, node: &Node, text: &str, at: &str, (form, filled): (Form, Filled)) -> Template {
        let pieces = pieces(text);
        if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) {
            return Template::Value(Value::String(text.to_owned()));
        }
        if filled == Filled::Fixed {
            let error = "is fixed when the pipeline is published: no expression can stand here";
            self.found.judge(node.place, at, error);
            return Template::Value(Value::String(text.to_owned()));
        }
        let expressions = pieces.iter().filter(|piece| !matches!(piece, Piece::Text(_))).count();
        if expressions > MAX_TEXT_EXPRESSIONS && !self.found.trusts() {
            let error =
                format!("a text has at most {MAX_TEXT_EXPRESSIONS} expressions, this one has {expressions}");
            self.found.add(node.place, at, error);
            return Template::Value(Value::String(text.to_owned()));
        }
        let alone = pieces.len() == 1;
        let mut parts = Vec::new();
        let mut nth = 0;
        for piece in pieces {
            let wanted = if alone { wanted(form) } else { Wanted::Part };
            match piece {
                Piece::Text(text) => parts.push(Part::Text(text)),
                Piece::Expression(written) => {
                    parts.extend(self.expression(node, (nth, written), at, wanted).map(Part::Expression));
                    nth += 1;
                }
                Piece::Open(rest) => {
                    let spot = self.source.spot((node.place, node.end), nth, &rest);
                    let place = if node.place == Place::default() { Spot::UNKNOWN } else { spot };
                    self.found.add(
                        place.place("", 0),
                        at,
                        "an expression that begins with `${{` ends with `}}`",
                    );
                }
            }
        }
        match parts.pop() {
            Some(Part::Expression(expression)) if alone => Template::Expression(expression),
            last => {
                parts.extend(last);
                Template::Text(parts)
            }
        }
    }

    /// Reads the `nth` expression of a text, and keeps it to be judged.
    pub(super) fn expression(
        &mut self,
        node: &Node,
        (nth, written): (usize, String),
        at: &str,
        wanted: Wanted,
    ) -> Option<Expression> {
        let known = node.place != Place::default();
        let spot =
            if known { self.source.spot((node.place, node.end), nth, &written) } else { Spot::UNKNOWN };
        let lead = written.len() - written.trim_start().len();
        match Expression::read(written.trim()) {
            Ok(expression) => {
                let kept = expression.clone();
                self.occurrences.push(Occurrence {
                    expression: kept,
                    written,
                    lead,
                    spot,
                    field: at.to_owned(),
                    wanted,
                });
                Some(expression)
            }
            Err(wrong) => {
                self.found.add(spot.place(&written, lead + wrong.at), at, wrong.error);
                None
            }
        }
    }
}

const fn wanted(form: Form) -> Wanted {
    match form {
        Form::Any | Form::Own | Form::Files => Wanted::Anything,
        Form::Whole(..) => Wanted::Number,
        Form::Truth => Wanted::Truth,
        Form::Texts(_) | Form::Tags | Form::List => Wanted::List,
        Form::TextMap | Form::TextOrTexts => Wanted::Anything,
        Form::Text | Form::Line | Form::Slug | Form::Tag | Form::Url | Form::Word(_) => Wanted::Text,
    }
}

/// A text cut at its expressions. Inside of one, `}}` in a text of its own does not end it.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${{") {
        if begin > 0 {
            pieces.push(Piece::Text(rest[..begin].to_owned()));
        }
        let inside = &rest[begin + 3..];
        let Some(end) = end(inside) else {
            pieces.push(Piece::Open(inside.chars().take(MAX_EXPRESSION_BYTES).collect()));
            return pieces;
        };
        pieces.push(Piece::Expression(inside[..end].to_owned()));
        rest = &inside[end + 2..];
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

fn end(inside: &str) -> Option<usize> {
    let mut quote = None;
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => {
                letters.next();
            }
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '}') if inside[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

/// The one expression that a text is, without its `${{` and `}}`.
pub(super) fn whole(text: &str) -> Option<String> {
    match pieces(text.trim()).as_slice() {
        [Piece::Expression(written)] => Some(written.clone()),
        _ => None,
    }
}
