//! `tiltyard doctor`

use crate::fake::Fake;
use crate::golden::Run;
use serde_json::{Value, json};

fn doctor(run: &Run) -> Vec<(String, String, Option<String>)> {
    let document: Value = serde_json::from_str(&run.stdout).expect("is JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let checks = document["checks"].as_array().expect("is a list").iter();
    checks
        .map(|check| {
            (
                text(&check["check"]).unwrap_or_default(),
                text(&check["verdict"]).unwrap_or_default(),
                text(&check["mend"]),
            )
        })
        .collect()
}

fn server() -> Fake {
    let scope = json!({"name": "default", "description": "", "created_at": "2026-11-20T07:14:00Z"});
    let scopes = json!({"items": [scope], "next_cursor": null, "total": 1});
    let health = json!({"status": "degraded", "components": {
        "store": {"status": "ok"}, "agents": {"status": "degraded", "reason": "none is connected"}}});
    let info = json!({"name": "tiltyard", "version": "0.0.9", "commit": "c", "started_at": "2026-11-20T07:14:00Z",
        "api": "/api/v1", "protocol": 1, "no_auth": false});
    Fake::start().on("GET /health", 200, &health).on("GET /scopes", 200, &scopes).on(
        "GET /system/info",
        200,
        &info,
    )
}

// O23: doctor runs the checks of /health from outside plus those of the environment, and says what mends.
#[test]
fn o23_a_healthy_machine_and_server() {
    let run = Run::with_path(&server(), &["doctor", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let found = doctor(&run);
    let verdicts: Vec<_> =
        found.iter().map(|(check, verdict, _)| (check.as_str(), verdict.as_str())).collect();
    assert_eq!(
        verdicts,
        [
            ("git", "ok"),
            ("clock", "ok"),
            ("settings", "ok"),
            ("data", "ok"),
            ("disk", "ok"),
            ("server", "ok"),
            ("token", "ok"),
            ("version", "warn"),
            ("health agents", "warn"),
            ("health store", "ok"),
        ]
    );
}

#[test]
fn o23_what_fails_is_told_with_the_command_that_mends_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let arguments = ["doctor", "--server", "http://127.0.0.1:9", "--listen", &address];
    let run = Run::new(&arguments);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let after = |start: &str| {
        let place = lines.iter().position(|line| line.starts_with(start)).expect(start);
        lines[place + 1].trim()
    };
    // There is no git in the empty environment of the test.
    assert_eq!(after("fail  git "), "install git from https://git-scm.com/downloads");
    // O23: a server that was named and does not answer is a failure, which a script can tell.
    assert_eq!(after("fail  server "), "tiltyard up");
    assert_eq!(after("fail  port "), "tiltyard up --listen 127.0.0.1:0");

    let copied = Run::new(&[&arguments[..], &["--copy", "server"]].concat());
    assert_eq!(copied.done(), "\u{1b}]52;c;dGlsdHlhcmQgdXA=\u{7}tiltyard up\n");
}

#[test]
fn o23_a_bad_token_and_bad_settings_fail() {
    let fake = server().refuse("GET /nothing", 401, "unauthenticated", "no");
    let bad = Fake::start().on("GET /health", 200, &json!({"status": "ok", "components": {}})).refuse(
        "GET /scopes",
        401,
        "unauthenticated",
        "a token is needed",
    );
    let found = doctor(&Run::with_path(&bad, &["doctor", "--json"]));
    assert!(
        found.iter().any(|(check, verdict, mend)| check == "token" && verdict == "fail" && mend.is_some())
    );
    let run = Run::with_path(&fake, &["doctor", "--json", "--set", "lisen=1"]);
    assert_eq!(run.code, 1);
    assert!(doctor(&run).iter().any(|(check, verdict, _)| check == "settings" && verdict == "fail"));
}
