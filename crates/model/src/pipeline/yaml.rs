//! From YAML 1.2 (and so from JSON) to nodes, within limits. Scalars are read by the core schema, and whatever other
//! readers of YAML take otherwise is either a text here or refused with what to write instead.

use super::node::{Content, Key, Node, escaped};
use super::place::{Mistakes, Place};
use crate::text::{NOT_STORABLE, is_storable};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use std::collections::{HashMap, HashSet};

/// Largest definition in bytes of its text.
pub const MAX_DEFINITION_BYTES: usize = 256 * 1024;
/// Most values of a definition, those of aliases counted each time.
pub const MAX_NODES: usize = 50_000;
/// Deepest nesting of a definition.
pub const MAX_DEPTH: usize = 64;

/// Reads a text. What can be read is handed on also where there are mistakes, so that all are told at once.
pub(super) fn read(text: &str, found: &mut Mistakes) -> Option<Node> {
    if text.len() > MAX_DEFINITION_BYTES {
        let error =
            format!("a definition has at most {MAX_DEFINITION_BYTES} bytes, this one has {}", text.len());
        found.add(Place { line: 1, column: 1 }, "", error);
        return None;
    }
    let plain = json_as_yaml(text);
    let mut loader = Loader { found, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    for event in Parser::new_from_str(plain.as_deref().unwrap_or(text)) {
        let stop = match event {
            Ok((event, span)) => loader.event(event, span),
            Err(error) => {
                let at = place(*error.marker());
                loader.found.add(
                    at,
                    "",
                    format!("this cannot be read as YAML: {}{}", error.info(), quotes(text, at)),
                );
                Err(Stop)
            }
        };
        if stop.is_err() {
            return None;
        }
    }
    let Loader { root, found, .. } = loader;
    if root.is_none() {
        found.add(
            Place { line: 1, column: 1 },
            "",
            "there is nothing here; a definition begins with `stages:`",
        );
    }
    root
}

/// JSON that YAML does not read alike: tabs between values, and letters beyond 16 bits written as two escapes.
/// Columns after such a pair are two too small each.
fn json_as_yaml(text: &str) -> Option<String> {
    let begins = text.trim_start().starts_with('{');
    if !begins
        || !(text.contains('\t') || text.contains("\\u"))
        || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err()
    {
        return None;
    }
    let mut pairs = String::with_capacity(text.len());
    let mut rest = text.replace('\t', " ");
    while let Some(at) = rest.find("\\u") {
        let escaped_backslash = rest[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        let unit = |from: usize| rest.get(from..from + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let letter = match (unit(at + 2), unit(at + 8)) {
            (Some(high @ 0xD800..0xDC00), Some(low @ 0xDC00..0xE000)) if !escaped_backslash => {
                char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
            }
            _ => None,
        };
        let length = if let Some(letter) = letter {
            pairs.push_str(&rest[..at]);
            pairs.push_str(&format!("\\U{:08X}", u32::from(letter)));
            at + 12
        } else {
            pairs.push_str(&rest[..at + 2]);
            at + 2
        };
        rest = rest.split_off(length);
    }
    Some(pairs + &rest)
}

/// What most often is wrong where an expression stands in a line that cannot be read.
fn quotes(text: &str, at: Place) -> &'static str {
    let line = (at.line as usize).checked_sub(1).and_then(|line| text.lines().nth(line)).unwrap_or_default();
    if line.contains("${{") { "; inside of [ ] and { } an expression stands in quotes" } else { "" }
}

fn place(marker: Marker) -> Place {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place { line: number(marker.line()), column: number(marker.col() + 1) }
}

/// Reading cannot go on.
struct Stop;

enum Frame {
    List {
        place: Place,
        anchor: usize,
        items: Vec<Node>,
    },
    Object {
        place: Place,
        anchor: usize,
        members: Vec<(Key, Node)>,
        names: HashSet<String>,
        key: Option<Key>,
    },
}

struct Loader<'a> {
    found: &'a mut Mistakes,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Loader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let start = place(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                self.stop(start, "a definition is one document; leave out the second `---`")
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => self.alias(anchor, start),
            Event::Scalar(text, style, anchor, tag) => {
                self.tagged(tag.is_some(), start);
                let node = self.scalar(&text, style, (start, place(span.end)));
                self.put(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.tagged(tag.is_some(), start);
                self.push(Frame::List { place: start, anchor, items: Vec::new() }, start)
            }
            Event::MappingStart(anchor, tag) => {
                self.tagged(tag.is_some(), start);
                let (members, names) = (Vec::new(), HashSet::new());
                self.push(Frame::Object { place: start, anchor, members, names, key: None }, start)
            }
            Event::SequenceEnd | Event::MappingEnd => self.pop(),
        }
    }

    fn stop(&mut self, at: Place, error: impl Into<String>) -> Result<(), Stop> {
        let field = self.pointer();
        self.found.add(at, field, error);
        Err(Stop)
    }

    fn mistake(&mut self, at: Place, error: impl Into<String>) {
        let field = self.pointer();
        self.found.add(at, field, error);
    }

    /// Where the next value goes.
    fn pointer(&self) -> String {
        let step = |frame: &Frame| match frame {
            Frame::List { items, .. } => format!("/{}", items.len()),
            Frame::Object { key, .. } => {
                key.as_ref().map(|key| format!("/{}", escaped(&key.name))).unwrap_or_default()
            }
        };
        self.stack.iter().map(step).collect()
    }

    fn tagged(&mut self, tagged: bool, at: Place) {
        if tagged {
            self.mistake(
                at,
                "tags (`!…`) have no meaning here; write a text in quotes, other values plainly",
            );
        }
    }

    fn push(&mut self, frame: Frame, at: Place) -> Result<(), Stop> {
        if let Some(Frame::Object { key: None, .. }) = self.stack.last() {
            return self
                .stop(at, "a name must be a text, not a list or an object; put quotes around `{{ … }}`");
        }
        if self.stack.len() >= MAX_DEPTH {
            return self.stop(at, format!("a definition is nested at most {MAX_DEPTH} deep"));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn pop(&mut self) -> Result<(), Stop> {
        let (place, anchor, content) = match self.stack.pop() {
            Some(Frame::List { place, anchor, items }) => (place, anchor, Content::List(items)),
            Some(Frame::Object { place, anchor, members, .. }) => (place, anchor, Content::Object(members)),
            None => return Ok(()),
        };
        self.put(Node { place, end: place, content, plain: None }, anchor)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return self.stop(at, "an alias cannot stand inside of what it repeats");
        };
        let (nodes, depth) = node.size();
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return self.stop(at, format!("with its aliases a definition has at most {MAX_NODES} values"));
        }
        if self.stack.len() + depth > MAX_DEPTH {
            return self
                .stop(at, format!("with its aliases a definition is nested at most {MAX_DEPTH} deep"));
        }
        self.put(node, 0)
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self
                .stop(node.place, format!("with its aliases a definition has at most {MAX_NODES} values"));
        }
        if anchor != 0 {
            self.nodes += node.size().0;
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Object { members, key, .. }) if key.is_some() => {
                members.extend(key.take().map(|key| (key, node)));
            }
            Some(Frame::Object { .. }) => return self.key(&node),
        }
        Ok(())
    }

    fn key(&mut self, node: &Node) -> Result<(), Stop> {
        let name = match (&node.content, &node.plain) {
            (Content::Text(text), _) | (_, Some(text)) if !matches!(node.content, Content::Null) => {
                text.clone()
            }
            _ => return self.stop(node.place, "a name is missing before the `:`"),
        };
        if name == "<<" && node.plain.is_some() {
            self.mistake(
                node.place,
                "`<<` (merge) is not YAML 1.2; write the members out, or repeat a whole value with `*name`",
            );
        }
        let mut twice = false;
        if let Some(Frame::Object { names, key, .. }) = self.stack.last_mut() {
            twice = !names.insert(name.clone());
            *key = Some(Key { place: node.place, name: name.clone() });
        }
        if twice {
            self.mistake(node.place, format!("`{}` stands here twice", escaped(&name)));
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, (start, end): (Place, Place)) -> Node {
        if !is_storable(text) {
            self.mistake(start, NOT_STORABLE);
        }
        if style != ScalarStyle::Plain {
            return Node { place: start, end, content: Content::Text(text.to_owned()), plain: None };
        }
        let content = plain(text);
        Node { place: start, end, content, plain: Some(text.to_owned()) }
    }
}

/// A scalar without quotes: null, true and false as in YAML 1.2, numbers as in JSON, and everything else a text: `no`
/// and `on`, `0x1F` and `0123`, `12:30` and `2026-01-01`.
fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Truth(true),
        "false" | "False" | "FALSE" => Content::Truth(false),
        _ => serde_json::from_str(text).map_or_else(|_| Content::Text(text.to_owned()), Content::Number),
    }
}
