//! Changes that touch the same line.

use super::shop::{RULES, Shop, TEST, text};
use serde_json::{Value, json};

/// A script that writes its name into the one line, and where that conflicts, what both wanted.
fn script(shop: &Shop, name: &str) -> String {
    format!(
        r#"if [ -n "$TILTYARD_CONFLICTS" ]; then
            echo "$TILTYARD_CONFLICTS" > '{notes}/{name}.conflicts'; cp hello.txt '{notes}/{name}.marked'
            echo "{name} $TILTYARD_GENERATION with the others" > hello.txt
        else echo {name} > hello.txt; fi"#,
        notes = shop.note("").display()
    )
}

// C30, C32: the second of two changes of one line conflicts: its agent gets one attempt on the new base. When that
// conflicts again, a person is asked, who cannot approve it but can send it back, to
// be worked on where it does not fit. Nothing is lost, nothing overwritten.
#[test]
fn c32_a_conflict_goes_to_its_agent_once_and_then_to_a_person() {
    let shop = Shop::open(RULES, TEST);
    let tasks = ["one", "two", "six"].map(|name| shop.idea(&format!("Say {name}"), &script(&shop, name)));
    let [one, two, six] = tasks;
    let [seen_one, seen_two, seen_six] = [&one, &two, &six].map(|task| shop.review(task, 1));
    let change = text(&seen_two, "id");
    shop.approve_and_land(&seen_one);

    shop.approve(&seen_two);
    let conflicted = shop.until(&change, "change.conflicted", 1);
    assert_eq!(conflicted["data"]["files"], json!(["hello.txt"]));
    let second = shop.review(&two, 2);
    assert_eq!((shop.noted("two.conflicts").trim(), &second["generation"]), ("hello.txt", &json!(2)));
    let marked = shop.noted("two.marked");
    assert!(marked.contains("<<<<<<<") && marked.contains("one") && marked.contains("two"), "{marked}");
    assert_eq!(shop.file("hello.txt"), "one\n", "nothing was overwritten");

    shop.approve(&seen_six);
    shop.approve_and_land(&shop.review(&six, 2));
    shop.approve(&second);
    shop.until(&change, "change.conflicted", 2);
    let third = shop.change(&change);
    assert_eq!((&third["state"], &third["conflicts"]), (&json!("conflicted"), &json!(["hello.txt"])));
    let digest = text(&third, "subject_sha256");
    assert_eq!(shop.refused(&["approve", &change, "--subject", &digest]), "wrong_state");
    assert!(shop.diff(&change).contains("+two 2 with the others"), "the work is kept");
    shop.ask(&["changes", "send-back", &change, "--comment", "once more", "--subject", &digest]);
    shop.approve_and_land(&shop.review(&two, 3));

    assert_eq!(shop.landed(), ["Say one", "Say six", "Say two"]);
    assert_eq!(shop.file("hello.txt"), "two 3 with the others\n");
    assert_eq!(told(&shop.story(&two)), ["proposed", "conflict", "sent_back"]);
    let attempts = shop.change(&change)["history"]["attempts"].clone();
    let kept = |attempt: &Value| attempt["proposal"]["diff"].is_string();
    assert!(attempts.as_array().is_some_and(|all| all.len() == 3 && all.iter().all(kept)), "{attempts}");
}

/// Why the change was with its agent, each time.
fn told(story: &[String]) -> Vec<&str> {
    story.iter().filter_map(|said| said.strip_prefix("change.opened ")).collect()
}
