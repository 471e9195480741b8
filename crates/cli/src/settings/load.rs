//! From all sources to one set of effective settings, each with its origin.

use super::environment::Environment;
use super::key::{KEYS, Key, Shape, find, nearest};
use super::origin::{BadSetting, BadSettings, Origin};
use super::{Settings, file, rule};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The flag as it is typed, for messages.
    pub flag: String,
    /// The key that it sets.
    pub path: String,
    /// Its text.
    pub value: String,
}

/// What the command line says about settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Flags that are settings.
    pub overrides: Vec<Override>,
}

/// Effective settings and where each came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Where the value of `path` came from.
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }

    /// The value of a key as JSON; secrets are masked.
    pub fn value(&self, key: &Key) -> Value {
        let all = serde_json::to_value(&self.settings).unwrap_or_default();
        all.pointer(&pointer(&key.path)).cloned().unwrap_or_default()
    }
}

/// Reads every source.
///
/// # Errors
/// All settings that cannot be used, each with its place and the nearest right name.
pub fn load(given: &Given, environment: &Environment) -> Result<Loaded, BadSettings> {
    let mut gathering = Gathering::new();
    let file = file::locate(given.config.as_deref(), environment);
    if let Some(path) = &file {
        let (entries, bad) = file::read(path);
        gathering.bad.extend(bad);
        for entry in entries {
            gathering.set(&entry.path, entry.value, entry.origin);
        }
    }
    let (variables, bad) = environment.settings();
    gathering.bad.extend(bad);
    for (path, text, origin) in variables {
        gathering.set_text(&path, &text, origin);
    }
    for given in &given.overrides {
        gathering.set_flag(given);
    }
    gathering.finish(file, environment)
}

/// Sources are laid over the defaults leaf by leaf; each leaf is tried alone, so that an error knows its own.
struct Gathering {
    tree: Value,
    origins: BTreeMap<String, Origin>,
    bad: Vec<BadSetting>,
}

impl Gathering {
    fn new() -> Self {
        let tree = serde_json::to_value(Settings::default()).expect("the settings are JSON");
        Self { tree, origins: BTreeMap::new(), bad: Vec::new() }
    }

    fn set_flag(&mut self, given: &Override) {
        let origin = Origin::Flag { flag: given.flag.clone() };
        if find(&given.path).is_some() {
            return self.set_text(&given.path, &given.value, origin);
        }
        let near = nearest(&given.path, KEYS.iter().map(|key| key.path.as_str())).unwrap_or_default();
        let message = format!("there is no setting `{}`; the nearest is `{near}`", given.path);
        self.bad.push(BadSetting { origin, message });
    }

    fn set_text(&mut self, path: &str, text: &str, origin: Origin) {
        let Some(key) = find(path) else { return };
        match from_text(&key.shape, text) {
            Ok(value) => self.set(path, value, origin),
            Err(message) => self.bad.push(BadSetting { origin, message: format!("`{path}` {message}") }),
        }
    }

    fn set(&mut self, path: &str, value: Value, origin: Origin) {
        let Some(key) = find(path) else { return };
        if let Err(message) = fits(key, &value) {
            self.bad.push(BadSetting { origin, message: format!("`{path}` {message}") });
            return;
        }
        if let Some(leaf) = self.tree.pointer_mut(&pointer(path)) {
            *leaf = value;
        }
        self.origins.insert(path.to_owned(), origin);
    }

    fn finish(mut self, file: Option<PathBuf>, environment: &Environment) -> Result<Loaded, BadSettings> {
        if !self.bad.is_empty() {
            return Err(BadSettings(self.bad));
        }
        let settings = serde_json::from_value::<Settings>(self.tree.take()).map_err(|error| BadSetting {
            origin: Origin::Default,
            message: format!("the settings do not fit together: {error}"),
        })?;
        let mut loaded = Loaded { settings, file, origins: self.origins };
        settle_folders(&mut loaded, environment)?;
        let bad = rule::check(&loaded);
        if bad.is_empty() { Ok(loaded) } else { Err(BadSettings(bad)) }
    }
}

/// Folders become absolute; those that nobody set follow the environment.
fn settle_folders(loaded: &mut Loaded, environment: &Environment) -> Result<(), BadSetting> {
    if loaded.origin("data") == Origin::Default {
        loaded.settings.data = environment.data_folder().ok_or_else(|| BadSetting {
            origin: Origin::Default,
            message: "`data` has no default without HOME; say --data DIR".to_owned(),
        })?;
    }
    let settings = &mut loaded.settings;
    settings.data = environment.absolute(&settings.data);
    if settings.agent.work.as_os_str().is_empty() {
        settings.agent.work = settings.data.join("agent");
    }
    settings.agent.work = environment.absolute(&settings.agent.work);
    if !loaded.origins.contains_key("agent.roots") {
        loaded.settings.agent.roots = environment.home().into_iter().collect();
    }
    Ok(())
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

/// Reads the text of a variable or flag: lists are JSON or separated by commas.
fn from_text(shape: &Shape, text: &str) -> Result<Value, String> {
    match shape {
        Shape::Boolean => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(format!("must be true or false, not {text:?}")),
        },
        Shape::Integer { min, max } => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| format!("must be a whole number from {min} to {max}, not {text:?}")),
        Shape::List if text.trim_start().starts_with('[') && text.trim_end().ends_with(']') => {
            Ok(serde_json::from_str(text).unwrap_or_else(|_| comma_separated(text)))
        }
        Shape::List => Ok(comma_separated(text)),
        Shape::Choice(_) | Shape::Text => Ok(text.into()),
    }
}

fn comma_separated(text: &str) -> Value {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Value::from).collect()
}

/// Tries one value in otherwise default settings.
fn fits(key: &Key, value: &Value) -> Result<(), String> {
    match (&key.shape, value) {
        (Shape::Integer { min, max }, value) => {
            let inside = value.as_i64().is_some_and(|number| (*min..=*max).contains(&number));
            if !inside {
                return Err(format!("must be a whole number from {min} to {max}, not {value}"));
            }
        }
        (Shape::Choice(words), Value::String(word)) if !words.contains(word) => {
            let near = nearest(word, words.iter().map(String::as_str)).unwrap_or_default();
            return Err(format!("must be one of {}; the nearest to {word:?} is {near}", words.join(", ")));
        }
        _ => {}
    }
    let mut tree = serde_json::to_value(Settings::default()).expect("the settings are JSON");
    if let Some(leaf) = tree.pointer_mut(&pointer(&key.path)) {
        *leaf = value.clone();
    }
    serde_json::from_value::<Settings>(tree).map(drop).map_err(|error| complaint(key, &error))
}

/// The type's own words may quote the value, so a secret gets none of them.
fn complaint(key: &Key, error: &serde_json::Error) -> String {
    if key.secret { "must be a text".to_owned() } else { format!("has a wrong value: {error}") }
}
