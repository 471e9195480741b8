//! Audit rules, built under `#[cfg(test)]` only.

use super::verify::{Chain, verify_chain};
use super::*;
use crate::id::Noun;
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashSet;

fn act(n: i64) -> Act {
    Act {
        time: n,
        scope: "default".to_owned(),
        actor: "alice".to_owned(),
        action: Action::GateApproved,
        target: "gate_01h2xcejqtf2nbrexx3vqjhp41".to_owned(),
        result: ActResult::Ok,
        client: Some("127.0.0.1".to_owned()),
        request_id: Some(format!("r-{n}")),
        phase: None,
        detail: Map::from_iter([("n".to_owned(), json!({"z": n, "a": "ü"}))]),
    }
}

fn chain(length: i64) -> Vec<Entry> {
    let mut head = Head::default();
    let mut entries = Vec::new();
    for n in 0..length {
        let entry = Entry::link(act(n), &head);
        head = entry.head();
        entries.push(entry);
    }
    entries
}

fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(Entry::line).collect()
}

fn verdict(lines: &[String]) -> (bool, Option<u64>, Option<u64>) {
    let verification = verify_chain(lines.iter());
    (verification.ok, verification.line, verification.seq)
}

#[test]
fn d52_an_entry_has_these_fields_and_no_others() {
    let entry = Entry::link(act(0), &Head::default());
    let Value::Object(fields) = serde_json::to_value(&entry).unwrap() else { panic!() };
    let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        "action actor client detail hash prev_hash request_id result scope seq severity target time";
    assert_eq!(names.join(" "), expected);
    assert_eq!((entry.seq, entry.prev_hash.as_str()), (1, "0".repeat(64).as_str()));
}

#[test]
fn d52_the_hash_is_sha256_of_the_rfc_8785_form_without_hash() {
    let entry = Entry::link(act(7), &Head::default());
    let zeros = "0".repeat(64);
    // Written by hand: keys sorted, no blanks, UTF-8 unescaped.
    let canonical = format!(
        "{{\"action\":\"gate.approved\",\"actor\":\"alice\",\"client\":\"127.0.0.1\",\
         \"detail\":{{\"n\":{{\"a\":\"ü\",\"z\":7}}}},\"prev_hash\":\"{zeros}\",\"request_id\":\"r-7\",\
         \"result\":\"ok\",\"scope\":\"default\",\"seq\":1,\"severity\":\"info\",\
         \"target\":\"gate_01h2xcejqtf2nbrexx3vqjhp41\",\"time\":\"1970-01-01T00:00:00.007Z\"}}"
    );
    assert_eq!(entry.hash, hex::encode(Sha256::digest(canonical)));
}

#[test]
fn d52_intent_and_outcome_share_an_act_id() {
    let act_id = Id::from_parts(Noun::Act, 5, 5);
    let intent = Act { phase: Some((Phase::Intent, act_id)), result: ActResult::Pending, ..act(1) };
    let entry = Entry::link(intent, &Head::default());
    assert_eq!(entry.detail["phase"], "intent");
    assert_eq!(entry.detail["act_id"], act_id.to_string());
}

#[test]
fn d52_a_whole_chain_verifies_in_any_spelling() {
    assert_eq!(verdict(&lines(&chain(20))), (true, None, None));
    assert_eq!(verdict(&[]), (true, None, None));
    let pretty: Vec<String> =
        chain(3).iter().map(|entry| serde_json::to_string(entry).unwrap().replace("\":", "\" : ")).collect();
    assert!(verify_chain(pretty.iter()).ok);
}

#[test]
fn d52_the_first_bad_entry_is_named() {
    let good = lines(&chain(10));
    let mut edited = good.clone();
    edited[4] = edited[4].replace("alice", "mallory");
    assert_eq!(verdict(&edited), (false, Some(5), Some(5)));

    let mut cut = good.clone();
    cut.remove(3);
    assert_eq!(verdict(&cut), (false, Some(4), Some(5)));

    let mut swapped = good.clone();
    swapped.swap(6, 7);
    assert_eq!(verdict(&swapped), (false, Some(7), Some(8)));

    let mut garbled = good.clone();
    garbled[2] = "{not json".to_owned();
    assert_eq!(verdict(&garbled), (false, Some(3), Some(3)));

    assert_eq!(verdict(&good[1..]), (false, Some(1), Some(2)), "a cut head shows");
    let blank = vec![good[0].clone(), String::new()];
    assert_eq!(verdict(&blank), (false, Some(2), Some(2)));
}

#[test]
fn d52_an_entry_forged_with_a_fresh_hash_breaks_the_next_link() {
    let mut entries = chain(5);
    entries[2].actor = "mallory".to_owned();
    entries[2].hash = entries[2].digest();
    let verification = verify_chain(lines(&entries).iter());
    assert_eq!((verification.line, verification.seq), (Some(4), Some(4)));
    assert!(verification.reason.unwrap().contains("prev_hash"));
}

#[test]
fn d52_a_chain_holds_one_scope() {
    let mut entries = chain(2);
    let foreign = Act { scope: "other".to_owned(), ..act(9) };
    entries.push(Entry::link(foreign, &entries[1].head()));
    assert_eq!(verdict(&lines(&entries)), (false, Some(3), Some(3)));
}

#[test]
fn d52_ambiguous_and_foreign_lines_are_refused() {
    let line = chain(1)[0].line();
    for bad in [
        line.replace("\"actor\":\"alice\"", "\"actor\":\"mallory\",\"actor\":\"alice\""),
        line.replace("{\"a\":\"ü\",\"z\":0}", "{\"a\":\"x\",\"a\":\"ü\",\"z\":0}"),
        line.replacen('{', "{\"note\":\"\",", 1),
        line.replace("\"severity\":\"info\"", "\"severity\":\"loud\""),
        format!("{line} {{}}"),
        " ".repeat(MAX_LINE_BYTES + 1),
    ] {
        assert!(!verify_chain([bad.as_str()].iter()).ok, "{bad:.80}");
    }
    assert!(Chain::default().read(&line).is_ok());
}

#[test]
fn sec21_actions_are_distinct_words_with_a_weight() {
    let words: HashSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(words.len(), Action::ALL.len());
    for action in Action::ALL {
        assert_eq!(Action::parse(action.as_str()), Some(*action));
        assert!(action.severity(ActResult::Failed) >= Severity::Error);
        assert!(action.severity(ActResult::Refused) >= Severity::Warn);
    }
    // SEC6: naming another scope is `scope_violation`, critical.
    let violation = Action::parse("scope_violation").unwrap();
    assert_eq!(violation.severity(ActResult::Refused), Severity::Critical);
}

#[test]
fn a_large_detail_is_replaced_by_its_digest() {
    let detail = Map::from_iter([("x".to_owned(), Value::from("y".repeat(MAX_DETAIL_BYTES)))]);
    let entry = Entry::link(Act { detail, ..act(1) }, &Head::default());
    assert!(entry.detail.contains_key("sha256") && entry.line().len() < 2_000);
}

proptest! {
    #[test]
    fn any_line_is_read_without_a_panic(text in "\\PC{0,200}") {
        prop_assert!(!verify_chain([text].iter()).ok);
    }

    /// D52: whichever byte of an export changes, the chain no longer verifies (unless the JSON says the same).
    #[test]
    fn any_changed_byte_shows(place in 0usize..2_000, byte in b' '..b'~') {
        let good = lines(&chain(4)).join("\n");
        let place = place % good.len();
        prop_assume!(good.is_char_boundary(place) && good.is_char_boundary(place + 1));
        let mut bytes = good.clone().into_bytes();
        bytes[place] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        let same = |text: &str| -> Option<Vec<Value>> {
            text.lines().map(|line| serde_json::from_str(line).ok()).collect()
        };
        prop_assert_eq!(verify_chain(changed.lines()).ok, same(&good) == same(&changed));
    }
}
