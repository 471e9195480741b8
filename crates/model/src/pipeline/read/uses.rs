//! The members of `with`.

use super::Reading;
use super::fields::Fields;
use super::filled::whole;
use super::stage::{Draft, EACH, Each};
use crate::event::Type;
use crate::pipeline::expression::Expression;
use crate::pipeline::form::{Field, Form, Needed};
use crate::pipeline::member;
use crate::pipeline::names::{INDEX, ITEM, ROOTS};
use crate::pipeline::node::{Content, Node};
use crate::pipeline::template::Template;
use crate::pipeline::{DEFAULT_CONCURRENCY, Expect, Foreach, MAX_STATUSES, Retry, Until, Uses, Work};

/// Fields of a task that a stage says in another way.
const ELSEWHERE: [(&str, &str); 7] = [
    ("timeout_ms", "say `timeout_ms` beside `with`"),
    ("max_attempts", "say `retry` beside `with`"),
    ("backoff", "say `retry` beside `with`"),
    ("retry", "say `retry` beside `with`"),
    ("depends_on", "say `needs` beside `with`"),
    ("run_at", "put a stage that waits before it"),
    ("scope", "a run belongs to one scope, and so do its tasks"),
];

impl Reading<'_> {
    pub(super) fn uses(&mut self, word: &'static str, with: &Node, at: &str) -> Option<Draft> {
        let table = member::fields(word);
        let mut names: Vec<&str> = table.iter().map(|field| field.name).collect();
        if word == "agent" {
            names.extend(self.elsewhere(with, at));
        }
        let fields = Fields::of(with, at, what(word), &names, &mut self.found)?;
        let mut members = Vec::new();
        for field in table {
            let node = match field.needed {
                Needed::Yes => fields.need(field.name, &mut self.found),
                Needed::No => fields.get(field.name),
            };
            if let Some(node) = node.filter(|_| field.name != "do") {
                members.push((field.name.to_owned(), self.member(field, node, &fields.at(field.name))));
            }
        }
        let draft = Work {
            uses: Uses::Command,
            with: Template::Object(members),
            retry: Retry::default(),
            timeout_ms: None,
            outputs: Vec::new(),
        };
        let mut draft = Draft { work: draft, gate: None, each: None };
        draft.work.uses = match word {
            "command" => Uses::Command,
            "agent" => Uses::Agent,
            "change" => Uses::Change,
            "http" => Uses::Http(self.expect(&fields)),
            "gate" => {
                let (gate, open) = self.gate(&fields);
                draft.gate = Some(open);
                Uses::Gate(Box::new(gate))
            }
            "wait" => Uses::Wait(self.wait(with, &fields)?),
            "pipeline" => Uses::Pipeline(fields.get("name")?.text()?.to_owned()),
            _ => {
                let (foreach, each) = self.foreach(&fields)?;
                draft.each = Some(each);
                Uses::Foreach(Box::new(foreach))
            }
        };
        Some(draft)
    }

    fn elsewhere(&mut self, with: &Node, at: &str) -> Vec<&'static str> {
        let Content::Object(members) = &with.content else { return Vec::new() };
        let mut told = Vec::new();
        for (key, _) in members {
            if let Some((name, instead)) = ELSEWHERE.into_iter().find(|(name, _)| *name == key.name) {
                self.found.judge(
                    key.place,
                    format!("{at}/{name}"),
                    format!("has no meaning here; {instead}"),
                );
                told.push(name);
            }
        }
        told
    }

    fn member(&mut self, field: &Field, node: &Node, at: &str) -> Template {
        let artifact = field.name == "subject" && subject(node).is_some();
        let form = if artifact { Form::Any } else { field.form };
        let template = self.template(node, at, form, field.filled);
        let mut unfit = Vec::new();
        form.check(&template, "", &mut unfit);
        for (inside, error) in unfit {
            self.found.judge(node.nearest(&inside).place, format!("{at}{inside}"), error);
        }
        template
    }

    fn expect(&mut self, fields: &Fields<'_>) -> Expect {
        let mut expect = Expect::default();
        let Some(node) = fields.get("expect") else { return expect };
        let at = fields.at("expect");
        let Some(fields) = Fields::of(node, &at, "expect", &["status", "schema"], &mut self.found) else {
            return expect;
        };
        if let Some(node) = fields.get("status") {
            let list = if let Content::List(items) = &node.content {
                items.as_slice()
            } else {
                std::slice::from_ref(node)
            };
            if list.is_empty() || list.len() > MAX_STATUSES {
                self.found.judge(
                    node.place,
                    fields.at("status"),
                    format!("must have 1 to {MAX_STATUSES} items"),
                );
            }
            for status in list.iter().take(self.at_most(MAX_STATUSES)) {
                let status = self.whole(status, &fields.at("status"), (100, 599));
                expect.statuses.extend(status.and_then(|status| u16::try_from(status).ok()));
            }
        }
        expect.schema = fields.get("schema").map(|node| self.schema(node, &fields.at("schema")));
        expect
    }

    fn wait(&mut self, with: &Node, fields: &Fields<'_>) -> Option<Until> {
        match (fields.get("for_ms"), fields.get("event")) {
            (Some(_), None) => Some(Until::Time),
            (None, Some(node)) => self.event(node, &fields.at("event")).map(Until::Event),
            _ => {
                let error = "a wait has either `for_ms` or `event`";
                self.found.add(with.place, fields.at("for_ms"), error);
                None
            }
        }
    }

    fn event(&mut self, node: &Node, at: &str) -> Option<Type> {
        let fields = Fields::of(node, at, "an event", &["type", "subject"], &mut self.found)?;
        if let Some(subject) = fields.get("subject").filter(|node| node.text().is_none()) {
            self.found.judge(
                subject.place,
                fields.at("subject"),
                "must be a text: the id of what the event is about",
            );
        }
        let node = fields.need("type", &mut self.found)?;
        let word = node.text().unwrap_or_default();
        let found = Type::parse(word);
        if found.is_none() {
            let bare = word.strip_prefix(crate::event::TYPE_PREFIX).unwrap_or(word);
            let near = crate::nearest::nearest(bare, Type::ALL.iter().map(|kind| kind.as_str()));
            let near = near.map(|near| format!("; is `{near}` meant?")).unwrap_or_default();
            let error = format!("is no type of event{near}; `tiltyard events` shows types");
            self.found.add(node.place, fields.at("type"), error);
        }
        found
    }

    fn foreach(&mut self, fields: &Fields<'_>) -> Option<(Foreach, Each)> {
        let name = fields.get("as").map_or(ITEM.to_owned(), |node| self.item_name(node, &fields.at("as")));
        let concurrency = fields.get("concurrency").and_then(Node::as_u32).unwrap_or(DEFAULT_CONCURRENCY);
        let node = fields.get("do")?;
        let at = fields.at("do");
        let outer = std::mem::take(&mut self.occurrences);
        let inner = Fields::of(node, &at, "what a foreach does", &EACH, &mut self.found);
        let each = inner.and_then(|inner| self.work(node, &at, &inner));
        let occurrences = std::mem::replace(&mut self.occurrences, outer);
        let each = each?;
        if matches!(each.work.uses, Uses::Foreach(_)) {
            let place = node.member("uses").map_or(node.place, |uses| uses.place);
            let error = "a foreach does no foreach; let its items run a pipeline that has one";
            self.found.add(place, format!("{at}/uses"), error);
            return None;
        }
        if let Some(back) = each.gate.as_ref().and_then(|gate| gate.back.as_ref()) {
            let error = "inside of a foreach a reject cannot send the run back; leave it out";
            self.found.judge(back.place, &back.at, error);
        }
        Some((Foreach { name, concurrency, each: each.work }, (each.gate, occurrences)))
    }

    fn item_name(&mut self, node: &Node, at: &str) -> String {
        let name = node.text().unwrap_or_default();
        let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        let plain = name.starts_with(|letter: char| letter.is_ascii_lowercase()) && name.chars().all(letters);
        if !plain || name.len() > 64 || matches!(name, "null" | "true" | "false") {
            self.found.judge(
                node.place,
                at,
                "must be a name: 1 to 64 of a-z, 0-9 and _, beginning with a letter",
            );
        } else if ROOTS.contains(&name) || name == INDEX {
            self.found.judge(
                node.place,
                at,
                format!("`{name}` means something else in expressions; choose another name"),
            );
        }
        name.to_owned()
    }
}

impl Node {
    fn as_u32(&self) -> Option<u32> {
        match &self.content {
            Content::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            _ => None,
        }
    }
}

/// The stage and output that a gate asks about, where its subject is one whole expression that names an output.
pub(super) fn subject(node: &Node) -> Option<(String, String)> {
    let expression = Expression::read(&whole(node.text()?)?).ok()?;
    let path = expression.as_path().filter(|path| path.steps.len() == 4)?;
    let output = path.name(0) == Some("stages") && path.name(2) == Some("outputs");
    output.then(|| Some((path.name(1)?.to_owned(), path.name(3)?.to_owned())))?
}

fn what(word: &str) -> &'static str {
    match word {
        "command" => "`with` of a command",
        "agent" => "`with` of an agent's stage",
        "change" => "`with` of a change",
        "http" => "`with` of an http stage",
        "gate" => "`with` of a gate",
        "wait" => "`with` of a wait",
        "pipeline" => "`with` of a pipeline's stage",
        _ => "`with` of a foreach",
    }
}
