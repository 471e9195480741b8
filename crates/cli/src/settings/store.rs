//! Where the data lives, as it is written in settings. The address of a database may hold a password, so it is shown without.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use tiltyard_model::secret::Secret;

/// The word for a store in the data folder.
const EMBEDDED: &str = "embedded";
/// What stands in the place of a password.
const MASK: &str = "***";

/// Where the data lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Store {
    /// An embedded database in the data folder.
    #[default]
    Embedded,
    /// A PostgreSQL database, by its address.
    Shared(Secret<String>),
}

impl Serialize for Store {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.shown())
    }
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == EMBEDDED {
            return Ok(Self::Embedded);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Shared(Secret::new(text)));
        }
        // The text is not repeated: it may hold a password.
        Err(serde::de::Error::custom("expected `embedded` or an address that begins with postgres://"))
    }
}

impl Store {
    /// As it may be seen by everybody.
    pub fn shown(&self) -> Cow<'static, str> {
        match self {
            Self::Embedded => EMBEDDED.into(),
            Self::Shared(url) => masked(url.expose()).into(),
        }
    }
}

/// The address without its password, wherever that stands.
fn masked(url: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
    let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let who = match who.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}@"),
        None if who.is_empty() => String::new(),
        None => format!("{who}@"),
    };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').filter(|pair| !pair.is_empty()).map(hide).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("{scheme}://{who}{place}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let store: Store = serde_json::from_value(text.into()).expect("is a store");
        serde_json::to_value(&store).expect("is JSON").as_str().expect("is a text").to_owned()
    }

    // O16, O1: the password of a database is shown nowhere.
    #[test]
    fn o16_an_address_is_shown_without_its_password() {
        assert_eq!(shown("embedded"), "embedded");
        assert_eq!(
            shown("postgres://u:p%40x@a:1,b:2/d?sslmode=require"),
            "postgres://u:***@a:1,b:2/d?sslmode=require"
        );
        assert_eq!(shown("postgresql://u@h/d?password=geheim&x=1"), "postgresql://u@h/d?password=***&x=1");
        assert_eq!(shown("postgres://h/d"), "postgres://h/d");
        assert!(!format!("{:?}", Store::Shared(Secret::new("geheim".to_owned()))).contains("geheim"));
        let wrong = serde_json::from_value::<Store>("mysql://u:geheim@h".into()).expect_err("is none");
        assert!(wrong.to_string().contains("postgres://") && !wrong.to_string().contains("geheim"));
    }
}
