//! Risk tiers, built under `#[cfg(test)]` only.

use crate::change::Tier;
use crate::change::diff::{Content, FileDiff, Mode, Status};
use crate::change::weigh::{Checks, Evidence, MAX_REASONS, SecretFinding, Weight, weigh};
use crate::repository::rules::{BaseFile, Rules, effective};
use crate::repository::settings::{AutoMerge, Check, Protected, Settings};
use proptest::prelude::*;
use std::sync::LazyLock;

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let check = Check { name: "test".into(), argv: vec!["make".into(), "test".into()], timeout_ms: 1_000 };
    let settings = Settings {
        checks: Some(vec![check]),
        protected: Some(vec![Protected::Path("billing/**".into())]),
        auto_merge: Some(AutoMerge::Safe),
        ..Settings::default()
    };
    effective(&settings, &BaseFile::Absent)
});

fn file(path: &str, lines: u32) -> FileDiff {
    FileDiff {
        path: path.into(),
        from: None,
        status: Status::Modified,
        added: lines,
        removed: 0,
        content: Content::Text,
        old_mode: Some(Mode::Plain),
        new_mode: Some(Mode::Plain),
    }
}

/// A small fix with its test.
fn tested() -> Vec<FileDiff> {
    vec![file("src/sum.rs", 8), file("tests/sum.rs", 12)]
}

fn evidence(files: &[FileDiff]) -> Evidence<'_> {
    Evidence { files, rules: &RULES, checks: Checks::Green, secrets: &[] }
}

fn rule_of(weight: &Weight) -> (u8, Vec<&str>) {
    let worst = weight.reasons.iter().filter(|reason| reason.tier == weight.tier);
    let mut rules: Vec<&str> = worst.map(|reason| reason.rule.as_str()).collect();
    rules.dedup();
    (weight.tier.number(), rules)
}

fn tier(files: &[FileDiff]) -> u8 {
    weigh(&evidence(files)).tier.number()
}

#[test]
fn c22_safe_is_small_green_tested_and_unprotected() {
    assert_eq!(rule_of(&weigh(&evidence(&tested()))), (1, vec!["tested", "checks_green"]));
    let docs = [file("README.md", 20)];
    assert_eq!(rule_of(&weigh(&evidence(&docs))), (1, vec!["documentation_only", "checks_green"]));
}

#[test]
fn c22_each_condition_alone_makes_it_review() {
    let lines = [file("src/sum.rs", 9), file("tests/sum.rs", 12)];
    let files = [file("a.rs", 1), file("b.rs", 1), file("c.rs", 1), file("tests/d.rs", 1)];
    let new = [FileDiff { status: Status::Added, ..file("src/new.rs", 1) }, file("tests/sum.rs", 1)];
    let dependency = [file("Cargo.toml", 1), file("tests/sum.rs", 1)];
    let protected = [file("billing/price.rs", 1), file("tests/sum.rs", 1)];
    let untested = [file("src/sum.rs", 1)];
    let cut = [file("src/sum.rs", 1), FileDiff { removed: 5, ..file("tests/sum.rs", 0) }];
    for (change, rule) in [
        (&lines[..], "lines"),
        (&files, "files"),
        (&new, "new_file"),
        (&dependency, "dependencies"),
        (&protected, "protected"),
        (&untested, "untested"),
        (&cut, "untested"),
    ] {
        assert_eq!(rule_of(&weigh(&evidence(change))), (2, vec![rule]));
    }
    let red = tested();
    let weight = weigh(&Evidence { checks: Checks::Red, ..evidence(&red) });
    assert_eq!(rule_of(&weight), (2, vec!["checks_failed"]));
    let dry = weigh(&Evidence { checks: Checks::Assumed, ..evidence(&red) });
    assert_eq!(rule_of(&dry), (1, vec!["tested", "checks_assumed"]));
}

/// C20, C22: a change that disarms its check has passed it, and must not be safe for that.
#[test]
fn c22_what_a_check_executes_is_no_test_of_the_change() {
    for (argv, path) in [
        ("./run_tests.sh", "run_tests.sh"),
        ("./tests/check", "tests/check"),
        ("./integration_test.sh", "integration_test.sh"),
        ("make", "tools/run_tests.sh"),
    ] {
        let check = Check { name: "test".into(), argv: vec![argv.into()], timeout_ms: 1_000 };
        let settings = Settings { checks: Some(vec![check]), ..Settings::default() };
        let rules = effective(&settings, &BaseFile::Absent);
        let change = [file("src/sum.rs", 1), file(path, 1)];
        for files in [&change[..], &change[1..]] {
            let weight = weigh(&Evidence { rules: &rules, ..evidence(files) });
            assert_eq!(weight.tier, Tier::Review, "{path}");
            assert!(!weight.reasons.iter().any(|reason| reason.rule == "tested"), "{:?}", weight.reasons);
        }
        let proven = [file(path, 1), file("src/sum/tests.rs", 1)];
        let weight = weigh(&Evidence { rules: &rules, ..evidence(&proven) });
        assert!(weight.reasons.iter().any(|reason| reason.rule == "tested"), "{:?}", weight.reasons);
    }
}

#[test]
fn c22_limits_hold_for_documentation_too() {
    assert_eq!(tier(&[file("README.md", 21)]), 2);
    assert_eq!(tier(&[file("a.md", 1), file("b.md", 1), file("c.md", 1), file("d.md", 1)]), 2);
    assert_eq!(tier(&[FileDiff { status: Status::Added, ..file("new.md", 1) }]), 2);
}

#[test]
fn c22_a_reason_names_file_and_rule() {
    let change = [file("src/auth.rs", 1), file("tests/sum.rs", 1)];
    let weight = weigh(&evidence(&change));
    let reason = &weight.reasons[0];
    assert_eq!((reason.tier, reason.rule.as_str()), (Tier::Sensitive, "auth"));
    assert_eq!(reason.file.as_deref(), Some("src/auth.rs"));
    assert_eq!(reason.text, "src/auth.rs: decides who gets in");
}

#[test]
fn c22_a_lock_file_is_sensitive_and_a_manifest_is_review() {
    assert_eq!(tier(&[file("Cargo.lock", 1), file("tests/a.rs", 1)]), 3);
    assert_eq!(tier(&[file("Cargo.toml", 1), file("tests/a.rs", 1)]), 2);
}

#[test]
fn c24_a_secret_is_sensitive_and_never_merges_by_itself() {
    let secret = [SecretFinding { file: "README.md".into(), line: 3, kind: "AWS access key".into() }];
    let docs = [file("README.md", 1)];
    let weight = weigh(&Evidence { secrets: &secret, ..evidence(&docs) });
    assert_eq!(rule_of(&weight), (3, vec!["secret"]));
    assert!(!weight.merges_by_itself(&RULES));
    assert!(weight.reasons[0].text.contains("line 3"));
}

#[test]
fn c23_only_tier_1_merges_by_itself() {
    let weight = weigh(&evidence(&tested()));
    assert!(weight.merges_by_itself(&RULES));
    let off = Rules { auto_merge: AutoMerge::Off, ..RULES.clone() };
    assert!(!weight.merges_by_itself(&off));
}

#[test]
fn what_a_path_does_not_show_is_review_too() {
    let moved = FileDiff { status: Status::Renamed, from: Some("billing/a.md".into()), ..file("b.md", 0) };
    assert_eq!(rule_of(&weigh(&evidence(&[moved]))), (2, vec!["protected", "new_file"]));
    for (change, rule) in [
        (FileDiff { content: Content::Binary, ..file("a.md", 0) }, "binary"),
        (FileDiff { new_mode: Some(Mode::Link), ..file("a.md", 1) }, "link"),
        (FileDiff { new_mode: Some(Mode::Submodule), ..file("a.md", 1) }, "submodule"),
        (FileDiff { new_mode: Some(Mode::Executable), ..file("a.md", 0) }, "executable"),
        (file("a\u{202e}.md", 1), "odd_name"),
        (file("a\u{fffd}.md", 1), "odd_name"),
        (FileDiff { status: Status::Deleted, ..file("tests/a.rs", 0) }, "test_removed"),
    ] {
        assert!(rule_of(&weigh(&evidence(&[change]))).1.contains(&rule), "{rule}");
    }
}

#[test]
fn without_checks_only_documentation_is_safe() {
    let unchecked = Rules { checks: Vec::new(), ..RULES.clone() };
    let change = tested();
    let weight = weigh(&Evidence { rules: &unchecked, ..evidence(&change) });
    assert_eq!(rule_of(&weight), (2, vec!["no_checks"]));
    let docs = [file("README.md", 1)];
    assert_eq!(weigh(&Evidence { rules: &unchecked, ..evidence(&docs) }).tier, Tier::Safe);
    let broken = Rules { fault: Some("line 3".into()), ..RULES.clone() };
    let weight = weigh(&Evidence { rules: &broken, ..evidence(&docs) });
    assert_eq!(rule_of(&weight), (3, vec!["rules_unreadable"]));
    assert_eq!(rule_of(&weigh(&evidence(&[]))), (2, vec!["empty"]));
}

#[test]
fn reasons_are_limited_and_say_so() {
    let many: Vec<FileDiff> = (0..500).map(|n| file(&format!("billing/{n}.rs"), 1)).collect();
    let weight = weigh(&evidence(&many));
    assert_eq!(weight.reasons.len(), MAX_REASONS);
    assert_eq!(weight.reasons.last().unwrap().rule, "more");
}

fn any_file() -> impl Strategy<Value = FileDiff> {
    let path = prop_oneof![
        "src/[a-z]{1,6}\\.rs",
        "tests/[a-z]{1,6}\\.rs",
        "[a-z]{1,6}\\.md",
        Just("Cargo.lock".to_owned()),
        Just("Makefile".to_owned()),
    ];
    (path, 0u32..15, any::<bool>()).prop_map(|(path, lines, new)| {
        let status = if new { Status::Added } else { Status::Modified };
        FileDiff { status, ..file(&path, lines) }
    })
}

proptest! {
    // Each case compiles all the built-in patterns, which costs milliseconds in a debug build.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// C22: adding a file to a change never lowers its tier, and tier 1 keeps all its promises.
    #[test]
    fn more_is_never_safer(files in prop::collection::vec(any_file(), 1..5)) {
        let tiers: Vec<u8> = (1..=files.len()).map(|count| tier(&files[..count])).collect();
        // A test that joins can lift `untested`, so only tier 3 is compared along the way.
        prop_assert!(tiers.windows(2).all(|pair| pair[0] < 3 || pair[1] == 3));
        if tiers.last() == Some(&1) {
            prop_assert!(files.len() <= 3 && files.iter().map(FileDiff::lines).sum::<u32>() <= 20);
            prop_assert!(files.iter().all(|file| file.status != Status::Added));
            prop_assert!(!files.iter().any(|file| file.path == "Makefile" || file.path == "Cargo.lock"));
        }
    }
}
