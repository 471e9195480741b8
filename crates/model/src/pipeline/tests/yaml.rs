//! D20, SEC22: what is read of YAML, and what of it is refused.

use crate::pipeline::{MAX_DEFINITION_BYTES, Uses, read};
use serde_json::json;
use std::time::{Duration, Instant};

fn told(text: &str) -> Vec<String> {
    let mistakes = read(text).err().unwrap_or_default();
    mistakes
        .into_iter()
        .map(|mistake| format!("{}:{} {}", mistake.line, mistake.column, mistake.error))
        .collect()
}

const NO_PLAIN_DOCUMENTS: &[(&str, &[&str])] = &[
    (
        r#"stages: &a [*a]
"#,
        &[r#"1:13 an alias cannot stand inside of what it repeats"#],
    ),
    (
        r#"stages:
- &s {id: a, uses: wait, with: {for_ms: 1}}
- <<: *s
  id: b
"#,
        &[
            r#"3:3 `<<` (merge) is not YAML 1.2; write the members out, or repeat a whole value with `*name`"#,
            r#"3:3 a stage has no `<<`; there is id, uses, with, needs, if, retry, timeout_ms, outputs"#,
            r#"3:3 a stage needs `uses`"#,
        ],
    ),
    (
        r#"stages:
- id: a
  id: b
  uses: wait
  with: {for_ms: !!int 1}
"#,
        &[
            r#"3:3 `id` stands here twice"#,
            r#"5:18 tags (`!…`) have no meaning here; write a text in quotes, other values plainly"#,
        ],
    ),
    (
        r#"stages:
- id: a
  uses: wait
  with: {for_ms: 1}
---
x: 1
"#,
        &[r#"5:1 a definition is one document; leave out the second `---`"#],
    ),
    (
        r#"stages: [
"#,
        &[r#"2:1 this cannot be read as YAML: while parsing a node, did not find expected node content"#],
    ),
    (
        r#"stages:
- id: a
  uses: command
  with: {argv: [${{ input.x }}]}
"#,
        &[
            r#"4:18 this cannot be read as YAML: while parsing a flow sequence, expected ',' or ']'; inside of [ ] and { } an expression stands in quotes"#,
        ],
    ),
    (
        r#"stages:
- id: a
  uses: command
  with:
    argv: ["a\0b"]
    stdin: {1.10: 010, on: 0x10, b: .inf, c: 2026-01-01, ${{ x }}: 1}
"#,
        &[
            r#"5:12 must not hold the character U+0000, which no text that is kept can have"#,
            r#"6:59 this cannot be read as YAML: while parsing a flow mapping, did not find expected ',' or '}'; inside of [ ] and { } an expression stands in quotes"#,
        ],
    ),
    (
        r#"stages:
- id: a
  uses: wait
  with: *none
"#,
        &[r#"4:9 this cannot be read as YAML: while parsing node, found unknown anchor"#],
    ),
    ("{? [a] : b}", &["1:4 a name must be a text, not a list or an object; put quotes around `{{ … }}`"]),
    (
        "stages:\n- id: a\n\tuses: wait\n",
        &["2:7 this cannot be read as YAML: while scanning a plain scalar, found a tab"],
    ),
];

#[test]
fn what_is_no_plain_document_is_told_with_its_place() {
    for (text, expected) in NO_PLAIN_DOCUMENTS {
        assert_eq!(told(text), *expected, "\n{text}");
    }
}

// SEC22, "a YAML bomb": refused before it is unfolded.
#[test]
fn bombs_are_not_unfolded() {
    let mut aliases = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in b'b'..=b'k' {
        let (name, before) = (level as char, (level - 1) as char);
        let list = vec![format!("*{before}"); 9].join(", ");
        aliases.push_str(&format!("{name}: &{name} [{list}]\n"));
    }
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..2_000 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    let wide = format!("stages: [{}]", "1,".repeat(60_000));
    for (text, expected) in [
        (aliases, "5:24 with its aliases a definition has at most 50000 values"),
        (chain, "64:12 with its aliases a definition is nested at most 64 deep"),
        (wide, "1:100008 with its aliases a definition has at most 50000 values"),
        (
            format!("stages: {}{}", "[".repeat(70), "]".repeat(70)),
            "1:72 a definition is nested at most 64 deep",
        ),
        (
            format!("stages: {}", "[".repeat(100_000)),
            "1:264 this cannot be read as YAML: recursion limit exceeded",
        ),
        ("- ".repeat(100_000), "1:129 a definition is nested at most 64 deep"),
        (
            "? ".repeat(100_000),
            "1:3 a name must be a text, not a list or an object; put quotes around `{{ … }}`",
        ),
        (
            "x".repeat(MAX_DEFINITION_BYTES + 1),
            "1:1 a definition has at most 262144 bytes, this one has 262145",
        ),
    ] {
        let begin = Instant::now();
        assert_eq!(told(&text), [expected]);
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?} for {expected}", begin.elapsed());
    }
}

// D20: YAML 1.2, whatever other readers do: `no` and `on` are texts, and so is everything that is no number of JSON.
#[test]
fn scalars_are_what_the_guide_says() {
    let text = r#"
stages:
- id: a
  uses: command
  with:
    argv: [no, on, 1.10, 0123, 0x1F, true, null_, 12:30, 2026-01-01, 1e3, "5", +1, .5]
    stdin: {a: no, b: on, c: yes, d: 0123, e: 0x1F, f: True, g: ~, h: 12:30, i: 2026-01-01, j: 1e3, k: .inf, l: 1_000,
      m: -1, n: 0.5, o: +1, p: NULL, 1.10: y}
"#;
    let read = read(text).unwrap();
    let with = read.stages[0].work.with.source();
    let argv =
        ["no", "on", "1.10", "0123", "0x1F", "true", "null_", "12:30", "2026-01-01", "1e3", "5", "+1", ".5"];
    assert_eq!(with["argv"], json!(argv));
    let expected = json!({"a": "no", "b": "on", "c": "yes", "d": "0123", "e": "0x1F", "f": true, "g": null, "h": "12:30",
        "i": "2026-01-01", "j": 1000.0, "k": ".inf", "l": "1_000", "m": -1, "n": 0.5, "o": "+1", "p": null, "1.10": "y"});
    assert_eq!(with["stdin"], expected);
}

// D20: JSON is read as JSON, also where YAML alone would stumble.
#[test]
fn json_with_tabs_and_pairs_of_escapes_is_json() {
    let text = "{\"stages\":\t[{\"id\":\t\"a\",\n\t\"uses\": \"command\", \"with\": {\"argv\": [\"\\uD83D\\uDE00 \\\\uD83D \\/ \\u00e4\"]}}]}";
    assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
    assert_eq!(told(text), Vec::<String>::new());
    let read = read(text).unwrap();
    assert_eq!(read.stages[0].work.uses, Uses::Command);
    assert_eq!(read.stages[0].work.with.source()["argv"][0], "\u{1F600} \\uD83D / ä");
}
