//! C3: an outcome that was taken is never lost, and no file of whatever content harms.

use crate::rig::stub;
use serde_json::value::to_raw_value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::outbox::{
    MAX_DAMAGED_FILES, MAX_ENTRY_BYTES, MAX_OUTBOX_ENTRIES, Outbox, OutboxError, SealKey,
};
use tiltyard_agent::outcome::{Outcome, Verdict};

fn outcome(task: &str, generation: i64) -> Outcome {
    let result = to_raw_value(&serde_json::json!({ "sum": 12.5, "of": task })).expect("is JSON");
    let key = AttemptKey::new(task, generation).expect("is a key");
    Outcome { key, verdict: Verdict::Succeeded { result: Some(result) } }
}

fn open(folder: &Path) -> Outbox {
    let (outbox, damage) = Outbox::open(folder, SealKey::default()).expect("opens");
    assert_eq!(damage, []);
    outbox
}

#[test]
fn c3_outcomes_survive_until_they_are_settled() {
    let folder = tempfile::tempdir().expect("a folder");
    let given = [
        outcome("task_a", 1),
        Outcome { verdict: Verdict::failed("exit code 3"), ..outcome("task_a", 2) },
        Outcome { verdict: Verdict::TimedOut { error: "took longer".to_owned() }, ..outcome("task_b", 1) },
        Outcome { verdict: Verdict::Released, ..outcome("task_c", 7) },
    ];
    let outbox = open(folder.path());
    given.iter().for_each(|outcome| outbox.put(outcome).expect("takes"));
    drop(outbox);
    let outbox = open(folder.path());
    assert_eq!(outbox.waiting(), given);
    assert_eq!(outbox.find(&given[1].key), Some(given[1].clone()));
    outbox.remove(&given[0].key).expect("removes");
    outbox.remove(&given[0].key).expect("twice is no error");
    assert_eq!(open(folder.path()).waiting(), given[1..]);
    assert_eq!(outbox.room(), MAX_OUTBOX_ENTRIES - 3);
}

// C3, E8: the first outcome of an attempt stands; the same one again is harmless.
#[test]
fn c3_an_attempt_has_one_outcome() {
    let folder = tempfile::tempdir().expect("a folder");
    let outbox = open(folder.path());
    outbox.put(&outcome("task_a", 1)).expect("takes");
    outbox.put(&outcome("task_a", 1)).expect("takes it again");
    let other = Outcome { verdict: Verdict::Released, ..outcome("task_a", 1) };
    assert!(matches!(outbox.put(&other), Err(OutboxError::AlreadyTold(_))));
    assert_eq!(open(folder.path()).waiting(), [outcome("task_a", 1)]);
}

#[test]
fn c3_a_crash_at_any_byte_of_writing_loses_nothing_that_was_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).put(&outcome("task_taken", 1)).expect("takes");
    let whole = std::fs::read(folder.path().join("task_taken.1.outcome")).expect("is there");
    for length in 0..=whole.len() {
        std::fs::write(folder.path().join("task_new.1.partial"), &whole[..length]).expect("writes");
        assert_eq!(open(folder.path()).waiting(), [outcome("task_taken", 1)]);
        assert!(!folder.path().join("task_new.1.partial").exists(), "what was never promised goes");
    }
}

#[test]
fn c3_a_file_cut_or_flipped_at_any_byte_is_set_aside_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).put(&outcome("task_taken", 1)).expect("takes");
    let whole = std::fs::read(folder.path().join("task_taken.1.outcome")).expect("is there");
    let bad = folder.path().join("task_bad.1.outcome");
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    let flipped = (0..whole.len()).map(|place| {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        bytes
    });
    // Whole, but under the name of another attempt.
    for bytes in cut.chain(flipped).chain([whole.clone()]) {
        std::fs::write(&bad, &bytes).expect("writes");
        let (outbox, damage) = Outbox::open(folder.path(), SealKey::default()).expect("opens");
        assert_eq!(outbox.waiting(), [outcome("task_taken", 1)]);
        let [damage] = damage.as_slice() else {
            panic!("{damage:?} for {}", String::from_utf8_lossy(&bytes))
        };
        assert!(!bad.exists() && damage.file.exists() && !damage.reason.is_empty());
        assert_eq!(std::fs::read(&damage.file).expect("is kept"), bytes);
    }
}

#[test]
fn c3_what_is_kept_of_damage_and_what_is_read_is_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    for number in 0..MAX_DAMAGED_FILES + 5 {
        std::fs::write(folder.path().join(format!("task_{number}.1.outcome")), "{").expect("writes");
    }
    let huge = std::fs::File::create(folder.path().join("task_huge.1.outcome")).expect("a file");
    huge.set_len(MAX_ENTRY_BYTES * 1_000).expect("grows");
    std::fs::write(folder.path().join("a person's note"), "x").expect("writes");
    let (outbox, damage) = Outbox::open(folder.path(), SealKey::default()).expect("opens");
    assert_eq!((outbox.waiting().len(), damage.len()), (0, MAX_DAMAGED_FILES + 6));
    let kept = std::fs::read_dir(folder.path().join("damaged")).expect("is there").count();
    assert_eq!(kept, MAX_DAMAGED_FILES);
    assert!(folder.path().join("a person's note").exists());
}

#[test]
fn c3_a_disk_that_does_not_take_it_is_told_and_nothing_is_promised() {
    let folder = tempfile::tempdir().expect("a folder");
    let outbox = open(folder.path());
    // In the way of the file: whoever runs the test, root too, cannot write there.
    std::fs::create_dir(folder.path().join("task_a.1.partial")).expect("makes a folder");
    assert!(matches!(outbox.put(&outcome("task_a", 1)), Err(OutboxError::Disk { .. })));
    assert_eq!(outbox.waiting(), []);
    std::fs::remove_dir(folder.path().join("task_a.1.partial")).expect("removes");
    outbox.put(&outcome("task_a", 1)).expect("takes it now");
}

#[test]
fn c3_nothing_taken_is_lost_when_the_agent_is_killed_with_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut expected = Vec::new();
    for round in 1..=8 {
        let mut command = Command::new(stub());
        command.arg("put").arg(folder.path()).arg(round.to_string()).stdout(Stdio::piped());
        let mut agent = command.spawn().expect("the stub starts");
        let mut said = BufReader::new(agent.stdout.take().expect("is piped")).lines();
        expected.extend(said.by_ref().take(round * 3).map(|line| line.expect("is text")));
        agent.kill().expect("KILL is sent");
        agent.wait().expect("is dead");
        // What it managed to say before it died was taken as well.
        expected.extend(said.map_while(Result::ok));
        let waiting = open(folder.path()).waiting();
        let known: Vec<String> = waiting.iter().map(|outcome| outcome.key.to_string()).collect();
        assert!(expected.iter().all(|key| known.contains(key)), "{expected:?} of {known:?}");
    }
}

// C3: a program that can make files in the agent's folder cannot tell the server how an attempt ended: it does not know what
// outcomes are sealed with.
#[test]
fn c3_an_outcome_that_somebody_else_wrote_is_not_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = SealKey::from_secret("jst_of_the_agent");
    let (outbox, _) = Outbox::open(folder.path(), own.clone()).expect("opens");
    outbox.put(&outcome("task_own", 1)).expect("takes");
    for other in [SealKey::default(), SealKey::from_secret("jst_guessed")] {
        let forger = tempfile::tempdir().expect("a folder");
        let (forged, _) = Outbox::open(forger.path(), other).expect("opens");
        forged.put(&outcome("task_forged", 1)).expect("takes");
        let name = "task_forged.1.outcome";
        std::fs::copy(forger.path().join(name), folder.path().join(name)).expect("is put there");
        let (outbox, damage) = Outbox::open(folder.path(), own.clone()).expect("opens");
        assert_eq!(outbox.waiting(), [outcome("task_own", 1)]);
        let [damage] = damage.as_slice() else { panic!("{damage:?}") };
        assert!(damage.reason.contains("the seal differs"), "{}", damage.reason);
    }
}
