// API3, SEC4: what a search looks at, the same on every database.

use crate::body::{NOW, each};
use tiltyard_model::id::Noun;
use tiltyard_model::run::State as RunState;
use tiltyard_model::search::Kind;
use tiltyard_model::task::{Spec, State};
use tiltyard_store::search::{names, things};
use tiltyard_store::task::{Insert, insert};
use tiltyard_store::{name, template};

// API3: what a search looks at is bounded, and the same on every database: names in their order, the newest of each kind below a key.
#[test]
fn a_search_looks_at_a_bounded_part() {
    each(|body| {
        let scope = body.scope("s");
        let kept = template::Kept {
            template: tiltyard_model::template::Template {
                scope: "s".into(),
                name: "docs".into(),
                description: "Ünder".into(),
                task: Default::default(),
            },
            updated_at: NOW,
        };
        let (queue, actor) = body.write(|tx| {
            template::put(tx, scope, &kept)?;
            Ok((name::put_queue(tx, scope, "q", &Default::default())?, name::put_actor(tx, "ada")?))
        });
        let keys: Vec<i64> = (1..=3).map(|n| body.id(Noun::Task, n).key()).collect();
        for key in &keys {
            let spec = spec(&format!("title {key}"));
            let new = Insert {
                key: *key,
                scope,
                queue,
                lane: 1,
                state: State::Ready,
                spec: &spec,
                created_by: actor,
                ready_at: Some(NOW),
                waits_for: 0,
                run: None,
            };
            body.write(|tx| insert(tx, &new));
        }
        let all = names(body.rows(), 0, 10).unwrap();
        let told = |seen: &tiltyard_store::search::Seen| (seen.kind, seen.title.clone(), seen.more.clone());
        let all: Vec<_> = all.iter().filter(|seen| seen.scope.as_deref() == Some("s")).map(told).collect();
        assert_eq!(
            all,
            [
                (Kind::Scope, "s".into(), String::new()),
                (Kind::Queue, "q".into(), String::new()),
                (Kind::Template, "docs".into(), "Ünder".into())
            ]
        );
        assert_eq!(names(body.rows(), 1, 1).unwrap(), names(body.rows(), 0, 10).unwrap()[1..2]);
        let found = things(body.rows(), keys[2], 1).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].kind, found[0].key, found[0].state.as_deref()),
            (Kind::Task, keys[1], Some("ready"))
        );
        assert_eq!((found[0].queue.as_deref(), found[0].more.as_str()), (Some("q"), "command"));
        assert_eq!(things(body.rows(), i64::MAX, 10).unwrap().len(), 3);
        let run = crate::run::put(body, 9, RunState::Waiting, &[], |made| {
            made.pipeline = Some("nightly".into());
            made.title = Some("the third night".into());
        });
        let all = things(body.rows(), i64::MAX, 10).unwrap();
        let found: Vec<_> = all.iter().filter(|seen| seen.kind == Kind::Run).collect();
        assert_eq!((found.len(), found[0].key, found[0].state.as_deref()), (1, run, Some("waiting")));
        assert_eq!((found[0].title.as_str(), found[0].more.trim()), ("the third night", "nightly"));
    });
}

fn spec(title: &str) -> Spec {
    Spec {
        scope: "s".into(),
        queue: "q".into(),
        kind: "command".into(),
        title: title.into(),
        payload: "{}".into(),
        priority: 5,
        extras: Default::default(),
        depends_on: Vec::new(),
        run_at: None,
        deadline: None,
        timeout_ms: 1_000,
        max_attempts: 3,
        unique: None,
    }
}
