//! The keys of all settings, read from the schema of the one struct.

use super::Settings;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::sync::LazyLock;

/// The prefix of every environment variable that is a setting.
pub const ENVIRONMENT_PREFIX: &str = "TILTYARD_";

/// Every key: first those outside any group, each part in the order of the alphabet.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(all);

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its name, with dots: `limits.queued_intents`.
    pub path: String,
    /// What it means.
    pub about: String,
    /// What values it takes.
    pub shape: Shape,
    /// Its value when nobody sets it.
    pub default: Value,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// Whether a reload (SIGHUP) applies it; others need a restart.
    pub live: bool,
}

/// What values a setting takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number between two bounds.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// One of these words.
    Choice(Vec<String>),
    /// Any text.
    Text,
    /// A list of texts.
    List,
}

impl Key {
    /// The environment variable that overrides it.
    pub fn variable(&self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}", self.path.to_uppercase().replace('.', "_"))
    }
}

/// The key of that name.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `path` is a group of settings, such as `limits`.
pub fn is_group(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// What likeness counts where a group is missing or too much.
const OTHER_DEPTH: f64 = 0.8;

/// The name among `names` that `wrong` was most likely meant to be.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names.reduce(|best, name| if likeness(wrong, name) > likeness(wrong, best) { name } else { best })
}

/// From 0 to 1. Part by part, and the beginning of a part counts most: people leave off ends, and know the group.
fn likeness(wrong: &str, name: &str) -> f64 {
    let parts = |text: &str| text.matches('.').count();
    if parts(wrong) == parts(name) {
        let pairs = wrong.split('.').zip(name.split('.'));
        return pairs.map(|(wrong, right)| strsim::jaro_winkler(wrong, right)).product();
    }
    let ends = |text: &str| {
        text.split_once('.')
            .map_or((text.to_owned(), text.to_owned()), |(first, rest)| (first.into(), rest.into()))
    };
    let ((first, last), (group, setting)) = (ends(wrong), ends(name));
    OTHER_DEPTH * strsim::jaro_winkler(&first, &group).max(strsim::jaro_winkler(&last, &setting))
}

fn all() -> Vec<Key> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Settings>();
    let defaults = serde_json::to_value(Settings::default()).expect("the settings are JSON");
    let mut keys = Vec::new();
    collect(schema.as_value(), "", &defaults, &mut keys);
    // Keys outside any group come first, as TOML wants it.
    keys.sort_by_key(|key| key.path.contains('.'));
    keys
}

fn collect(schema: &Value, path: &str, default: &Value, keys: &mut Vec<Key>) {
    let Some(properties) = schema["properties"].as_object() else {
        keys.push(key(schema, path, default));
        return;
    };
    for name in properties.keys() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(&properties[name], &path, &default[name], keys);
    }
}

fn key(schema: &Value, path: &str, default: &Value) -> Key {
    Key {
        path: path.to_owned(),
        about: schema["description"].as_str().unwrap_or_default().replace('\n', " "),
        shape: shape(schema),
        default: default.clone(),
        secret: holds(schema, "writeOnly"),
        live: holds(schema, "x-live"),
    }
}

/// Optional values wrap their schema in `anyOf`, so a mark may stand one floor deeper.
fn holds(schema: &Value, mark: &str) -> bool {
    let deeper = schema["anyOf"].as_array().into_iter().flatten().any(|part| part[mark] == true);
    schema[mark] == true || deeper
}

fn shape(schema: &Value) -> Shape {
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(only) => vec![only.as_str()],
        _ => Vec::new(),
    };
    let words = choices(schema);
    if !words.is_empty() {
        Shape::Choice(words)
    } else if types.contains(&"boolean") {
        Shape::Boolean
    } else if types.contains(&"integer") {
        let bound = |name: &str| schema[name].as_i64();
        Shape::Integer { min: bound("minimum").unwrap_or(0), max: bound("maximum").unwrap_or(i64::MAX) }
    } else if types.contains(&"array") {
        Shape::List
    } else {
        Shape::Text
    }
}

fn choices(schema: &Value) -> Vec<String> {
    let named = schema["oneOf"].as_array().into_iter().flatten().filter_map(|one| one["const"].as_str());
    let listed = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    named.chain(listed).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn o1_every_setting_is_documented_and_has_its_own_variable() {
        let mut variables = HashSet::new();
        for key in KEYS.iter() {
            assert!(key.about.len() > 10, "{} says nothing", key.path);
            assert!(variables.insert(key.variable()), "{} shares its variable", key.path);
        }
        let queued = find("limits.queued_intents").expect("is a key");
        assert_eq!(queued.variable(), "TILTYARD_LIMITS_QUEUED_INTENTS");
        assert_eq!(queued.shape, Shape::Integer { min: 1, max: 1_000_000 });
        assert!(KEYS.len() > 30);
    }

    #[test]
    fn o1_shapes_secrets_and_live_keys_come_from_the_struct() {
        let shape = |path| find(path).expect("is a key").shape.clone();
        assert_eq!(shape("durability"), Shape::Choice(vec!["full".into(), "relaxed".into()]));
        assert_eq!(shape("no_auth"), Shape::Boolean);
        assert_eq!(shape("hosts"), Shape::List);
        assert_eq!(shape("tls.cert"), Shape::Text);
        let secrets: Vec<_> = KEYS.iter().filter(|key| key.secret).map(|key| key.path.as_str()).collect();
        assert_eq!(secrets, ["agent.token"]);
        let live: Vec<_> = KEYS.iter().filter(|key| key.live).map(|key| key.path.as_str()).collect();
        assert_eq!(live, ["dead_letters.max", "limits.queued_intents", "log.level"]);
        assert!(is_group("limits") && !is_group("limit") && !is_group("listen"));
    }

    #[test]
    fn o1_the_nearest_name_is_found() {
        let near = |wrong| nearest(wrong, KEYS.iter().map(|key| key.path.as_str()));
        assert_eq!(near("lisen"), Some("listen"));
        assert_eq!(near("limit.queued_intent"), Some("limits.queued_intents"));
        assert_eq!(near("log.levle"), Some("log.level"));
        assert_eq!(near("limts.body"), Some("limits.body_bytes"));
        assert_eq!(near("limits.qued"), Some("limits.queued_intents"));
        assert_eq!(near("queued_intents"), Some("limits.queued_intents"));
    }
}
