//! The patterns: what well-known secrets look like, and assignments of something random to something secret.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::entropy;

/// The part of a line that is examined, in bytes: minified code has lines of megabytes.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Rule and pattern. Patterns are linear in time (the regex crate has no backtracking).
const KNOWN: &[(&str, &str)] = &[
    ("aws_access_key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    ("aws_secret_key", r#"(?i)aws.{0,30}(?:secret|private).{0,20}[=:]\s*["']?[0-9a-z/+]{40}\b"#),
    ("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("gitlab_token", r"\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|agent|imt|oas)-[A-Za-z0-9_-]{20,}"),
    ("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[0-9]-[A-Za-z0-9-]{10,}"),
    ("slack_webhook", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{20,}"),
    ("private_key", r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-[23]:"),
    ("tiltyard_token", r"\bjst_[0-9a-f]{64}\b"),
    ("google_key", r"\bAIza[0-9A-Za-z_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{28}|\bya29\.[A-Za-z0-9_-]{20,}"),
    ("stripe_key", r"\b[sr]k_live_[0-9A-Za-z]{16,}|\bwhsec_[0-9A-Za-z]{24,}"),
    ("anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{32,}"),
    (
        "openai_key",
        r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,}|\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
    ),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi_token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{40,}"),
    ("crates_token", r"\bcio[A-Za-z0-9]{32}\b"),
    ("docker_token", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    ("huggingface_token", r"\bhf_[A-Za-z0-9]{34,}\b"),
    ("digitalocean_token", r"\bdo[oprt]_v1_[a-f0-9]{64}\b"),
    ("sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("azure_key", r"AccountKey=[A-Za-z0-9+/]{86}=="),
    ("age_key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("json_web_token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}"),
];

/// `postgres://user:password@host`
const IN_ADDRESS: &str =
    r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@'\x22]{1,100}:([^\s/@'\x22]{6,200})@[A-Za-z0-9\[]";

/// `api_key = "…"`, `"clientSecret": "…"`, `PASSWORD=…`
const ASSIGNED: &str = concat!(
    r"(?i)(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key",
    r"|encryption[_-]?key|credential|auth[_-]?key|bearer)[A-Za-z0-9_.-]{0,30}",
    r#"["'\]]?\s{0,10}(?::=|=>|=|:|\s)\s{0,10}(?:bearer\s+)?["'`]?([A-Za-z0-9+/=_.~!@#%^&*-]{16,512})"#
);

struct Rules {
    known: Vec<(&'static str, Regex)>,
    in_address: Regex,
    assigned: Regex,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let compiled =
        |pattern: &str| Regex::new(pattern).expect("the patterns above are valid; a test compiles them");
    Rules {
        known: KNOWN.iter().map(|(name, pattern)| (*name, compiled(pattern))).collect(),
        in_address: compiled(IN_ADDRESS),
        assigned: compiled(ASSIGNED),
    }
});

/// The first rule that a line meets.
pub(super) fn met_by(line: &[u8]) -> Option<&'static str> {
    let line = &line[..line.len().min(MAX_LINE_BYTES)];
    let known = RULES.known.iter().find(|(_, pattern)| pattern.is_match(line)).map(|(name, _)| *name);
    let address = || value(&RULES.in_address, line, entropy::is_a_password).then_some("password_in_address");
    let assigned = || value(&RULES.assigned, line, entropy::is_random).then_some("secret_assignment");
    known.or_else(address).or_else(assigned)
}

fn value(pattern: &Regex, line: &[u8], judge: fn(&str) -> bool) -> bool {
    let value =
        |found: Captures<'_>| found.get(1).map(|m| String::from_utf8_lossy(m.as_bytes()).into_owned());
    pattern.captures_iter(line).filter_map(value).any(|text| judge(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together here, so that no scanner of somebody else's stumbles over this file.
    fn secrets() -> Vec<(&'static str, String)> {
        let hex = "0123456789abcdef".repeat(4);
        let word = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5";
        vec![
            ("aws_access_key", format!("key: {}IOSFODNN7EXAMPLQ", "AKIA")),
            (
                "aws_secret_key",
                format!("aws_{}_access_key = {}", "secret", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzKEY1"),
            ),
            ("github_token", format!("{}_{word}", "ghp")),
            ("github_token", format!("github_{}_{word}", "pat")),
            ("gitlab_token", format!("{}-{}", "glpat", &word[..20])),
            ("slack_token", format!("{}-123456789012-abcdefghij", "xoxb")),
            ("slack_webhook", format!("https://hooks.slack.com/{}/T00000000/B00000000/{word}", "services")),
            ("private_key", format!("-----BEGIN {} KEY-----", "OPENSSH PRIVATE")),
            ("private_key", format!("-----BEGIN {} KEY-----", "PRIVATE")),
            ("tiltyard_token", format!("token jst_{hex}")),
            ("npm_token", format!("//registry/:_authToken={}_{word}", "npm")),
            ("stripe_key", format!("{}_live_{}", "sk", &word[..24])),
            ("anthropic_key", format!("{}-ant-{word}", "sk")),
            (
                "json_web_token",
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P".to_owned(),
            ),
            ("password_in_address", "DB=postgres://app:v3ryS3cr3t@db.internal/app".to_owned()),
            ("secret_assignment", "api_key = \"f8Qz1Lw9Xc4Rt7Yb2Nm6\"".to_owned()),
            ("secret_assignment", "  \"clientSecret\": \"9b7Kd2Qp+Zx8Vc3Mn5Lw1==\",".to_owned()),
            ("secret_assignment", "export DB_PASSWORD=Tr0ub4dor3Kx9Qz2Lm".to_owned()),
        ]
    }

    #[test]
    fn c24_well_known_secrets_are_found() {
        for (rule, line) in secrets() {
            assert_eq!(met_by(line.as_bytes()), Some(rule), "{line}");
        }
    }

    #[test]
    fn c24_ordinary_lines_are_let_pass() {
        let lines = [
            "author = \"Jane Doe <jane@example.com>\"",
            "checksum = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
            "let token = self.session.token_provider();",
            "password: ${DB_PASSWORD_FROM_ENVIRONMENT}",
            "api_key = os.environ[\"API_KEY\"]",
            "secret = \"your-secret-goes-here\"",
            "token: <token-from-the-settings-page>",
            "SECRET_KEY=changeme-changeme-changeme",
            "postgres://user:password@localhost/app",
            "https://example.com/a:b@c",
            "fn parse_token(input: &str) -> Result<Token, ParseTokenError> {",
            "tokenizer = AutoTokenizer.from_pretrained(\"bert-base-uncased\")",
            "password_reset_template_name = registration_password_reset_form",
            "integrity sha512-z0fW2QvNrQYz7ZyHgJzT1c6ZgQZ3n3Y3z8o2JmWb0w==",
            "private_key_path: /etc/ssl/private/tiltyard_server_key.pem",
            "the token of the session is sent in the Authorization header",
            "-----BEGIN PUBLIC KEY-----",
            "AKIAEXAMPLE",
        ];
        for line in lines {
            assert_eq!(met_by(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn c24_a_line_of_any_length_is_bounded_work() {
        assert_eq!(met_by(&vec![b'a'; 4 * 1024 * 1024]), None);
        assert_eq!(met_by(&[0xff, 0x00, 0xfe]), None);
    }
}
