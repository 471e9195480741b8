use super::*;
use crate::change::diff::{Content, FileDiff, Status};

fn file(path: String) -> FileDiff {
    FileDiff {
        path,
        from: None,
        status: Status::Modified,
        added: 1,
        removed: 0,
        content: Content::Text,
        old_mode: None,
        new_mode: None,
    }
}

fn run(name: &str, log_tail: String) -> CheckRun {
    CheckRun { name: name.into(), status: CheckStatus::Failed, exit: Some(1), duration_ms: 5, log_tail }
}

fn checked(files: usize, tail_bytes: usize) -> Checked {
    let oid = "a".repeat(40);
    Checked {
        base: oid.clone(),
        merge_base: oid.clone(),
        head: oid.clone(),
        commit: oid.clone(),
        tree: oid,
        diff_sha256: "b".repeat(64),
        files: Files { listed: (0..files).map(|n| file(format!("src/module/{n}.rs"))).collect(), more: 0 },
        secrets: Vec::new(),
        checks: vec![run("test", "é\n".repeat(tail_bytes / 3)), run("lint", "short".into())],
        green: None,
    }
}

// D2: a result has at most 64 KiB, and what was left out is counted.
#[test]
fn d2_a_large_result_is_shortened_and_says_so() {
    let text = CheckResult::Checked(Box::new(checked(5_000, 200_000))).to_text();
    assert!(text.len() <= MAX_RESULT_BYTES, "{}", text.len());
    let CheckResult::Checked(back) = serde_json::from_str(&text).expect("reads back") else { panic!() };
    assert_eq!(back.files.listed.len() + back.files.more as usize, 5_000);
    assert!(!back.files.listed.is_empty() && back.files.more > 0);
    assert!(back.checks[0].log_tail.ends_with("é\n"), "the end of the log is what is kept");
    assert_eq!(back.checks[1].log_tail, "short");
}

#[test]
fn a_small_result_stays_as_it_is() {
    let result = CheckResult::Checked(Box::new(checked(3, 90)));
    let text = result.clone().to_text();
    assert_eq!(serde_json::from_str::<CheckResult>(&text).expect("reads back"), result);
}

#[test]
fn a_refusal_and_a_rules_file_fit_too() {
    let refused = Refused { code: "unreadable".into(), reason: "é".repeat(70_000) };
    assert!(ProbeResult::Refused(refused).to_text().len() <= MAX_RESULT_BYTES);
    let rules = Some(RulesFile { sha256: "c".repeat(64), text: Some("\u{1}".repeat(MAX_RULES_BYTES)) });
    let text = MergeResult::RulesChanged { base: "a".repeat(40), rules }.to_text();
    let MergeResult::RulesChanged { rules, .. } = serde_json::from_str(&text).expect("reads back") else {
        panic!()
    };
    assert_eq!(rules.map(|rules| rules.text), Some(None), "an unreadable text is told by its digest");
}

#[test]
fn an_idea_is_strict_and_takes_what_the_server_added_back() {
    let idea = |text: &str| serde_json::from_str::<Idea>(text);
    assert!(idea(r#"{"repository":"app","promt":"x"}"#).is_err(), "a typo is refused");
    let again = idea(r#"{"repository":"app","program":["sh","x.sh"],"given":{"start":{"from":"base"}}}"#);
    let again = again.expect("reads");
    assert_eq!(again.program, Some(Program::Argv(vec!["sh".into(), "x.sh".into()])));
    assert!(!serde_json::to_string(&again).expect("writes").contains("given"));
    assert_eq!(
        idea(r#"{"repository":"app","program":"claude"}"#).expect("reads").program,
        Some(Program::Known("claude".into()))
    );
}

#[test]
fn documents_have_the_shape_that_is_written_down() {
    let repository = Repository {
        scope: "default".into(),
        name: "app".into(),
        source: Source::Path("/srv/app".into()),
        branch: "main".into(),
    };
    let text = serde_json::to_string(&repository).expect("writes");
    assert_eq!(text, r#"{"scope":"default","name":"app","path":"/srv/app","branch":"main"}"#);
    assert_eq!(serde_json::from_str::<Repository>(&text).expect("reads"), repository);
    let moved = serde_json::to_string(&MergeResult::BaseMoved { was: "a".into(), now: "b".into() });
    assert_eq!(moved.expect("writes"), r#"{"outcome":"base_moved","was":"a","now":"b"}"#);
}
