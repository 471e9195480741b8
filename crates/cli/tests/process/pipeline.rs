//! Pipelines from the command line: a server and an agent as processes, and a person who types.

use crate::live::{Ended, Home, Live, Server, wait_for};
use serde_json::{Value, json};
use std::path::Path;

/// Two commands, of which the second reads what the first has put out.
const TWO: &str = r#"
input:
  type: object
  required: [word]
  properties:
    word: {type: string}
stages:
  - id: say
    uses: command
    with:
      argv: [sh, -euc, 'printf "%s\n" "$WORD"; printf "{\"letters\": %s}\n" "${#WORD}" > counted.json']
      env: {WORD: "${{ input.word }}"}
    outputs:
      said: {stdout: text}
      counted: {json: counted.json, schema: {type: object, required: [letters]}}
  - id: keep
    uses: command
    needs: say
    with:
      argv: [sh, -euc, 'cat said.txt > kept.txt; printf "%s letters\n" "$LETTERS" >> kept.txt']
      env: {LETTERS: "${{ stages.say.outputs.counted.letters }}"}
      files: {said.txt: "${{ stages.say.outputs.said }}"}
    outputs:
      kept: {file: kept.txt, media_type: text/plain}
"#;

/// What a person adds to the draft, and with it the release.
const MORE: &str = r#"[{"op": "add", "path": "/changes/-", "value": "It says hello"}]"#;
const TITLE: &str = r#"[{"op": "replace", "path": "/title", "value": "The first release"}]"#;

/// A server with an agent, and the home of the person beside them.
struct Shop {
    home: Home,
    _agent: Live,
    _server: Server,
}

impl Shop {
    fn open() -> Self {
        let home = Home::new();
        let server = Server::start(&home, &[]);
        let token = server.token.as_deref().expect("the first start shows it");
        let ready = home.path("agent.ready");
        let fixed = ["agent", "--server", &server.url, "--token", token, "--name", "forge"];
        let ready_file = ["--ready-file", ready.to_str().expect("is UTF-8")];
        let agent = Live::start(home.command(&[&fixed[..], &ready_file].concat()));
        wait_for("agent that is welcome", || ready.exists().then_some(()));
        Self { home, _agent: agent, _server: server }
    }

    /// A file of the person's; its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path(name);
        std::fs::write(&path, text).expect("writes");
        path.to_str().expect("is UTF-8").to_owned()
    }

    fn follow(&self, arguments: &[&str]) -> Live {
        Live::start(self.home.command(&[&["run"], arguments, &["--follow"]].concat()))
    }

    /// The run of somebody who follows it, by the first line.
    fn run_of(following: &Live) -> String {
        let line = following.line("run", |line| line.starts_with("run_"));
        line.split_whitespace().next().expect("begins with its id").to_owned()
    }

    fn show(&self, run: &str) -> Value {
        self.home.ask(&["runs", "show", run])
    }

    /// The bytes of something that the run has put out.
    fn fetched(&self, run: &str, name: &str) -> String {
        let file = self.home.path("fetched");
        let ended = self.home.run(&["runs", "artifacts", run, "--get", name, "-o", path(&file)]);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        let text = std::fs::read_to_string(&file).expect("was written");
        let printed = self.home.run(&["runs", "artifacts", run, "--get", name]);
        assert_eq!(printed.stdout, text, "to standard output as into a file");
        text
    }

    /// The gate that the run waits at, at this attempt of its stage.
    fn gate(&self, run: &str, attempt: u64) -> Value {
        wait_for("gate", || {
            let found = self.home.ask(&["gates", "--state", "open"]);
            let gates = found["items"].as_array().expect("a page has items");
            gates.iter().find(|gate| gate["run"] == run && gate["attempt"] == attempt).cloned()
        })
    }

    fn decide(&self, arguments: &[&str], gate: &Value) -> Ended {
        let digest = gate["subject_sha256"].as_str().expect("is text");
        self.home.run(&[arguments, &["--subject", digest]].concat())
    }
}

fn path(of: &Path) -> &str {
    of.to_str().expect("is UTF-8")
}

/// The stage as the run shows it.
fn stage<'a>(run: &'a Value, id: &str) -> &'a Value {
    let stages = run["stages"].as_array().expect("has stages");
    stages.iter().find(|stage| stage["id"] == id).expect("has the stage")
}

fn example(name: &str) -> String {
    format!("{}/../../pipelines/{name}", env!("CARGO_MANIFEST_DIR"))
}

// D20, D22, P15: published under a name, run by it, followed to its end; what it put out can be fetched.
#[test]
fn d20_a_published_pipeline_runs_to_its_end() {
    let shop = Shop::open();
    let published = shop.home.ask(&["pipelines", "publish", "two", &shop.file("two.yaml", TWO)]);
    assert_eq!((&published["name"], &published["number"]), (&json!("two"), &json!(1)));

    let following = shop.follow(&["two", "--input", "word=Saluton"]);
    let run = Shop::run_of(&following);
    let ended = following.ended();
    assert_eq!(ended.code(), Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let told: Vec<&str> =
        ["say: command task_", "say: succeeded", "keep: command task_", "keep: succeeded"].into();
    let places: Vec<Option<usize>> = told.iter().map(|words| ended.stdout.find(words)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{}", ended.stdout);
    assert_eq!(ended.stdout.lines().last(), Some(format!("{run}  succeeded").as_str()));

    let shown = shop.show(&run);
    assert_eq!((&shown["state"], &shown["number"]), (&json!("succeeded"), &json!(1)), "{shown}");
    assert_eq!(shown["progress"]["ended"], 2);
    for id in ["say", "keep"] {
        assert_eq!(
            (&stage(&shown, id)["state"], &stage(&shown, id)["attempt"]),
            (&json!("succeeded"), &json!(1))
        );
    }
    assert_eq!(shop.fetched(&run, "say.said"), "Saluton\n");
    assert_eq!(shop.fetched(&run, "keep.kept"), "Saluton\n7 letters\n");
}

// D22, P15: a run that fails says so with its exit code, and why.
#[test]
fn d22_who_follows_a_run_that_fails_is_told() {
    let shop = Shop::open();
    let text = "stages:\n  - {id: a, uses: command, with: {argv: [sh, -c, 'exit 3']}}\n\
                \x20 - {id: b, uses: command, needs: a, with: {argv: [sh, -c, 'exit 0']}}\n";
    let following = shop.follow(&[&shop.file("fails.yaml", text)]);
    let run = Shop::run_of(&following);
    let ended = following.ended();
    assert_eq!(ended.code(), Some(1), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("b: skipped, because a did not succeed"), "{}", ended.stdout);
    assert!(ended.stderr.contains(&run) && ended.stderr.contains("failed"), "{}", ended.stderr);
    assert_eq!(shop.show(&run)["state"], "failed");
}

// D20, D22, D24: the example as its first lines say it: drafted, sent back with a better draft, approved with another title.
#[test]
fn d24_release_notes_are_sent_back_corrected_and_written() {
    let shop = Shop::open();
    let following = shop.follow(&[&example("release-notes.yaml"), "--input", "tag=v1"]);
    let run = Shop::run_of(&following);
    following.line("word of the gate", |line| line.contains("waits for a decision: tiltyard approve gate_"));

    let gate = shop.gate(&run, 1);
    let patch = shop.file("more.json", MORE);
    let rejected = shop.decide(&["reject", &run, "--reason", "one is missing", "--patch", &patch], &gate);
    assert_eq!(rejected.code(), Some(0), "{}\n{}", rejected.stdout, rejected.stderr);
    following
        .line("draft once more", |line| line.contains("draft: command task_") && line.contains("attempt 2"));

    let again = shop.gate(&run, 2);
    assert_ne!((&again["id"], &again["subject_sha256"]), (&gate["id"], &gate["subject_sha256"]));
    let title = shop.file("title.json", TITLE);
    let approved = shop.decide(&["approve", &run, "--patch", &title], &again);
    assert_eq!(approved.code(), Some(0), "{}\n{}", approved.stdout, approved.stderr);
    let ended = following.ended();
    assert_eq!(ended.code(), Some(0), "{}\n{}", ended.stdout, ended.stderr);

    let release = "# The first release\n\n- First release\n- It says hello\n";
    assert_eq!(shop.fetched(&run, "write.release"), release);
    let shown = shop.show(&run);
    assert_eq!(shown["state"], "succeeded");
    for (id, attempt) in [("draft", 2), ("review", 2), ("write", 1)] {
        assert_eq!(stage(&shown, id)["attempt"], attempt, "{id}: {shown}");
    }
    let decided = shop.home.ask(&["gates", "show", gate["id"].as_str().expect("is text")]);
    assert_eq!((&decided["state"], decided["votes"].as_array().map(Vec::len)), (&json!("rejected"), Some(1)));
}
