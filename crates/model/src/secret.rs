//! Secrets by type: a value that no log line, error or dump can show by accident.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What stands in the place of a secret wherever it would be printed.
pub const REDACTED: &str = "[redacted]";

/// A value that must not be printed. `Debug`, `Display` and `Serialize` all give `[redacted]`; the only way
/// to the value is [`Secret::expose`], which a reviewer can search for.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself: for the one place that sends, compares or digests it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Gives the value up.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Secret<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Secret_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = generator.subschema_for::<T>();
        schema.insert("writeOnly".to_owned(), true.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Login {
        token: Secret<String>,
    }

    // O20: redaction of tokens and secrets by type.
    #[test]
    fn o20_a_secret_is_never_printed() {
        let login: Login = serde_json::from_str(r#"{"token":"jst_0123"}"#).expect("is JSON");
        assert_eq!(format!("{login:?} {}", login.token), "Login { token: [redacted] } [redacted]");
        assert_eq!(serde_json::to_string(&login).expect("is JSON"), r#"{"token":"[redacted]"}"#);
        assert_eq!(login.token.expose(), "jst_0123");
        assert_eq!(login.token.into_exposed(), "jst_0123");
    }

    #[test]
    fn the_schema_says_that_it_is_written_only() {
        let schema = schemars::schema_for!(Secret<String>);
        assert_eq!(schema.get("writeOnly"), Some(&true.into()));
        assert_eq!(schema.get("type"), Some(&"string".into()));
    }
}
