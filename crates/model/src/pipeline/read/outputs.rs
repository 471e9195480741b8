//! What a stage says that it puts out.

use super::Reading;
use super::fields::Fields;
use crate::pipeline::file::is_inside;
use crate::pipeline::node::{Content, Node, escaped};
use crate::pipeline::place::Place;
use crate::pipeline::{From, MAX_MEDIA_TYPE_BYTES, MAX_OUTPUTS, MAX_PATH_BYTES, Output, RESULT, SUBJECT};
use crate::slug::is_slug;

const OUTPUT: [&str; 5] = ["file", "json", "stdout", "media_type", "schema"];

impl Reading<'_> {
    pub(super) fn outputs(&mut self, node: &Node, at: &str, word: &str) -> Vec<Output> {
        let Content::Object(members) = &node.content else {
            let error = format!("must be an object of outputs by their names, and is {}", node.kind());
            self.found.add(node.place, at, error);
            return Vec::new();
        };
        if members.len() > MAX_OUTPUTS {
            self.found.judge(node.place, at, format!("a stage has at most {MAX_OUTPUTS} outputs"));
        }
        let mut outputs = Vec::new();
        for (key, value) in members.iter().take(self.at_most(MAX_OUTPUTS)) {
            let at = format!("{at}/{}", escaped(&key.name));
            if !is_slug(&key.name) || key.name == SUBJECT {
                let error = "an output is named with 1 to 64 of a-z, 0-9, _ and -, and not `subject`";
                self.found.judge(key.place, &at, error);
            }
            if let Some((from, schema)) = self.output((key.place, &key.name), value, &at, word) {
                outputs.push(Output { name: key.name.clone(), from, schema });
            }
        }
        outputs.sort_by(|left, right| left.name.cmp(&right.name));
        outputs
    }

    fn output(
        &mut self,
        (place, name): (Place, &str),
        node: &Node,
        at: &str,
        word: &str,
    ) -> Option<(From, Option<serde_json::Value>)> {
        if word != "command" && name != RESULT && !self.found.trusts() {
            let error = format!(
                "a stage that uses {word} puts out its `result` only; files and standard output are a command's"
            );
            self.found.add(place, at, error);
            return None;
        }
        let fields = Fields::of(node, at, "an output", &OUTPUT, &mut self.found)?;
        let from = if name == RESULT { self.result(node, &fields, word)? } else { self.from(node, &fields)? };
        let schema = fields.get("schema").map(|node| self.schema(node, &fields.at("schema")));
        if let (Some(node), From::File { .. } | From::StdoutText) = (fields.get("schema"), &from) {
            self.found.judge(
                node.place,
                fields.at("schema"),
                "a schema is for JSON; take the output as `json:` or `stdout: json`",
            );
        }
        if let Some(node) = fields.get("media_type").filter(|_| !matches!(from, From::File { .. })) {
            self.found.judge(
                node.place,
                fields.at("media_type"),
                "is for a `file:`; JSON and text have their own",
            );
        }
        Some((from, schema))
    }

    fn result(&mut self, node: &Node, fields: &Fields<'_>, word: &str) -> Option<From> {
        let shaped = match word {
            "http" => Some("say `expect: {schema: …}` for the body"),
            "gate" | "wait" | "foreach" => Some("it is what the engine makes it"),
            _ => None,
        };
        if let Some(instead) = shaped.filter(|_| !self.found.trusts()) {
            self.found.add(
                node.place,
                fields.here(),
                format!("the result of {word} takes no schema; {instead}"),
            );
            return None;
        }
        if let Some(source) =
            ["file", "json", "stdout"].into_iter().find(|source| fields.get(source).is_some())
        {
            let place = fields.get(source).map_or(node.place, |node| node.place);
            let error =
                "`result` is what the work itself hands in; give it a schema, or name the output otherwise";
            self.found.add(place, fields.at(source), error);
            return None;
        }
        fields.need("schema", &mut self.found)?;
        Some(From::Result)
    }

    fn from(&mut self, node: &Node, fields: &Fields<'_>) -> Option<From> {
        let sources = [fields.get("file"), fields.get("json"), fields.get("stdout")];
        if sources.iter().flatten().count() != 1 {
            self.found.add(node.place, fields.here(), "an output has one of `file`, `json` and `stdout`");
            return None;
        }
        match sources {
            [Some(file), _, _] => {
                let media_type =
                    fields.get("media_type").and_then(|node| self.media_type(node, &fields.at("media_type")));
                Some(From::File { path: self.path(file, &fields.at("file"))?, media_type })
            }
            [_, Some(json), _] => Some(From::Json { path: self.path(json, &fields.at("json"))? }),
            [_, _, Some(stdout)] => {
                let words = [("json", true), ("text", false)];
                let json = self.word(stdout, &fields.at("stdout"), &words)?;
                Some(if json { From::StdoutJson } else { From::StdoutText })
            }
            _ => None,
        }
    }

    /// A path that stays in the attempt's folder (SEC16).
    fn path(&mut self, node: &Node, at: &str) -> Option<String> {
        let text = node.plain.as_deref().or(node.text()).unwrap_or_default();
        let inside = is_inside(text);
        let error = if text.contains("${{") {
            "is fixed when the pipeline is published: no expression can stand here".to_owned()
        } else {
            format!(
                "must be a path inside of the stage's own folder, of at most {MAX_PATH_BYTES} bytes: notes/draft.md"
            )
        };
        if (inside && !text.contains("${{")) || self.found.trusts() {
            return Some(text.to_owned());
        }
        self.found.add(node.place, at, error);
        None
    }

    fn media_type(&mut self, node: &Node, at: &str) -> Option<String> {
        let text = node.text().unwrap_or_default();
        let letters = |letter: char| letter.is_ascii_graphic() || letter == ' ';
        let halves = text.split_once('/').is_some_and(|(left, right)| !left.is_empty() && !right.is_empty());
        let fits = halves && text.len() <= MAX_MEDIA_TYPE_BYTES && text.chars().all(letters);
        if fits || self.found.trusts() {
            return Some(text.to_owned());
        }
        self.found.add(node.place, at, "must be a media type: text/markdown");
        None
    }
}
