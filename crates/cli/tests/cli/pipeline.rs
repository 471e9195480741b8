//! Pipelines from the command line: published, listed, shown, deleted.

use crate::fake::Fake;
use crate::golden::{Run, assert_golden};
use crate::sample::{page, pipeline};
use serde_json::json;

const BAD: &str =
    "stages:\n  - {id: a, uses: command, with: {argv: [ls]}, needs: b}\n  - {id: a, uses: gate}\n";

/// What a server says of a definition with mistakes.
fn invalid() -> serde_json::Value {
    json!({
        "type": "/docs/problem/pipeline_invalid", "title": "T", "status": 422, "detail": "the definition has 2 mistakes",
        "error": "the definition has 2 mistakes", "code": "pipeline_invalid", "request_id": "r-1",
        "details": [
            {"field": "/stages/0/needs", "error": "there is no stage `b`", "line": 2, "column": 56},
            {"field": "/stages/1/with", "error": "is missing", "line": 3, "column": 5},
        ],
    })
}

// D20, O3: pipelines are published, listed, shown and deleted.
#[test]
fn d20_pipelines_are_published_listed_shown_and_deleted() {
    let fake = Fake::start()
        .on("PUT /pipelines/notes", 201, &pipeline())
        .on("GET /pipelines", 200, &page(&[pipeline()]))
        .on("GET /pipelines/notes", 200, &pipeline())
        .on_raw("DELETE /pipelines/notes", 204, "text/plain", "");
    let publish =
        Run::with_input(&fake, &["pipelines", "publish", "notes", "-", "--scope", "default"], "stages: []\n");
    assert_eq!(publish.done(), "notes  number 3  9f86d081884c\n");
    assert_eq!(fake.asked()[0].line, "PUT /pipelines/notes?scope=default");
    assert_golden("pipelines.txt", &Run::against(&fake, &["pipelines"]).done());
    assert_golden("pipelines.txt", &Run::against(&fake, &["pipelines", "list"]).done());
    assert_golden(
        "pipeline.txt",
        &Run::against(&fake, &["pipelines", "show", "notes", "--number", "3"]).done(),
    );
    assert_eq!(fake.asked()[3].line, "GET /pipelines/notes?number=3");
    let deleted = Run::against(&fake, &["pipelines", "delete", "notes"]).done();
    assert_eq!(deleted, "notes is deleted; its runs go on\n");
    let shown = Run::against(&fake, &["pipelines", "show", "notes", "--json"]).json();
    assert_eq!(shown["number"], 3);
}

// D21: what a server finds in a file is told with the file's lines and columns, exit code 4.
#[test]
fn d21_mistakes_of_a_file_are_told_with_their_places() {
    let fake = Fake::start().on("PUT /pipelines/notes", 422, &invalid());
    let refused = Run::with_input(&fake, &["pipelines", "publish", "notes", "-"], BAD);
    assert_eq!(refused.code, 4);
    let told: Vec<&str> = refused.stderr.lines().collect();
    assert_eq!(told[0], "error: - has 2 mistakes");
    assert_eq!(told[1], "-:2:56: /stages/0/needs: there is no stage `b`");
    assert_eq!(told[2], "-:3:5: /stages/1/with: is missing [pipeline_invalid]");
}
