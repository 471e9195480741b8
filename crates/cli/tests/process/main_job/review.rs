//! What a person has to do with it: nothing, a look, comments, a no.

use super::shop::{RULES, Shop, TEST, text};
use serde_json::{Value, json};

// C11, C18, C21, C22, C23, C30, C34, D50: documentation only, so it goes all the way by itself.
#[test]
fn c23_a_safe_change_merges_by_itself() {
    let shop = Shop::open(RULES, TEST);
    let task = shop.idea("Tell the hours", "echo '8 to 20' >> README.md");
    shop.until(&task, "task.succeeded", 1);
    let change = shop.change(&shop.change_of(&task));
    assert_eq!(
        shop.story(&task),
        [
            "task.submitted",
            "task.leased 1",
            "change.opened proposed",
            "task.waiting 1",
            "change.checking",
            "change.queued auto 1",
            "change.merging",
            "change.merged",
            "task.succeeded 1",
        ]
    );
    assert_eq!((&change["state"], &change["tier"]), (&json!("merged"), &json!(1)));
    assert_eq!(shop.landed(), ["Tell the hours"]);
    assert_eq!(shop.file("README.md"), "A shop\n8 to 20\n", "the work tree moved with the branch");
    assert_eq!(shop.git(&["status", "--porcelain"]), "");
    let head = shop.git(&["rev-parse", "main", "main^{tree}"]);
    let merged: Vec<&str> = head.lines().collect();
    let proof = &change["merge"];
    assert_eq!(merged, [text(proof, "commit"), text(proof, "tree")], "the proof is what the target holds");
    assert_eq!(change["checks"][0]["status"], "passed");
    assert_eq!(change["checks"][0]["tree"], proof["tree"], "the checks ran on exactly that tree");
}

// C11, C18, C23, D24, D26: sent back with comments on lines; the next attempt finds them in its brief, its file and its
// environment, goes on from where the first one was, and what it makes is another subject.
#[test]
fn c23_comments_reach_the_next_attempt_and_an_approval_binds_what_was_seen() {
    let shop = Shop::open(RULES, TEST);
    let notes = shop.note("");
    let script = format!(
        r#"if [ -n "$TILTYARD_FEEDBACK" ]; then
            cp "$TILTYARD_PROMPT_FILE" "$TILTYARD_FEEDBACK_FILE" '{0}'; echo "$TILTYARD_FEEDBACK" > '{0}/variable'
            cp hello.txt '{0}/before'; echo 'HELLO' > hello.txt
        else echo 'hello!' > hello.txt; fi"#,
        notes.display()
    );
    let task = shop.idea("Greet louder", &script);
    let first = shop.review(&task, 1);
    assert_eq!(first["tier"], 2);
    let (change, seen) = (text(&first, "id"), text(&first, "subject_sha256"));
    let comment = "hello.txt:1: louder than that, please";
    shop.ask(&["changes", "send-back", &change, "--comment", comment, "--subject", &seen]);
    let second = shop.review(&task, 2);
    assert_eq!((&second["id"], &second["generation"]), (&json!(change), &json!(2)), "it is the same change");
    assert_ne!(second["subject_sha256"], first["subject_sha256"]);

    let feedback: Value = serde_json::from_str(&shop.noted("feedback.json")).expect("is JSON");
    let said = json!([{"path": "hello.txt", "line": 1, "text": "louder than that, please"}]);
    assert_eq!((&feedback[0]["comments"], &feedback[0]["by"]), (&said, &json!("admin")));
    for place in ["prompt.md", "variable"] {
        assert!(shop.noted(place).contains("hello.txt:1: louder than that, please"), "{}", shop.noted(place));
    }
    assert_eq!(shop.noted("before"), "hello!\n", "it goes on from the first attempt");

    // D26: the digest that was seen first is no longer what is decided.
    assert_eq!(shop.landed(), Vec::<String>::new());
    let gate = text(&second, "gate");
    let stale = shop.stale_approval(&change, &seen);
    assert_eq!(stale, "subject_changed");
    shop.approve_and_land(&second);
    assert_eq!(shop.file("hello.txt"), "HELLO\n");
    assert_eq!(
        shop.story(&task),
        [
            "task.submitted",
            "task.leased 1",
            "change.opened proposed",
            "task.waiting 1",
            "change.checking",
            "gate.opened",
            "change.review 2",
            "gate.superseded",
            "change.opened sent_back",
            "task.ready sent_back",
            "task.leased 2",
            "task.waiting 2",
            "change.checking",
            "gate.opened",
            "change.review 2",
            "gate.approved",
            "change.queued approved 2",
            "change.merging",
            "change.merged",
            "task.succeeded 2",
        ]
    );
    let history = &shop.change(&change)["history"];
    assert_eq!(history["attempts"].as_array().map(Vec::len), Some(2), "C33: its page has both attempts");
    assert_eq!(history["gates"][0]["id"], json!(gate));
}

// C18, C23, D23: a no ends the change and its task; the target is as it was, and the work can still be read.
#[test]
fn c18_a_rejected_change_cancels_its_task_and_is_kept() {
    let shop = Shop::open(RULES, TEST);
    let task = shop.idea("Greet rudely", "echo 'oi' > hello.txt");
    let seen = shop.review(&task, 1);
    let (change, digest) = (text(&seen, "id"), text(&seen, "subject_sha256"));
    shop.ask(&["reject", &change, "--reason", "not in our shop", "--subject", &digest]);
    shop.until(&task, "task.cancelled", 1);
    let end = ["gate.opened", "change.review 2", "gate.rejected not in our shop"];
    let story = shop.story(&task);
    assert_eq!(story[story.len() - 5..story.len() - 2], end, "{story:?}");
    let mut ends = story[story.len() - 2..].to_vec();
    ends.sort();
    assert_eq!(ends, ["change.rejected not in our shop", "task.cancelled 1 rejected"]);
    let after = shop.change(&change);
    assert_eq!((&after["state"], &after["reason"]), (&json!("rejected"), &json!("not in our shop")));
    assert_eq!((shop.landed(), shop.file("hello.txt")), (Vec::new(), "hello\n".to_owned()));
    assert!(shop.diff(&change).contains("+oi"), "the work is kept");
    assert_eq!(shop.stale_approval(&change, &digest), "already_decided");
}
