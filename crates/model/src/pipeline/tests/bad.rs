//! Bad definitions, each with the whole list of what is said of it.

use crate::pipeline::read;

/// The mistakes as `line:column sentence`.
fn told(text: &str) -> Vec<String> {
    let mistakes = read(text).err().unwrap_or_default();
    mistakes
        .into_iter()
        .map(|mistake| format!("{}:{} {}", mistake.line, mistake.column, mistake.error))
        .collect()
}

#[track_caller]
fn says(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(told(text), *expected, "\n{text}");
    }
}

// D23: an escalation that comes after the gate's time is over is told, as a reminder is.
#[test]
fn d23_an_escalation_that_never_happens_is_told() {
    let gate = |after: u32| {
        format!(
            "stages:\n- id: a\n  uses: gate\n  with: {{subject: ok?, timeout_ms: 5000, escalate: {{after_ms: {after}, who: \
             ['group:g']}}}}\n"
        )
    };
    assert_eq!(told(&gate(4_999)), Vec::<String>::new());
    assert_eq!(told(&gate(5_000)), ["4:63 never happens: the gate's time is over after 5000"]);
}

#[test]
fn d20_shapes_and_words() {
    says(&[
        (
            r#"stages:
- id: a
  uses: comand
  with: {argv: [x]}
"#,
            &[
                r#"3:9 must be one of command, agent, change, http, gate, wait, pipeline, foreach; is `command` meant?"#,
            ],
        ),
        (
            r#"stages:
- id: A
  uses: command
  wiht: {argv: [x]}
  needs: [b, a]
"#,
            &[
                r#"2:3 `with` of a command needs `argv`"#,
                r#"2:7 must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -"#,
                r#"4:3 a stage has no `wiht`; is `with` meant?"#,
                r#"5:11 there is no stage `b`"#,
                r#"5:14 there is no stage `a`"#,
            ],
        ),
        (
            r#"steps: []
"#,
            &[
                r#"1:1 a definition needs `stages`"#,
                r#"1:1 a definition has no `steps`; there is input, stages"#,
            ],
        ),
        (
            r#"- a
"#,
            &[r#"1:1 a definition is an object with input, stages, and this is a list"#],
        ),
        (r#""#, &[r#"1:1 there is nothing here; a definition begins with `stages:`"#]),
        (
            r#"stages: {}
"#,
            &[r#"1:9 must be a list of stages, and is an object"#],
        ),
        (
            r#"stages: []
"#,
            &[r#"1:9 a definition has 1 to 1000 stages, this one has 0"#],
        ),
    ]);
}

#[test]
fn d20_needs_go_in_a_circle() {
    says(&[(
        r#"stages:
- id: a
  uses: wait
  needs: [b]
  with: {for_ms: 5m}
- id: b
  uses: wait
  needs: [c]
  with: {for_ms: 1}
- id: c
  uses: wait
  needs: [a]
  with: {for_ms: 0}
"#,
        &[
            r#"4:11 the needs go in a circle: a → b → c → a"#,
            r#"5:18 must be a whole number from 1 to 31622400000"#,
            r#"13:18 must be a whole number from 1 to 31622400000"#,
        ],
    )]);
}

const NOBODY_KNOWS: &[(&str, &[&str])] = &[
    (
        r#"stages:
- id: a
  uses: command
  with:
    argv: [echo, "${{ input.x }}", '${{ stages.b.outputs.y }}']
    stdin: ${{ stages.c.outputs.result }}
    cwd: ${{ nput.x }
- id: c
  uses: wait
  with: {for_ms: 1}
"#,
        &[
            r#"5:23 the pipeline takes no input; say with `input:` (a JSON Schema) what it takes"#,
            r#"5:48 there is no stage `b`; there is a, c"#,
            r#"6:23 a does not run after c; add `c` to its needs"#,
            r#"7:13 an expression that begins with `${{` ends with `}}`"#,
        ],
    ),
    (
        r#"input: {type: object, properties: {tag: {type: string}, list: {type: array}}}
stages:
- id: a
  uses: command
  if: input.tag
  with:
    argv: ["${{ input.tga }}", "${{ input.list }}", "${{ input.tag.x }}"]
    stdin: |
      two lines
      and ${{ input.tag == }} here
- id: a
  uses: wait
  if: ${{ input.tag }}
  with: {for_ms: ${{ input.tag }}}
"#,
        &[
            r#"14:19 this cannot be read as YAML: while parsing a flow mapping, did not find expected ',' or '}'; inside of [ ] and { } an expression stands in quotes"#,
        ],
    ),
    (
        r#"stages:
- id: a
  uses: gate
  with: {subject: ok?, who: []}
- id: b
  uses: gate
  with: {subject: ok?, who: [role:boss, role:viewer, bob]}
- id: c
  uses: gate
  with: {subject: ok?, who: [identity:a, identity:b], quorum: 3, on_timeout: maybe, timeout_ms: no}
- id: d
  uses: gate
  with: {subject: ok?, quorum: 21}
- id: e
  uses: gate
  with: {quorum: 2 of nobody, on_reject: {to_stage: a}, no_self_approval: yes, on_timeout: approve}
"#,
        &[
            r#"4:29 nobody could decide this gate: name at least one role:…, group:… or identity:…"#,
            r#"7:30 there is no role `boss`"#,
            r#"7:41 role:viewer has no right to decide; operator and admin have"#,
            r#"7:54 `bob` is neither role:…, group:… nor identity:…"#,
            r#"10:63 asks for 3 approvals where 2 may decide: a, b"#,
            r#"10:78 must be one of approve, reject, nothing"#,
            r#"10:97 must be a whole number from 1 to 31622400000"#,
            r#"13:32 must be a whole number from 1 to 20"#,
            r#"16:9 `with` of a gate needs `subject`"#,
            r#"16:18 `nobody` is neither role:…, group:… nor identity:…; write for example `2 of role:operator and 1 of group:security`"#,
            r#"16:53 e does not run after a, so it cannot send the run back there"#,
            r#"16:75 must be true or false; `yes` is a text in YAML 1.2"#,
            r#"16:92 never happens: say `timeout_ms` too"#,
        ],
    ),
];

#[test]
fn d21_d23_names_and_deciders_that_nobody_knows() {
    says(NOBODY_KNOWS);
}

#[test]
fn d20_values_and_outputs_that_cannot_be() {
    says(&[(
        r#"stages:
- id: a
  uses: agent
  timeout_ms: 0
  retry: {max_attempts: 0, backof: {}}
  with: {kind: k, payload: {v: 1.10, w: 12345678901234567890123}, timeout_ms: 5, priority: 11}
  outputs: {x: {file: y}, result: {schema: {type: strin}}}
- id: b
  uses: command
  with: {argv: [], env: [a], capabilities: x}
  outputs: {a: {file: ../x}, b: {file: x, json: y}, c: {stdout: xml}, d: {stdout: text, schema: {}}, subject: {stdout: text}, result: {stdout: json}}
"#,
        &[
            r#"4:15 must be a whole number from 1 to 604800000"#,
            r#"5:25 must be a whole number from 1 to 1000"#,
            r#"5:28 retry has no `backof`; is `backoff` meant?"#,
            r#"6:32 is the number 1.1 in YAML; write "1.10" for a text, 1.1 for the number"#,
            r#"6:41 is the number 1.2345678901234568e+22 in YAML; write "12345678901234567890123" for a text, 1.2345678901234568e+22 for the number"#,
            r#"6:67 has no meaning here; say `timeout_ms` beside `with`"#,
            r#"6:92 must be a whole number from 1 to 10"#,
            r#"7:13 a stage that uses agent puts out its `result` only; files and standard output are a command's"#,
            r#"7:51 no JSON Schema: the value is not valid under any of the schemas listed in the 'anyOf' keyword"#,
            r#"10:16 must have 1 to 256 items"#,
            r#"10:25 must be an object of texts"#,
            r#"10:44 must be a list of texts"#,
            r#"11:23 must be a path inside of the stage's own folder, of at most 1024 bytes: notes/draft.md"#,
            r#"11:33 an output has one of `file`, `json` and `stdout`"#,
            r#"11:65 must be one of json, text"#,
            r#"11:97 a schema is for JSON; take the output as `json:` or `stdout: json`"#,
            r#"11:102 an output is named with 1 to 64 of a-z, 0-9, _ and -, and not `subject`"#,
            r#"11:144 `result` is what the work itself hands in; give it a schema, or name the output otherwise"#,
        ],
    )]);
}

#[test]
fn d20_items_of_items_and_their_names() {
    says(&[(
        r#"stages:
- id: a
  uses: foreach
  with:
    in: ${{ input }}
    as: input
    concurrency: 0
    do:
      uses: foreach
      with: {in: [1], do: {uses: wait, with: {for_ms: 1}}}
- id: b
  uses: foreach
  with:
    in: [1]
    do: {id: x, uses: command, with: {argv: ["${{ item.x }} ${{ item }} ${{ part }} ${{ index.y }}"]}}
- id: c
  uses: command
  with: {argv: ["${{ item }}"]}
"#,
        &[
            r#"5:13 the pipeline takes no input; say with `input:` (a JSON Schema) what it takes"#,
            r#"6:9 `input` means something else in expressions; choose another name"#,
            r#"7:18 must be a whole number from 1 to 1000"#,
            r#"9:13 a foreach does no foreach; let its items run a pipeline that has one"#,
            r#"15:10 what a foreach does has no `id`; there is uses, with, retry, timeout_ms, outputs"#,
            r#"15:77 there is no `part`; there is input, stages, run, feedback, item, index"#,
            r#"15:95 index is a number, so there is no index.y"#,
            r#"18:22 `item` is known inside of the `do` of a foreach only"#,
        ],
    )]);
}

#[test]
fn d21_expressions_are_judged() {
    says(&[(
        r#"input: {type: object, properties: {tag: {type: string}, list: {type: array}}}
stages:
- id: a
  uses: command
  if: input.tag
  with:
    argv: ["${{ input.tga }}", "${{ input.list }}", "${{ input.tag.x }}"]
    stdin: |
      two lines
      and ${{ input.tag == }} here
- id: a
  uses: wait
  if: ${{ input.tag }}
  with:
    for_ms: ${{
      input.tag }}
- id: d
  uses: command
  needs: a
  if: true
  with:
    argv:
    - "äöü \n ${{ stages.a.outputs.x }} ${{ stages.a.output }}"
    - ${{ stages.a }}${{ stages }}
    - ${{ lenght(input.tag) }}
    - ${{ length(1) && !input.tag < 3 }}
    - '${{ input.tag = "v1" }}'
"#,
        &[
            r#"5:7 must be one expression that is true or false: ${{ input.publish }}"#,
            r#"7:23 input has no `tga`; is `tag` meant?"#,
            r#"7:37 a text is needed here, not a list; write json(…), or join(…, ", ") for a list"#,
            r#"7:68 input.tag is a text, so there is no input.tag.x"#,
            r#"10:27 the expression ends where a value is expected"#,
            r#"11:7 there is a stage `a` already, in line 3"#,
            r#"13:11 true or false is needed here, not a text"#,
            r#"15:13 a number is needed here, not a text"#,
            r#"20:7 must be one expression that is true or false: ${{ input.publish }}"#,
            r#"23:36 stage a has no output `x`; there is result"#,
            r#"23:54 a stage has `outputs` and a `state`: stages.a.outputs.NAME"#,
            r#"24:11 a stage has `outputs` and a `state`: stages.a.outputs.NAME"#,
            r#"24:26 name a stage: stages.ID.outputs.NAME or stages.ID.state"#,
            r#"25:11 there is no function lenght; is length meant?"#,
            r#"26:11 a number has no length"#,
            r#"26:11 true or false is needed here, not a number"#,
            r#"26:24 true or false is needed here, not a text"#,
            r#"26:35 two numbers or two texts have an order, not true or false and a number"#,
            r#"27:22 write `==` to compare"#,
        ],
    )]);
}

#[test]
fn d20_waits_calls_and_runs() {
    says(&[(
        r#"stages:
- id: a
  uses: wait
  with: {event: {type: task.succeded, subjct: x}}
- id: b
  uses: wait
  with: {}
- id: c
  uses: http
  with: {url: ftp://x, method: get, expect: {status: 20}}
- id: d
  uses: pipeline
  with: {name: "${{ run.id }}"}
"#,
        &[
            r#"4:24 is no type of event; is `task.succeeded` meant?; `tiltyard events` shows types"#,
            r#"4:39 an event has no `subjct`; is `subject` meant?"#,
            r#"7:9 a wait has either `for_ms` or `event`"#,
            r#"10:15 must begin with http:// or https:// and name a host"#,
            r#"10:32 must be one of GET, HEAD, POST, PUT, PATCH, DELETE"#,
            r#"10:54 must be a whole number from 100 to 599"#,
            r#"13:16 is fixed when the pipeline is published: no expression can stand here"#,
            r#"13:16 must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -"#,
        ],
    )]);
}

// A definition with a mistake in each stage tells the first hundred of them and how many there are.
#[test]
fn mistakes_are_told_up_to_a_limit() {
    let mut text = "stages:\n".to_owned();
    for number in 0..300 {
        text.push_str(&format!("- {{id: s{number}, uses: wait, with: {{for_ms: 0}}}}\n"));
    }
    let told = told(&text);
    assert_eq!(told.len(), crate::pipeline::MAX_MISTAKES);
    assert!(told[99].ends_with("(and 200 more mistakes)"), "{}", told[99]);
}

// What came as JSON inside of something else has no lines, and the same sentences.
#[test]
fn without_a_text_mistakes_have_their_pointer() {
    let kept =
        serde_json::json!({"stages": [{"id": "a", "uses": "wait", "with": {"for_ms": "${{ inptu.x }}"}}]});
    let mistakes = crate::pipeline::read_value(&kept).unwrap_err();
    assert_eq!((mistakes[0].line, mistakes[0].field.as_str()), (0, "/stages/0/with/for_ms"));
    assert_eq!(mistakes[0].error, "there is no `inptu`; is `input` meant?");
}

// A text that is made to be slow is not, or the runner ends this after two minutes: long lines, thousands of expressions, thousands of names that nobody has.
#[test]
fn sec22_hostile_definitions_are_answered_soon() {
    let one_line = vec!["\"${{a}}ä\""; 20_000].join(",");
    let one_line = format!(
        "{{\"stages\":[{{\"id\":\"a\",\"uses\":\"command\",\"with\":{{\"argv\":[\"x\"],\"stdin\":[{one_line}]}}}}]}}"
    );
    let one_text = format!(
        "stages:\n- id: a\n  uses: command\n  with: {{argv: [x], stdin: \"{}\"}}\n",
        "${{a}} ".repeat(30_000)
    );
    let mut unknown = "stages:\n".to_owned();
    for number in 0..900 {
        unknown
            .push_str(&format!("- {{id: {}{number:04}, uses: wait, with: {{for_ms: 1}}}}\n", "a".repeat(60)));
    }
    let names: Vec<String> =
        (0..1_400).map(|number| format!("\"${{{{stages.{}{number}.state}}}}\"", "b".repeat(60))).collect();
    unknown.push_str(&format!(
        "- {{id: z, uses: command, with: {{argv: [x], stdin: [{}]}}}}\n",
        names.join(",")
    ));
    let fields: String = (0..9_000).map(|number| format!("{}{number}: 1\n", "f".repeat(20))).collect();
    for (text, count) in [(one_line, 100), (one_text, 1), (unknown, 100), (fields, 100)] {
        assert!(text.len() < crate::pipeline::MAX_DEFINITION_BYTES, "{}", text.len());
        assert_eq!(told(&text).len(), count, "{}", &text[..80]);
    }
}
