//! The members of an object, each asked for by its name; what nobody asks for is a mistake.

use crate::pipeline::expression::hint;
use crate::pipeline::node::{Content, Key, Node, escaped};
use crate::pipeline::place::Mistakes;

pub(super) struct Fields<'n> {
    node: &'n Node,
    at: String,
    what: &'static str,
    members: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// `None`, and a mistake, where it is no object.
    pub(super) fn of(
        node: &'n Node,
        at: &str,
        what: &'static str,
        known: &[&str],
        found: &mut Mistakes,
    ) -> Option<Self> {
        let Content::Object(members) = &node.content else {
            let error = format!("{what} is an object with {}, and this is {}", known.join(", "), node.kind());
            found.add(node.place, at, error);
            return None;
        };
        for (key, _) in members.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let near = if found.is_full() { String::new() } else { hint(&key.name, known.iter().copied()) };
            let shown: String = key.name.chars().take(64).collect();
            found.judge(
                key.place,
                format!("{at}/{}", escaped(&key.name)),
                format!("{what} has no `{shown}`{near}"),
            );
        }
        Some(Self { node, at: at.to_owned(), what, members })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.members.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    pub(super) fn need(&self, name: &str, found: &mut Mistakes) -> Option<&'n Node> {
        let value = self.get(name);
        if value.is_none() {
            found.add(self.node.place, self.at(name), format!("{} needs `{name}`", self.what));
        }
        value
    }

    pub(super) fn here(&self) -> &str {
        &self.at
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.at, escaped(name))
    }
}
