//! Checks that say no, that cannot run, that never end; programs that are not there.

use super::shop::{RULES, Shop, TEST, text};
use crate::live::is_over;
use serde_json::{Value, json};

// C21, C33: a red check goes back to the agent with its log, twice; then a person is asked, who cannot approve it, and
// sends it back; what is green then lands.
#[test]
fn c21_a_red_check_goes_back_twice_and_then_to_a_person() {
    let shop = Shop::open(RULES, TEST);
    let script = format!(
        r#"cp "$TILTYARD_FEEDBACK_FILE" '{}'/$TILTYARD_GENERATION
        if grep -q 'be good' "$TILTYARD_FEEDBACK_FILE"; then echo good; else echo "bad $TILTYARD_GENERATION"; fi > hello.txt"#,
        shop.note("").display()
    );
    let task = shop.idea("Try it", &script);
    let seen = shop.review(&task, 1);
    let (change, digest) = (text(&seen, "id"), text(&seen, "subject_sha256"));
    assert_eq!((&seen["generation"], &seen["fixes"]), (&json!(3), &json!(2)));
    for (generation, red) in [(2, "bad 1"), (3, "bad 2")] {
        let told: Value = serde_json::from_str(&shop.noted(&generation.to_string())).expect("is JSON");
        let last = told.as_array().and_then(|told| told.last()).expect("was told something");
        assert_eq!((&last["kind"], &last["red"][0]["name"]), (&json!("checks"), &json!("unit")));
        let log = text(&last["red"][0], "log");
        assert!(log.contains(red) && log.contains("must not be bad"), "{log}");
    }
    assert!(text(&seen["checks"][0], "log_tail").contains("bad 3"), "the person sees the log: {seen}");
    assert_eq!(shop.refused(&["approve", &change, "--subject", &digest]), "checks_failed");
    assert_eq!((shop.landed(), shop.change(&change)["state"].clone()), (Vec::new(), json!("review")));

    shop.ask(&["changes", "send-back", &change, "--comment", "be good", "--subject", &digest]);
    let green = shop.review(&task, 2);
    assert_eq!(green["checks"][0]["status"], "passed");
    shop.approve_and_land(&green);
    assert_eq!((shop.file("hello.txt"), shop.landed()), ("good\n".to_owned(), vec!["Try it".to_owned()]));
    assert_eq!(
        shop.story(&task),
        [
            "task.submitted",
            "task.leased 1",
            "change.opened proposed",
            "task.waiting 1",
            "change.checking",
            "change.opened fix",
            "task.ready fix",
            "task.leased 2",
            "task.waiting 2",
            "change.checking",
            "change.opened fix",
            "task.ready fix",
            "task.leased 3",
            "task.waiting 3",
            "change.checking",
            "gate.opened",
            "change.review 2",
            "gate.superseded",
            "change.opened sent_back",
            "task.ready sent_back",
            "task.leased 4",
            "task.waiting 4",
            "change.checking",
            "gate.opened",
            "change.review 2",
            "gate.approved",
            "change.queued approved 2",
            "change.merging",
            "change.merged",
            "task.succeeded 4",
        ]
    );
}

// C21: a check whose program is not there is red and says so; one that hangs is ended when its time is up, with all that
// it started. Neither lets anything land.
#[test]
fn c21_a_check_that_cannot_run_or_never_ends_is_red() {
    let rules = "fix_attempts = 0\n\
        [[checks]]\nname = \"gone\"\nargv = [\"no-such-checker\"]\n\
        [[checks]]\nname = \"hang\"\nargv = [\"sh\", \"test.sh\"]\ntimeout_ms = 1000\n";
    let shop = Shop::open(rules, "echo begun\nsleep 1000 & echo $! > \"$(cat where)/beside\"\nsleep 1000\n");
    let where_to = shop.note("").display().to_string();
    let task = shop.idea("Try it", &format!("echo '{where_to}' > where; echo hi > hello.txt"));
    let seen = shop.review(&task, 1);
    let runs: Vec<(String, String)> = seen["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|run| (text(run, "name"), text(run, "status")))
        .collect();
    let wanted = [("gone", "missing"), ("hang", "timed_out")];
    assert_eq!(runs, wanted.map(|(name, status)| (name.to_owned(), status.to_owned())));
    assert!(text(&seen["checks"][1], "log_tail").contains("begun"), "{seen}");
    let beside = shop.noted("beside").trim().parse().expect("a process");
    assert!(is_over(beside), "what the check had started is still alive");
    let (change, digest) = (text(&seen, "id"), text(&seen, "subject_sha256"));
    assert_eq!(shop.refused(&["approve", &change, "--subject", &digest]), "checks_failed");
    assert_eq!(shop.landed(), Vec::<String>::new());
    assert!(shop.diff(&change).contains("+hi"), "the work is kept");
}

// C11, D10: an idea whose program is not there dies with a letter that names it, and leaves the target alone.
#[test]
fn c11_a_missing_program_is_told_by_its_name() {
    let shop = Shop::open(RULES, TEST);
    let task = shop.idea_with("Try it", &["--max-attempts", "1"], &["no-such-program", "--now"]);
    shop.until(&task, "task.dead", 1);
    let error = text(&shop.task(&task), "error");
    assert!(error.contains("no-such-program"), "{error}");
    let letters = shop.ask(&["dead-letters"]);
    assert_eq!(letters["items"][0]["task"], json!(task), "{letters}");
    assert_eq!(shop.story(&task), ["task.submitted", "task.leased 1", "task.dead 1 failed"]);
    assert_eq!(shop.landed(), Vec::<String>::new());
}
