//! Fingerprints (D12): letters with the same kind and the same error, but for its numbers, names and places,
//! are one group.

use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// How much of an error is looked at, in bytes; a longer one differs from others at its beginning or not at all.
pub const MAX_ERROR_BYTES: usize = 16 * 1024;
/// How much of a normalised error counts, in bytes.
pub const MAX_NORMAL_BYTES: usize = 1_024;
/// Length of a fingerprint in hex digits.
pub const FINGERPRINT_CHARS: usize = 32;

/// What differs between two runs of the same fault, tried from the top at each place.
const VARIABLE: &str = r#"(?x)
    (?<ansi> \x1b \[ [0-9;?]* [A-Za-z] )
  | (?<time> \d{4}-\d{2}-\d{2} (?: [T\ ] \d{2}:\d{2} (?: :\d{2} (?: [.,]\d+ )? )? (?: Z | [+-]\d{2}:?\d{2} )? )?
           | \b \d{1,2}:\d{2}:\d{2} (?: [.,]\d+ )? \b )
  | (?<uuid> \b [0-9A-Fa-f]{8} (?: -[0-9A-Fa-f]{4} ){3} -[0-9A-Fa-f]{12} \b )
  | (?<id>   \b [a-z]{2,8}_[0-7][0-9a-hjkmnp-tv-z]{25} \b )
  | (?<url>  \b [A-Za-z][A-Za-z0-9+.-]* :// [^\s"'`<>]+ )
  | (?<text> " [^"\n]{0,500} " | \B ' [^'\n]{1,500} ' \B | ` [^`\n]{0,500} ` )
  | (?<path> (?: [A-Za-z]:\\ | (?: \.{1,2} | ~ )? / | \b [\w.@+-]+ / ) [\w.@+~/\\-]+ (?: :\d+ ){0,2} )
  | (?<hex>  \b 0[xX][0-9A-Fa-f]+ \b | \b [0-9A-Fa-f]{7,} \b )
  | (?<n>    [+-]? \d+ (?: [.,]\d+ )* )
  | (?<gap>  \s+ )
"#;

static VARIABLE_PARTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(VARIABLE).expect("the pattern is a constant, and a test builds it"));

/// The fingerprint of a failure: hex, stable for ever.
pub fn fingerprint(kind: &str, error: &Value) -> String {
    let mut digest = Sha256::new();
    digest.update(kind.as_bytes());
    digest.update([0]);
    digest.update(normalise(&error_text(error)).as_bytes());
    let mut hex = hex::encode(digest.finalize());
    hex.truncate(FINGERPRINT_CHARS);
    hex
}

/// The words of an error: a text as it is, of an object its `message`, `error` or `reason`, else its JSON.
pub fn error_text(error: &Value) -> String {
    let named = |name: &str| error.get(name).and_then(Value::as_str);
    let text = error.as_str().or_else(|| ["message", "error", "reason"].into_iter().find_map(named));
    text.map_or_else(|| error.to_string(), str::to_owned)
}

/// The error without what differs between two runs of the same fault: times, ids, quoted texts, paths,
/// addresses and numbers become placeholders, blanks one blank, letters lower case.
pub fn normalise(error: &str) -> String {
    let error = cut(error, MAX_ERROR_BYTES);
    let mut normal = String::with_capacity(error.len().min(MAX_NORMAL_BYTES));
    let mut rest = 0;
    for found in VARIABLE_PARTS.captures_iter(error) {
        let Some(whole) = found.get(0) else { continue };
        push_lower(&mut normal, &error[rest..whole.start()]);
        rest = whole.end();
        match placeholder(&found) {
            // "defaced" and "facade" are words, however hexadecimal.
            "<hex>" if !whole.as_str().bytes().any(|byte| byte.is_ascii_digit()) => {
                push_lower(&mut normal, whole.as_str());
            }
            word => normal.push_str(word),
        }
        if normal.len() > MAX_NORMAL_BYTES {
            return cut(&normal, MAX_NORMAL_BYTES).to_owned();
        }
    }
    push_lower(&mut normal, &error[rest..]);
    cut(normal.trim(), MAX_NORMAL_BYTES).to_owned()
}

fn placeholder(found: &regex::Captures<'_>) -> &'static str {
    let named = [
        ("ansi", ""),
        ("time", "<time>"),
        ("uuid", "<id>"),
        ("id", "<id>"),
        ("url", "<url>"),
        ("text", "<text>"),
        ("path", "<path>"),
        ("hex", "<hex>"),
        ("n", "<n>"),
        ("gap", " "),
    ];
    named.into_iter().find(|(name, _)| found.name(name).is_some()).map_or("", |(_, word)| word)
}

fn push_lower(normal: &mut String, text: &str) {
    for letter in text.chars() {
        normal.extend(letter.to_lowercase());
    }
}

/// The longest beginning of at most `limit` bytes that ends between two characters.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
