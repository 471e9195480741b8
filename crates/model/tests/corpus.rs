//! The parsers of outside bytes (SEC22), against the kept corpus and small changes of it, on the stable toolchain.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tiltyard_model::pipeline::expression::Expression;
use tiltyard_model::schema::Schema;
use tiltyard_model::{patch, pipeline};

/// Longest time that one text may take here, in an unoptimised build on a busy machine.
const MAX_READING: Duration = Duration::from_secs(10);
/// Changed texts a file, unless `CORPUS_CASES` says otherwise.
const DEFAULT_CASES: u32 = 200;

fn corpus(parser: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(parser);
    let files = std::fs::read_dir(folder).expect("the corpus lies in the tree");
    let mut texts: Vec<(String, String)> = files
        .map(|file| {
            let path = file.expect("the folder can be listed").path();
            (path.display().to_string(), std::fs::read_to_string(&path).expect("a corpus file is UTF-8"))
        })
        .collect();
    texts.sort();
    assert!(texts.len() > 1, "{parser} has no corpus");
    texts
}

/// A text with a few parts taken out, doubled, moved, or replaced by what parsers dislike.
fn changed(text: &str, changes: &[(u8, prop::sample::Index, prop::sample::Index)]) -> String {
    const ODD: [&str; 18] = [
        "${{", "}}", "[", "{", "*a", "&a ", "\"", "'", "\\", "\n", "\t", "- ", ": ", "🦀", "null", "1e999",
        "~", "#",
    ];
    let mut letters: Vec<char> = text.chars().collect();
    for (how, from, length) in changes {
        if letters.is_empty() {
            break;
        }
        let begin = from.index(letters.len());
        let end = (begin + length.index(40)).min(letters.len());
        let part: Vec<char> = letters[begin..end].to_vec();
        match how % 4 {
            0 => drop(letters.splice(begin..end, [])),
            1 => drop(letters.splice(begin..begin, part)),
            2 => drop(letters.splice(begin..begin, ODD[length.index(ODD.len())].chars())),
            _ => letters.extend(part),
        }
    }
    letters.into_iter().collect()
}

fn holds(parser: &str, reads: impl Fn(&str)) {
    let cases =
        std::env::var("CORPUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(DEFAULT_CASES);
    for (path, text) in corpus(parser) {
        timed(&path, &text, &reads);
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let change = (any::<u8>(), any::<prop::sample::Index>(), any::<prop::sample::Index>());
        let changes = prop::collection::vec(change, 1..6);
        let outcome = TestRunner::new_with_rng(config, rng).run(&changes, |changes| {
            timed(&path, &changed(&text, &changes), &reads);
            Ok(())
        });
        assert!(outcome.is_ok(), "{path}: {outcome:?}");
    }
}

fn timed(path: &str, text: &str, reads: &impl Fn(&str)) {
    let begin = Instant::now();
    reads(text);
    assert!(begin.elapsed() < MAX_READING, "{path}: {:?} for\n{text}", begin.elapsed());
}

// SEC22, D20: a definition is read, and its canonical form is too; or its mistakes lie in the text.
#[test]
fn sec22_definitions() {
    holds("definition", |text| match pipeline::read(text) {
        Ok(read) => {
            let kept = read.to_value();
            assert_eq!(pipeline::read_kept(&kept).as_ref(), Ok(&read), "{text}");
            for stage in &read.stages {
                // Whatever comes of it, it comes back.
                let _rendered = stage.work.render(&json!({"input": {}, "stages": {}, "run": {"id": "x"}}));
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.len() <= pipeline::MAX_MISTAKES);
            let lines = u32::try_from(text.lines().count()).unwrap() + 1;
            for mistake in mistakes {
                assert!(
                    (1..=lines.max(2)).contains(&mistake.line) && mistake.column > 0,
                    "{mistake:?} in\n{text}"
                );
                assert!(!mistake.error.is_empty() && mistake.error.len() < 2_000, "{mistake:?}");
            }
        }
    });
}

// SEC22, D21: an expression is read, has a value or a failure, and is the same when it is read again.
#[test]
fn sec22_expressions() {
    let names = json!({"input": {"list": [1, "b"]}, "a": {"b": [null, ["x"]]}, "x": "y"});
    holds("expression", |text| match Expression::read(text) {
        Ok(expression) => {
            let _value = expression.value(&names);
            let again = Expression::read(expression.source()).unwrap();
            assert_eq!(again.value(&names).ok(), expression.value(&names).ok());
        }
        Err(wrong) => {
            assert!(wrong.at <= text.len() && text.is_char_boundary(wrong.at), "{wrong:?} in\n{text}");
        }
    });
}

// SEC22, D23: a patch makes a document within its limits, or is refused with a place in it.
#[test]
fn sec22_patches() {
    let document = json!({"a": 1, "l": [1, 2, {"x": "y"}], "a/b": {"~": null}});
    holds("patch", |text| {
        let Ok(patch) = serde_json::from_str::<Value>(text) else { return };
        match patch::applied(&document, &patch, None) {
            Ok(result) => assert!(result.to_string().len() <= 2 * patch::MAX_DOCUMENT_BYTES),
            Err(refusal) => assert!(refusal.faults.iter().all(|fault| fault.field.starts_with("/patch"))),
        }
    });
}

// SEC22, D20: a schema is read, and judges, or says what is wrong with it.
#[test]
fn sec22_schemas() {
    let document = json!({"a": 1, "l": ["aaa", 5, null], "more": {}});
    holds("schema", |text| {
        let Ok(schema) = serde_json::from_str::<Value>(text) else { return };
        match Schema::read(&schema) {
            Ok(schema) => assert!(schema.faults(&document).len() <= tiltyard_model::schema::MAX_FAULTS),
            Err(faults) => assert!(!faults.is_empty()),
        }
    });
}
