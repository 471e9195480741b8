//! The second net under `Secret<T>`: fields with telling names, and patterns in texts.

use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;
use tiltyard_model::secret::REDACTED;

/// Names of fields whose text is never written.
const SECRET_NAMES: &[&str] =
    &["authorization", "cookie", "password", "passwd", "secret", "token", "ticket", "api_key", "private_key"];

/// What stays is captured, what goes is not: our tokens, credentials of HTTP, of query strings and of URLs.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let parts = [
        r"(?P<a>\bjst_)[0-9A-Za-z]{8,}",
        r"(?P<b>(?i)\b(?:bearer|basic)\s+)[A-Za-z0-9+/._~=-]{6,}",
        r#"(?P<c>(?i)\bauthorization["']?\s*[:=]\s*["']?)[^\s"',;]+(?:\s+[^\s"',;]+)?"#,
        r#"(?P<d>(?i)[?&](?:token|ticket|access_token|code|sig|signature|password|secret)=)[^&\s"'#]+"#,
        r"(?P<e>://[^\s/:@]*:)[^\s/@]+@",
        r#"(?P<f>(?i)\b(?:password|passwd|secret|token|api_key|apikey)["']?\s*[:=]\s*["']?)[^\s"',;&}]{6,}"#,
    ];
    Regex::new(&parts.join("|")).expect("the pattern is tested")
});

/// Whether a field of that name holds a secret: the names themselves, also after an underscore.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let ends = |secret: &str| {
        name.strip_suffix(secret).is_some_and(|front| front.is_empty() || front.ends_with('_'))
    };
    SECRET_NAMES.iter().any(|secret| ends(secret))
}

/// The text with everything that looks like a secret replaced by `[redacted]`.
pub fn redact(text: &str) -> Cow<'_, str> {
    PATTERN.replace_all(text, |found: &regex::Captures<'_>| {
        let kept = ["a", "b", "c", "d", "e", "f"].iter().find_map(|name| found.name(name));
        let after = if found.name("e").is_some() { "@" } else { "" };
        format!("{}{REDACTED}{after}", kept.map_or("", |part| part.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // O20: redaction of tokens, secrets and Authorization; here the net by pattern.
    #[test]
    fn o20_what_looks_like_a_secret_is_redacted() {
        let token = "jst_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for text in [
            format!("token {token} was used"),
            format!("Authorization: Bearer {token}"),
            "authorization=Basic dXNlcjpodW50ZXIy".to_owned(),
            "GET /api/v1/events/stream?after=1&token=hunter2hunter2&x=1".to_owned(),
            "postgres://ada:hunter2@db.example/tilt".to_owned(),
            r#"{"password":"hunter2hunter2"}"#.to_owned(),
            "/ws?ticket=hunter2".to_owned(),
        ] {
            let shown = redact(&text);
            assert!(shown.contains(REDACTED), "{shown}");
            for secret in ["0123456789", "hunter2", "dXNlcjpodW50ZXIy"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn o20_harmless_text_is_left_alone() {
        for text in [
            "task_01h2xcejqtf2nbrexx3vqjhp41 leased",
            "http://127.0.0.1:8470/tasks?queue=a",
            "no token given",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn o20_names_of_secret_fields() {
        for name in
            ["token", "admin_token", "Authorization", "set-cookie", "client_secret", "proxy-authorization"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["tokens", "token_id", "path", "secretary"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
