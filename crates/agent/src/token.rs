//! Tokens of ours in texts that others will read: whatever an error quotes, a token is no part of it (SEC20).

use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

/// What a token looks like; a part of one is masked too.
static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("jst_[0-9a-fA-F]{6,}").expect("the pattern is valid; a test compiles it"));

/// The text without tokens.
pub(crate) fn masked(text: &str) -> String {
    match TOKEN.replace_all(text, "jst_***") {
        Cow::Borrowed(_) => text.to_owned(),
        Cow::Owned(masked) => masked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec20_no_token_is_repeated() {
        let token = format!("jst_{}", "0123456789abcdef".repeat(4));
        assert_eq!(masked(&format!("token = \"{token}\", {}", &token[..20])), "token = \"jst_***\", jst_***");
        assert_eq!(masked("jst_ is how they begin"), "jst_ is how they begin");
    }
}
