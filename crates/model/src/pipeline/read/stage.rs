//! One stage, before the others are known.

use super::Reading;
use super::fields::Fields;
use super::filled::{Occurrence, Wanted, whole};
use super::gate::GateDraft;
use crate::pipeline::expression::Expression;
use crate::pipeline::form::Form;
use crate::pipeline::node::{Content, Node};
use crate::pipeline::place::Place;
use crate::pipeline::timeout::most_ms;
use crate::pipeline::{OnReject, Retry, Stage, Subject, Uses, Work};
use crate::slug::is_slug;
use crate::task::admission::{MAX_ATTEMPTS, MAX_DELAY_MS};
use crate::task::retry::{Backoff, BackoffKind, Jitter};
use crate::time::DurationMs;
use std::collections::BTreeMap;

/// The members of a stage.
const STAGE: [&str; 8] = ["id", "uses", "with", "needs", "if", "retry", "timeout_ms", "outputs"];
/// The members of what a `foreach` does.
pub(super) const EACH: [&str; 5] = ["uses", "with", "retry", "timeout_ms", "outputs"];

/// A stage as it is written.
pub(super) struct Written {
    pub at: String,
    pub id: String,
    pub id_place: Place,
    pub needs: Vec<(Place, String, String)>,
    pub condition: Option<Expression>,
    pub draft: Option<Draft>,
    pub occurrences: Vec<Occurrence>,
}

/// What a stage does, with what must be looked up among the others still open.
pub(super) struct Draft {
    pub work: Work,
    pub gate: Option<GateDraft>,
    /// Of a `foreach`: what its items do, and the expressions of that.
    pub each: Option<Each>,
}

/// What the items of a `foreach` do, as far as others must be known for it.
pub(super) type Each = (Option<GateDraft>, Vec<Occurrence>);

impl Written {
    /// The stage with its references found; only what was read without a mistake is ever asked for it.
    pub(super) fn finish(self, needs: Vec<usize>, index: &BTreeMap<String, usize>) -> Stage {
        let judges = self.condition.iter().flat_map(Expression::paths).filter_map(|path| {
            let state = path.name(0) == Some("stages") && path.name(2) == Some("state");
            path.name(1).filter(|_| state).and_then(|id| index.get(id).copied())
        });
        let mut judges: Vec<usize> = judges.filter(|stage| needs.contains(stage)).collect();
        judges.sort_unstable();
        judges.dedup();
        let work = self.draft.map_or_else(Work::nothing, |draft| draft.finish(index));
        Stage { id: self.id, needs, condition: self.condition, judges, work }
    }
}

impl Draft {
    fn finish(self, index: &BTreeMap<String, usize>) -> Work {
        let Self { mut work, gate, each } = self;
        if let Some(draft) = &gate {
            resolve(&mut work.uses, draft, index);
        }
        if let (Uses::Foreach(foreach), Some((Some(draft), _))) = (&mut work.uses, &each) {
            resolve(&mut foreach.each.uses, draft, index);
        }
        work
    }
}

fn resolve(uses: &mut Uses, draft: &GateDraft, index: &BTreeMap<String, usize>) {
    let Uses::Gate(gate) = uses else { return };
    if let Some((stage, output)) = &draft.subject
        && let Some(stage) = index.get(stage).copied()
    {
        gate.subject = Subject::Output { stage, output: output.clone() };
    }
    if let Some(back) = &draft.back
        && let Some(stage) = index.get(&back.id).copied()
    {
        gate.on_reject = OnReject::Back { stage, rounds: back.rounds };
    }
}

impl Work {
    /// Stands for what could not be read, beside the mistakes that say why.
    fn nothing() -> Self {
        let with = crate::pipeline::template::Template::Value(serde_json::Value::Null);
        Self { uses: Uses::Command, with, retry: Retry::default(), timeout_ms: None, outputs: Vec::new() }
    }
}

impl Reading<'_> {
    pub(super) fn stage(&mut self, node: &Node, at: &str) -> Written {
        let mut written = Written {
            at: at.to_owned(),
            id: String::new(),
            id_place: node.place,
            needs: Vec::new(),
            condition: None,
            draft: None,
            occurrences: Vec::new(),
        };
        let Some(fields) = Fields::of(node, at, "a stage", &STAGE, &mut self.found) else { return written };
        if let Some(id) = fields.need("id", &mut self.found) {
            written.id_place = id.place;
            written.id = self.id(id, &fields.at("id"));
        }
        if let Some(needs) = fields.get("needs") {
            written.needs = self.ids(needs, &fields.at("needs"), "the id of a stage");
        }
        if let Some(condition) = fields.get("if") {
            written.condition = self.condition(condition, &fields.at("if"));
        }
        written.draft = self.work(node, at, &fields);
        written.occurrences = std::mem::take(&mut self.occurrences);
        written
    }

    fn id(&mut self, node: &Node, at: &str) -> String {
        let spelled = node.plain.as_deref().or(node.text()).unwrap_or_default();
        if !is_slug(spelled) && !self.found.trusts() {
            let rule = "must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -";
            self.found.add(node.place, at, rule);
            return String::new();
        }
        spelled.to_owned()
    }

    /// A text, or a list of texts, each with its place.
    pub(super) fn ids(&mut self, node: &Node, at: &str, what: &str) -> Vec<(Place, String, String)> {
        let list = if let Content::List(items) = &node.content {
            items.as_slice()
        } else {
            std::slice::from_ref(node)
        };
        let mut ids = Vec::new();
        for (index, item) in list.iter().enumerate() {
            let at = if list.len() == 1 && item == node { at.to_owned() } else { format!("{at}/{index}") };
            match item.plain.as_deref().or(item.text()) {
                Some(id) if !matches!(item.content, Content::Null) => {
                    ids.push((item.place, at, id.to_owned()));
                }
                _ => self.found.add(item.place, at, format!("must be {what}, and is {}", item.kind())),
            }
        }
        ids
    }

    fn condition(&mut self, node: &Node, at: &str) -> Option<Expression> {
        match node.text().and_then(whole) {
            Some(written) => self.expression(node, (0, written), at, Wanted::Truth),
            None => {
                let error = "must be one expression that is true or false: ${{ input.publish }}";
                self.found.add(node.place, at, error);
                None
            }
        }
    }

    /// What a stage, or each item of a `foreach`, does.
    pub(super) fn work<'n>(&mut self, node: &'n Node, at: &str, fields: &Fields<'n>) -> Option<Draft> {
        let uses = fields.need("uses", &mut self.found)?;
        let Some(word) = uses.text().and_then(|text| Uses::WORDS.into_iter().find(|word| *word == text))
        else {
            let rule = Form::Word(&Uses::WORDS);
            let mut unfit = Vec::new();
            rule.check(&crate::pipeline::form::parts(&uses.to_value()), "", &mut unfit);
            let near =
                crate::pipeline::expression::hint(uses.text().unwrap_or_default(), Uses::WORDS.into_iter());
            let near = if near.contains("meant") { near } else { String::new() };
            let error = format!("{}{near}", unfit.pop().unwrap_or_default().1);
            self.found.add(uses.place, fields.at("uses"), error);
            return None;
        };
        let empty =
            Node { place: node.place, end: node.place, content: Content::Object(Vec::new()), plain: None };
        let with = fields.get("with").unwrap_or(&empty);
        let with_at = format!("{at}/with");
        let outputs = fields.get("outputs").map(|node| self.outputs(node, &fields.at("outputs"), word));
        let retry = fields.get("retry").map(|node| self.retry(node, &fields.at("retry"), word));
        let timeout_ms =
            fields.get("timeout_ms").and_then(|node| self.timeout(node, &fields.at("timeout_ms"), word));
        let mut draft = self.uses(word, with, &with_at)?;
        draft.work.outputs = outputs.unwrap_or_default();
        draft.work.retry = retry.unwrap_or_default();
        draft.work.timeout_ms = timeout_ms;
        Some(draft)
    }

    fn timeout(&mut self, node: &Node, at: &str, word: &str) -> Option<DurationMs> {
        if word == "gate" {
            self.found.add(
                node.place,
                at,
                "the time-out of a gate stands in its `with`, beside `on_timeout`",
            );
            return None;
        }
        self.whole(node, at, (1, most_ms(word)))
    }

    /// How many of a list are read: what was judged before is read whole.
    pub(super) fn at_most(&self, most: usize) -> usize {
        if self.found.trusts() { usize::MAX } else { most }
    }

    /// A whole number within bounds.
    pub(super) fn whole(&mut self, node: &Node, at: &str, (least, most): (i64, i64)) -> Option<i64> {
        let number = if let Content::Number(number) = &node.content { number.as_i64() } else { None };
        let fits = number.filter(|number| (least..=most).contains(number) || self.found.trusts());
        if fits.is_none() {
            self.found.add(node.place, at, format!("must be a whole number from {least} to {most}"));
        }
        fits
    }

    fn retry(&mut self, node: &Node, at: &str, word: &str) -> Retry {
        let mut retry = Retry::default();
        if !matches!(word, "command" | "agent" | "change" | "http") && !self.found.trusts() {
            let error = format!("a {word} is not tried again; retry is for command, agent, change and http");
            self.found.add(node.place, at, error);
            return retry;
        }
        let Some(fields) = Fields::of(node, at, "retry", &["max_attempts", "backoff"], &mut self.found)
        else {
            return retry;
        };
        if let Some(node) = fields.need("max_attempts", &mut self.found) {
            let number = self.whole(node, &fields.at("max_attempts"), (1, i64::from(MAX_ATTEMPTS)));
            retry.max_attempts =
                number.and_then(|number| u32::try_from(number).ok()).unwrap_or(retry.max_attempts);
        }
        if let Some(node) = fields.get("backoff") {
            retry.backoff = self.backoff(node, &fields.at("backoff"));
        }
        retry
    }

    fn backoff(&mut self, node: &Node, at: &str) -> Backoff {
        let mut backoff = Backoff::default();
        let known = ["kind", "base_ms", "max_ms", "jitter"];
        let Some(fields) = Fields::of(node, at, "a backoff", &known, &mut self.found) else { return backoff };
        if let Some(node) = fields.get("kind") {
            let kinds = [("exponential", BackoffKind::Exponential), ("fixed", BackoffKind::Fixed)];
            backoff.kind = self.word(node, &fields.at("kind"), &kinds).unwrap_or_default();
        }
        if let Some(node) = fields.get("jitter") {
            let kinds = [("full", Jitter::Full), ("none", Jitter::None)];
            backoff.jitter = self.word(node, &fields.at("jitter"), &kinds).unwrap_or_default();
        }
        if let Some(node) = fields.get("base_ms") {
            backoff.base_ms =
                self.whole(node, &fields.at("base_ms"), (0, MAX_DELAY_MS)).unwrap_or(backoff.base_ms);
        }
        if let Some(node) = fields.get("max_ms") {
            backoff.max_ms =
                self.whole(node, &fields.at("max_ms"), (0, MAX_DELAY_MS)).unwrap_or(backoff.max_ms);
        }
        backoff
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, at: &str, words: &[(&str, T)]) -> Option<T> {
        let found = node.text().and_then(|text| words.iter().find(|(word, _)| *word == text));
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.found.add(node.place, at, format!("must be one of {}", known.join(", ")));
        }
        found.map(|(_, value)| *value)
    }
}
