//! Forms: what a member of a stage's `with` may be. One table for what is written in a definition and for what becomes of
//! it once its expressions have values.

use super::file::{folder, is_inside};
use super::template::Template;
use super::{MAX_FILES, MAX_PATH_BYTES};
use crate::slug::is_slug;
use crate::task::admission::{MAX_TAGS, MAX_TITLE_CHARS, is_tag};
use serde_json::Value;

/// Longest text of a member that has no smaller limit, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 128 * 1024;
/// Most items of a list of texts, and members of an object of texts.
pub(super) const MAX_TEXTS: usize = 256;

/// What a member may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// One line for people.
    Line,
    /// `[a-z0-9][a-z0-9_-]{0,63}`.
    Slug,
    /// 1 to 256 characters without control characters.
    Tag,
    /// An address for HTTP.
    Url,
    /// A whole number.
    Whole(i64, i64),
    /// True or false.
    Truth,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts, at least so many.
    Texts(usize),
    /// A list of tags.
    Tags,
    /// A text, or a list of texts.
    TextOrTexts,
    /// An object of texts; null takes one away.
    TextMap,
    /// An object of files by their paths.
    Files,
    /// A list.
    List,
    /// Judged by whoever reads it.
    Own,
}

/// Whether expressions may stand in a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// They may.
    Later,
    /// What is written is what it is.
    Fixed,
}

/// A member of `with`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub name: &'static str,
    pub form: Form,
    pub needed: Needed,
    pub filled: Filled,
}

/// Whether a member must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    Yes,
    No,
}

/// What is wrong, with its JSON Pointer.
pub(super) type Unfit = Vec<(String, String)>;

impl Form {
    /// Whether its texts are taken as they are spelled, whatever YAML would make of them.
    pub(super) const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Line | Self::Slug | Self::Tag | Self::Url | Self::Word(_) | Self::TextOrTexts
        )
    }

    /// The form of its items or members.
    pub(super) const fn inner(self) -> Self {
        match self {
            Self::Texts(_) | Self::TextMap | Self::TextOrTexts => Self::Text,
            Self::Tags => Self::Tag,
            Self::Own => Self::Own,
            _ => Self::Any,
        }
    }

    /// The value with numbers and truths where texts are wanted as texts.
    pub(super) fn as_wanted(self, value: Value) -> Value {
        match value {
            Value::Number(_) | Value::Bool(_) if self.is_text() => Value::String(value.to_string()),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.inner().as_wanted(item)).collect())
            }
            Value::Object(members) => Value::Object(
                members.into_iter().map(|(name, member)| (name, self.inner().as_wanted(member))).collect(),
            ),
            value => value,
        }
    }

    /// Everything that is wrong with what is known already; expressions are judged once they have values.
    pub(super) fn check(self, template: &Template, at: &str, unfit: &mut Unfit) {
        match (self, template) {
            (Self::Files, Template::Object(members)) => files(members, at, unfit),
            (Self::Files, Template::Expression(_)) => unfit.push((at.to_owned(), self.rule())),
            (Self::Any | Self::Own, _) | (_, Template::Expression(_)) => {}
            (_, Template::Text(_)) if self.is_text() => {}
            (Self::Texts(_) | Self::Tags | Self::TextOrTexts | Self::List, Template::List(items)) => {
                self.list(items, at, unfit);
            }
            (Self::TextMap, Template::Object(members)) => self.map(members, at, unfit),
            (_, Template::Value(value)) => {
                if let Some(error) = self.objection(value) {
                    unfit.push((at.to_owned(), error));
                }
            }
            _ => unfit.push((at.to_owned(), self.rule())),
        }
    }

    fn list(self, items: &[Template], at: &str, unfit: &mut Unfit) {
        let (least, most) = match self {
            Self::Texts(least) => (least, MAX_TEXTS),
            Self::TextOrTexts => (1, MAX_TEXTS),
            Self::Tags => (0, MAX_TAGS),
            _ => (0, usize::MAX),
        };
        if !(least..=most).contains(&items.len()) {
            unfit.push((at.to_owned(), format!("must have {least} to {most} items")));
        }
        for (index, item) in items.iter().enumerate() {
            self.inner().check(item, &format!("{at}/{index}"), unfit);
        }
    }

    fn map(self, members: &[(String, Template)], at: &str, unfit: &mut Unfit) {
        if members.len() > MAX_TEXTS {
            unfit.push((at.to_owned(), format!("must have at most {MAX_TEXTS} members")));
        }
        for (name, member) in members.iter().filter(|(_, member)| *member != Template::Value(Value::Null)) {
            self.inner().check(member, &format!("{at}/{}", super::node::escaped(name)), unfit);
        }
    }

    /// What is wrong with a value that has no parts of its own.
    fn objection(self, value: &Value) -> Option<String> {
        let fits = match (self, value) {
            (Self::Text | Self::TextOrTexts, Value::String(text)) => text.len() <= MAX_TEXT_BYTES,
            (Self::Line, Value::String(text)) => is_line(text),
            (Self::Slug, Value::String(text)) => is_slug(text),
            (Self::Tag, Value::String(text)) => is_tag(text),
            (Self::Url, Value::String(text)) => is_url(text),
            (Self::Word(words), Value::String(text)) => words.contains(&text.as_str()),
            (Self::Whole(least, most), Value::Number(number)) => {
                number.as_i64().is_some_and(|number| (least..=most).contains(&number))
            }
            (Self::Truth, Value::Bool(_)) => true,
            _ => false,
        };
        (!fits).then(|| match value.as_str() {
            Some(text @ ("yes" | "no" | "on" | "off" | "y" | "n")) if self == Self::Truth => {
                format!("must be true or false; `{text}` is a text in YAML 1.2")
            }
            _ => self.rule(),
        })
    }

    fn rule(self) -> String {
        match self {
            Self::Any | Self::Own => "may be anything".to_owned(),
            Self::Text => format!("must be a text of at most {MAX_TEXT_BYTES} bytes"),
            Self::Line => {
                format!("must be a text of 1 to {MAX_TITLE_CHARS} characters on one line, not only blanks")
            }
            Self::Slug => "must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -".to_owned(),
            Self::Tag => "must be a text of 1 to 256 characters without control characters".to_owned(),
            Self::Url => "must begin with http:// or https:// and name a host".to_owned(),
            Self::Whole(least, most) => format!("must be a whole number from {least} to {most}"),
            Self::Truth => "must be true or false".to_owned(),
            Self::Word(words) => format!("must be one of {}", words.join(", ")),
            Self::Texts(_) | Self::Tags => "must be a list of texts".to_owned(),
            Self::TextOrTexts => "must be a text, or a list of texts".to_owned(),
            Self::TextMap => "must be an object of texts".to_owned(),
            Self::Files => "must be an object of files by their paths, none of them an expression".to_owned(),
            Self::List => "must be a list".to_owned(),
        }
    }
}

/// Paths are judged; what the files become is judged by whoever writes them.
fn files(members: &[(String, Template)], at: &str, unfit: &mut Unfit) {
    if members.len() > MAX_FILES {
        unfit.push((at.to_owned(), format!("a command gets at most {MAX_FILES} files")));
    }
    for (path, _) in members.iter().filter(|(path, _)| !is_inside(path)) {
        let rule = format!(
            "must be a path inside of the stage's own folder, of at most {MAX_PATH_BYTES} bytes: notes/draft.md"
        );
        unfit.push((format!("{at}/{}", super::node::escaped(path)), rule));
    }
    let paths: Vec<&str> = members.iter().map(|(path, _)| path.as_str()).collect();
    if let Some(folder) = folder(&paths) {
        let error = "is a file here, and the folder of another one".to_owned();
        unfit.push((format!("{at}/{}", super::node::escaped(folder)), error));
    }
}

fn is_line(text: &str) -> bool {
    text.chars().count() <= MAX_TITLE_CHARS && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |letter: char| !letter.is_whitespace() && !letter.is_control();
    rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '['))
        && text.len() <= 8 * 1024
        && text.chars().all(plain)
}

/// What a member became, in the kinds that it is wanted in.
///
/// # Errors
/// What is wrong with it, with its JSON Pointer.
pub(super) fn settled(field: &Field, value: Value) -> Result<Value, Unfit> {
    if matches!(field.form, Form::Any | Form::Own) {
        return Ok(value);
    }
    let value = field.form.as_wanted(value);
    let mut unfit = Vec::new();
    field.form.check(&parts(&value), &format!("/{}", field.name), &mut unfit);
    if unfit.is_empty() { Ok(value) } else { Err(unfit) }
}

/// A value as a template without expressions, so that both are judged alike.
pub(super) fn parts(value: &Value) -> Template {
    match value {
        Value::Array(items) => Template::List(items.iter().map(parts).collect()),
        Value::Object(members) => {
            Template::Object(members.iter().map(|(name, member)| (name.clone(), parts(member))).collect())
        }
        value => Template::Value(value.clone()),
    }
}
