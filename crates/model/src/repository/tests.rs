//! Repository rules, built under `#[cfg(test)]` only.

use super::builtin::{is_named_as_test, is_prose, is_test};
use super::file::{MAX_FAULTS, MAX_FILE_BYTES, parse};
use super::pattern::Patterns;
use super::rules::{BaseFile, Origin, PathRule, Prose, Rules, effective};
use super::settings::{AutoMerge, Check, MergeMethod, Protected, ProtectedPath, RiskRule, Settings};
use super::*;
use crate::change::Tier;
use crate::gate::{Reduction, SelfApproval};
use proptest::prelude::*;

const WHOLE: &str = r#"
merge = "squash"
auto_merge = "safe"
fix_attempts = 1
concurrency = 3
approvers = "2 of role:operator and 1 of group:security"
no_self_approval = true
protected = ["billing/**", { path = "api/v1", tier = 3, reason = "customers build on it" }]

[[checks]]
name = "test"
argv = ["make", "test"]
timeout_ms = 60000

[[checks]]
name = "lint"
argv = ["sh", "-c", "./lint.sh && python3 tools/style.py --config=style.cfg"]

[[rules]]
id = "prices"
paths = ["prices/*.csv"]
tier = 3
reason = "money"
"#;

fn fit(patterns: &[&str], path: &str) -> bool {
    Patterns::compile(patterns).unwrap().fit(path)
}

fn hits<'a>(rules: &'a Rules, path: &str) -> Vec<(&'a str, Tier)> {
    let fits = |rule: &&PathRule| {
        let spared = rule.prose == Prose::Spared && is_prose(path);
        Patterns::compile(&rule.paths).unwrap().fit(path) && !spared
    };
    rules.paths.iter().filter(fits).map(|rule| (rule.id.as_str(), rule.tier)).collect()
}

fn in_force(text: &str) -> Rules {
    effective(&Settings::default(), &BaseFile::Read(parse(text).unwrap()))
}

#[test]
fn c20_the_file_says_checks_paths_rules_method_and_approvers() {
    let settings = parse(WHOLE).unwrap();
    assert_eq!((settings.merge, settings.auto_merge), (Some(MergeMethod::Squash), Some(AutoMerge::Safe)));
    assert_eq!((settings.fix_attempts, settings.concurrency), (Some(1), Some(3)));
    let approvers = settings.approvers.unwrap().to_string();
    assert_eq!(approvers, "2 of role:operator and 1 of group:security");
    let checks = settings.checks.unwrap();
    assert_eq!(checks[0].timeout_ms, 60_000);
    assert_eq!(checks[1].timeout_ms, 600_000, "ten minutes by default");
    let strict = ProtectedPath {
        path: "api/v1".into(),
        tier: Tier::Sensitive,
        reason: Some("customers build on it".into()),
    };
    assert_eq!(settings.protected.unwrap(), [Protected::Path("billing/**".into()), Protected::Rule(strict)]);
    assert_eq!(settings.rules.unwrap()[0].tier, Tier::Sensitive);
    assert_eq!(parse("").unwrap(), Settings::default());
}

#[test]
fn c20_a_typo_is_an_error_with_its_line_and_the_nearest_name() {
    for (text, line, said) in [
        ("merge = \"squash\"\nauto-merge = \"safe\"\n", 2, "did you mean `auto_merge`?"),
        ("\n\n[[checks]]\nname = \"a\"\nargv = [\"x\"]\ntimeout = 5\n", 6, "did you mean `timeout_ms`?"),
        ("protected = [\"a\",\n {path = \"b\", teir = 3}]", 2, "did you mean `tier`?"),
        ("[colour]\nx = 1\n", 1, "known here: merge, auto_merge"),
        ("merge = \"sqash\"\n", 1, "unknown variant `sqash`"),
        ("# x\nfix_attempts = \"two\"\n", 2, "invalid type"),
        ("fix_attempts = 2\nfix_attempts = 3\n", 2, "duplicate"),
        ("a = [\n", 1, "unclosed array"),
        ("\n[[checks]]\nname = \"a\"\nargv = []\n", 4, "checks.0.argv"),
        ("\nprotected = [\n  \"ok\",\n  \"bad[\",\n]\n", 4, "is no pattern"),
        ("approvers = \"role:king\"\n", 1, "no role `king`"),
        ("\n[[rules]]\nid = \"x\"\npaths = [\"a\"]\ntier = 1\nreason = \"r\"\n", 5, "not lower it"),
        ("[[rules]]\nid = \"x\"\npaths = [\"a\"]\ntier = 4\nreason = \"r\"\n", 4, "a tier is 1, 2 or 3"),
    ] {
        let bad = parse(text).unwrap_err();
        assert_eq!(bad.0[0].line, line, "{text}: {bad}");
        assert!(bad.to_string().contains(said), "{bad}");
        assert!(bad.to_string().starts_with(".tiltyard.toml:"));
    }
}

#[test]
fn the_file_is_limited() {
    assert!(parse(&format!("#{}", "x".repeat(MAX_FILE_BYTES))).is_err());
    let typos: String = (0..100).map(|n| format!("key_{n} = 1\n")).collect();
    assert_eq!(parse(&typos).unwrap_err().0.len(), MAX_FAULTS);
    assert!(parse(&format!("protected = {}", "[".repeat(10_000))).is_err());
}

#[test]
fn c20_the_servers_setting_wins_key_by_key() {
    let file = parse(WHOLE).unwrap();
    let server = Settings {
        merge: Some(MergeMethod::FastForward),
        protected: Some(vec![Protected::Path("only/this".into())]),
        ..Settings::default()
    };
    let rules = effective(&server, &BaseFile::Read(file));
    assert_eq!(rules.merge, MergeMethod::FastForward);
    assert_eq!(rules.auto_merge, AutoMerge::Safe, "what the server leaves open, the file says");
    assert_eq!(rules.checks.len(), 2);
    assert!(hits(&rules, "only/this/x.rs").contains(&("protected", Tier::Review)));
    assert!(hits(&rules, "billing/x.rs").is_empty());
    let from: Vec<(&str, Origin)> =
        rules.paths.iter().take(3).map(|rule| (rule.id.as_str(), rule.origin)).collect();
    let expected =
        [("prices", Origin::File), ("protected", Origin::Server), ("check_program", Origin::BuiltIn)];
    assert_eq!(from, expected);
}

#[test]
fn c20_without_any_word_of_a_person_the_defaults_hold() {
    let rules = effective(&Settings::default(), &BaseFile::Absent);
    assert_eq!((rules.merge, rules.auto_merge), (MergeMethod::FastForward, AutoMerge::Off));
    assert_eq!((rules.fix_attempts, rules.concurrency), (2, 2));
    assert_eq!(rules.approvers.to_string(), "1 of role:operator");
    let broken = effective(&Settings::default(), &BaseFile::Broken("no".into()));
    assert_eq!(broken.fault.as_deref(), Some("no"));
}

// C20: rules are other ones when they judge otherwise.
#[test]
fn c20_rules_that_judge_otherwise_have_another_digest() {
    let digest = |server: Settings| effective(&server, &BaseFile::Read(parse(WHOLE).unwrap())).sha256();
    let plain = digest(Settings::default());
    assert_eq!(
        digest(Settings { concurrency: Some(9), fix_attempts: Some(9), ..Settings::default() }),
        plain
    );
    for other in [
        Settings { auto_merge: Some(AutoMerge::Off), ..Settings::default() },
        Settings { protected: Some(vec![Protected::Path("x".into())]), ..Settings::default() },
        Settings { approvers: Some(Default::default()), ..Settings::default() },
        Settings { checks: Some(Vec::new()), ..Settings::default() },
    ] {
        assert_ne!(digest(other.clone()), plain, "{other:?}");
    }
}

// C20: what a file that cannot be read asked for is not known, so only a server that says all of it stands in for it.
#[test]
fn c20_a_server_that_says_all_that_guards_needs_no_file() {
    let whole = Settings {
        checks: Some(Vec::new()),
        protected: Some(Vec::new()),
        rules: Some(Vec::new()),
        approvers: Some(crate::gate::quorum::Quorum::default()),
        no_self_approval: Some(true),
        ..Settings::default()
    };
    let fault = |server: &Settings| effective(server, &BaseFile::Broken("no".into())).fault;
    assert_eq!(fault(&whole), None);
    for part in [
        Settings { checks: None, ..whole.clone() },
        Settings { protected: None, ..whole.clone() },
        Settings { rules: None, ..whole.clone() },
        Settings { approvers: None, ..whole.clone() },
        Settings { no_self_approval: None, ..whole.clone() },
    ] {
        assert_eq!(fault(&part).as_deref(), Some("no"), "{part:?}");
    }
}

#[test]
fn c20_what_checks_execute_is_protected_by_default() {
    let rules = in_force(WHOLE);
    for path in [
        "Makefile",
        "sub/makefile",
        "build.rs",
        "crates/x/build.rs",
        "CMakeLists.txt",
        "package.json",
        "lint.sh",
        "sub/lint.sh",
        "tools/style.py",
        "style.cfg",
        "scripts/release.sh",
        "conftest.py",
        "AGENTS.md",
        ".gitattributes",
    ] {
        assert!(hits(&rules, path).iter().any(|(_, tier)| *tier == Tier::Review), "{path}");
    }
    assert!(hits(&rules, ".tiltyard.toml").contains(&("rules", Tier::Sensitive)));
    assert!(hits(&rules, "lint.sh").contains(&("check_program", Tier::Review)));
}

#[test]
fn c20_a_check_that_names_a_test_does_not_protect_it() {
    let rules =
        in_force("[[checks]]\nname = \"t\"\nargv = [\"pytest\", \"test_calc.py\", \"tests/run.sh\"]\n");
    assert!(hits(&rules, "test_calc.py").is_empty(), "running tests is what checks are for");
    assert!(hits(&rules, "tests/run.sh").contains(&("check_program", Tier::Review)), "a runner decides");
    let alone = in_force("[[checks]]\nname = \"t\"\nargv = [\"python3\", \"test_calc.py\"]\n");
    assert!(hits(&alone, "test_calc.py").contains(&("check_program", Tier::Review)), "it is the check");
    let folder =
        in_force("[[checks]]\nname = \"t\"\nargv = [\"pytest\", \"tests/\", \"./...\", \"-q\", \"src\"]\n");
    assert!(!folder.paths.iter().any(|rule| rule.id == "check_program"));
}

#[test]
fn c20_however_many_files_a_check_executes_all_are_protected() {
    let words: Vec<String> = (0..60).flat_map(|n| [format!("a{n}.sh,b{n}.sh,c{n}.sh")]).collect();
    let check = Check { name: "t".into(), argv: [vec!["run".to_owned()], words].concat(), timeout_ms: 1 };
    let server = Settings { checks: Some(vec![check]), ..Settings::default() };
    assert!(server.faults().is_empty());
    let rules = effective(&server, &BaseFile::Absent);
    let paths = rules.paths.iter().filter(|rule| rule.id == "check_program").flat_map(|rule| &rule.paths);
    let paths: Vec<&String> = paths.collect();
    let patterns = Patterns::compile(&paths).unwrap();
    assert!((0..60).all(|n| ["a", "b", "c"].iter().all(|name| patterns.fit(&format!("{name}{n}.sh")))));
}

#[test]
fn c22_sensitive_by_default() {
    let rules = effective(&Settings::default(), &BaseFile::Absent);
    for (path, id) in [
        ("src/auth.rs", "auth"),
        ("src/auth/session.py", "auth"),
        ("app/UserAuthService.java", "auth"),
        ("lib/oauth2.go", "auth"),
        ("web/LoginForm.tsx", "auth"),
        (".github/workflows/ci.yml", "ci"),
        (".gitlab-ci.yml", "ci"),
        ("deploy/prod.yaml", "deploy"),
        ("Dockerfile", "deploy"),
        ("ops/main.tf", "deploy"),
        ("config/secrets.yml", "secrets"),
        (".env", "secrets"),
        ("certs/server.pem", "secrets"),
        ("db/migrations/0001_init.sql", "migrations"),
        ("Cargo.lock", "lock_files"),
        ("web/package-lock.json", "lock_files"),
        ("go.sum", "lock_files"),
    ] {
        assert!(hits(&rules, path).contains(&(id, Tier::Sensitive)), "{path} {:?}", hits(&rules, path));
    }
    for path in
        ["src/author.rs", "docs/auth.md", "README.md", "src/lib.rs", "deploy/README.md", "src/blocked.rs"]
    {
        assert!(hits(&rules, path).is_empty(), "{path} {:?}", hits(&rules, path));
    }
}

#[test]
fn c22_documentation_and_tests_are_known_by_their_paths() {
    for path in ["README.md", "a/README", "docs/x.rst", "docs/a/b.txt", "LICENSE-MIT", "CHANGELOG.md"] {
        assert!(is_prose(path) && !is_test(path), "{path}");
    }
    for path in
        ["requirements.txt", "CMakeLists.txt", "docs/conf.py", "readme.py", "src/docs.rs", "robots.txt"]
    {
        assert!(!is_prose(path), "{path}");
    }
    for path in ["tests/a.rs", "src/x/tests.rs", "test_a.py", "a_test.go", "b.spec.ts", "FooTest.java"] {
        assert!(is_test(path), "{path}");
    }
    for path in ["src/latest.rs", "contest.py", "tests/README.md", "attest/x.rs"] {
        assert!(!is_test(path), "{path}");
    }
    assert!(is_named_as_test("tests/test_a.py") && !is_named_as_test("tests/run.sh"));
}

#[test]
fn c22_a_gate_of_tier_3_asks_two_and_not_the_submitter() {
    let rules = effective(&Settings::default(), &BaseFile::Absent);
    let (review, sensitive) = (rules.asks(Tier::Review), rules.asks(Tier::Sensitive));
    assert_eq!(review.quorum.to_string(), "1 of role:operator");
    assert_eq!((review.self_approval, review.reduction), (SelfApproval::Allowed, Reduction::Never));
    assert_eq!(sensitive.quorum.to_string(), "2 of role:operator");
    // D26: `no_self_approval` is the default for tier 3.
    assert_eq!(sensitive.self_approval, SelfApproval::Forbidden);
    assert_eq!(sensitive.reduction, Reduction::WhenAlone);
    let strict = Rules { no_self_approval: Some(true), ..rules.clone() }.asks(Tier::Review);
    assert_eq!((strict.self_approval, strict.reduction), (SelfApproval::Forbidden, Reduction::WhenAlone));
    let loose = Rules { no_self_approval: Some(false), ..rules }.asks(Tier::Sensitive);
    assert_eq!((loose.self_approval, loose.reduction), (SelfApproval::Allowed, Reduction::WhenAlone));
}

#[test]
fn patterns_are_those_of_gitignore() {
    for (pattern, path, expected) in [
        ("*.pem", "a/b/c.pem", true),
        ("*.pem", "a.pem/x", true),
        ("docs", "x/docs/y", true),
        ("/docs", "x/docs/y", false),
        ("docs/", "x/docs/y", true),
        ("docs/*.txt", "docs/a/b.txt", false),
        ("docs/**", "docs/a/b", true),
        ("**/x/**", "a/x/b", true),
        ("Makefile", "MAKEFILE", true),
        ("a?c", "abc", true),
        ("a?c", "a/c", false),
        ("word:auth", "OAuth/x", true),
        ("word:auth", "HTTPAuth2.rs", true),
        ("word:auth", "author/x", false),
        ("file:run.sh", "a/run.sh", true),
        ("file:run.sh", "a/rerun.sh", false),
        ("file:run.sh", "run.sh/x", false),
    ] {
        assert_eq!(fit(&[pattern], path), expected, "{pattern} {path}");
    }
    for bad in ["", "/", "a[", "!x", "../x", "a/./b", "word:", "a\nb", &"x".repeat(257)] {
        assert!(Patterns::compile(&[bad]).is_err(), "{bad}");
    }
}

#[test]
fn c19_a_registration_names_one_place_without_a_password() {
    let registration = |source| Registration {
        name: "demo".into(),
        source,
        branch: "main".into(),
        agent: "local".into(),
        settings: Settings::default(),
    };
    for good in ["https://git.example/a.git", "ssh://git@host:22/a", "git@host.example:a/b.git", "http://h/x"]
    {
        assert_eq!(faults(&registration(Source::Url(good.into()))), [], "{good}");
    }
    for bad in [
        "",
        "ext::sh -c x",
        "file:///etc",
        "https://me:pw@host/a",
        "-u@host:x",
        "--upload-pack=x",
        "ssh://-oProxyCommand=x/y",
        "host:path",
        "https://",
    ] {
        assert_eq!(faults(&registration(Source::Url(bad.into())))[0].field, "/url", "{bad}");
    }
    assert!(faults(&registration(Source::Path("/srv/git/a".into()))).is_empty());
    for bad in ["", "relative", "/a/../b", "/a/./b", "/a\n"] {
        assert_eq!(faults(&registration(Source::Path(bad.into())))[0].field, "/path", "{bad}");
    }
    let odd = Registration {
        name: "No".into(),
        branch: "a..b".into(),
        agent: String::new(),
        settings: Settings { concurrency: Some(0), ..Settings::default() },
        ..registration(Source::Path("/x".into()))
    };
    let fields: Vec<String> = faults(&odd).into_iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["/name", "/branch", "/agent", "/concurrency"]);
}

// C30: one merge at a time per target branch, whatever name it is registered by.
#[test]
fn c30_the_same_place_by_two_names_is_one_target() {
    let key = |name: &str, source: Source, branch: &str, agent: &str| {
        let settings = Settings::default();
        let (name, branch, agent) = (name.to_owned(), branch.to_owned(), agent.to_owned());
        Registration { name, source, branch, agent, settings }.target_key()
    };
    let path = |text: &str| Source::Path(text.to_owned());
    let url = |text: &str| Source::Url(text.to_owned());
    let one = key("a", path("/srv/x"), "main", "smith");
    assert_eq!(one, key("b", path("/srv/x.git/"), "main", "smith"));
    assert_ne!(one, key("a", path("/srv/x"), "next", "smith"));
    assert_ne!(one, key("a", path("/srv/x"), "main", "jones"), "a folder of another machine");
    let remote = key("a", url("https://git.example/x.git"), "main", "smith");
    assert_eq!(remote, key("b", url("https://git.example/x"), "main", "jones"));
}

#[test]
fn c19_branches_are_those_that_git_accepts() {
    for good in ["main", "release/1.0", "a-b_c", "ü", "feature.x"] {
        assert!(is_branch(good), "{good}");
    }
    for bad in [
        "",
        "-x",
        "/x",
        "x/",
        "x.",
        "a..b",
        "a b",
        "a~",
        "a^",
        "a:",
        "a?",
        "a*",
        "a[",
        "a\\",
        "@",
        "HEAD",
        "a@{1}",
        "a//b",
        ".a",
        "a/.b",
        "a.lock",
        "a.lock/b",
        "refs/heads/x",
        "a\u{7f}",
    ] {
        assert!(!is_branch(bad), "{bad}");
    }
}

#[test]
fn settings_are_limited() {
    let check = |name: &str| Check { name: name.into(), argv: vec!["true".into()], timeout_ms: 1 };
    let rule = RiskRule { id: "a".into(), paths: vec![], tier: Tier::Review, reason: " ".into() };
    let bad = Settings {
        checks: Some(vec![check("a"), check("a"), Check { timeout_ms: 0, ..check("b") }]),
        rules: Some(vec![rule]),
        fix_attempts: Some(21),
        ..Settings::default()
    };
    let fields: Vec<String> = bad.faults().into_iter().map(|fault| fault.field).collect();
    let expected =
        ["/checks/1/name", "/checks/2/timeout_ms", "/rules/0/paths", "/rules/0/reason", "/fix_attempts"];
    assert_eq!(fields, expected);
    let dash = Check { argv: vec!["-x".into()], ..check("c") };
    let many = Settings { checks: Some(vec![dash; 33]), ..Settings::default() };
    assert!(many.faults().iter().any(|fault| fault.field == "/checks"));
    assert!(many.faults().iter().any(|fault| fault.field == "/checks/0/argv"));
}

#[test]
fn settings_are_the_same_in_json_and_toml() {
    let settings = parse(WHOLE).unwrap();
    let json = serde_json::to_value(&settings).unwrap();
    assert_eq!(serde_json::from_value::<Settings>(json).unwrap(), settings);
    let git_words = serde_json::json!({"merge": "fast-forward"});
    let read: Settings = serde_json::from_value(git_words).unwrap();
    assert_eq!(read.merge, Some(MergeMethod::FastForward));
}

proptest! {
    #[test]
    fn any_file_is_read_without_a_panic(text in "([a-z_]{1,12} = |\\[\\[|\\]\\]|checks|protected|\"|\\[|\\{|\\}|,|\n|[0-9]|\\PC){0,40}") {
        if let Err(bad) = parse(&text) {
            prop_assert!(!bad.0.is_empty() && bad.0.len() <= MAX_FAULTS);
            prop_assert!(bad.0.iter().all(|fault| fault.line >= 1));
        }
    }

    #[test]
    fn any_pattern_and_path_is_no_panic(pattern in "\\PC{0,20}", path in "\\PC{0,40}") {
        if let Ok(patterns) = Patterns::compile(&[pattern]) {
            let _ = patterns.fit(&path);
        }
    }
}

proptest! {
    // Each case compiles all the built-in patterns, which costs milliseconds in a debug build.
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// C20: what a person writes can only raise the risk of a path.
    #[test]
    fn built_in_rules_stay_whatever_is_written(path in "[a-z/]{1,12}", tier in 2u8..=3) {
        let protected = ProtectedPath { path, tier: Tier::from_number(tier).unwrap(), reason: None };
        let server = Settings { protected: Some(vec![Protected::Rule(protected)]), ..Settings::default() };
        prop_assume!(server.faults().is_empty());
        let rules = effective(&server, &BaseFile::Absent);
        prop_assert!(hits(&rules, "Cargo.lock").contains(&("lock_files", Tier::Sensitive)));
    }
}

// C20: the page about the file is what the parser reads: its example is valid and names every key.
#[test]
fn c20_the_guide_knows_every_key() {
    let page = include_str!("../../../../docs/guide/changes.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let read = super::file::parse(example).unwrap();
    let whole = serde_json::to_value(&read).unwrap();
    let every = serde_json::to_value(schemars::schema_for!(Settings)).unwrap();
    for key in every["properties"].as_object().unwrap().keys() {
        assert!(!whole[key].is_null(), "the example does not name `{key}`");
        assert!(page.contains(&format!("| `{key}` |")), "the table does not tell of `{key}`");
    }
}
