use crate::body::{Body, NOW, each};
use serde_json::json;
use tiltyard_model::gate::back::Back;
use tiltyard_model::gate::calendar::{Calendar, Told};
use tiltyard_model::gate::quorum::{Voter, Who};
use tiltyard_model::gate::reuse::Origin;
use tiltyard_model::gate::{
    Block, Ended, Gate, OnTimeout, Reduction, SelfApproval, Side, State, SubjectKind, Vote,
};
use tiltyard_model::id::Noun;
use tiltyard_model::role::Role;
use tiltyard_model::run::{Item, Part};
use tiltyard_store::gate::{
    About, Document, Filter, Found, Place, count, due, get, insert, keep_vote, of_change, page, past,
    tell_due, update, void_votes, voided,
};
use tiltyard_store::task::list::Window;

const TOP: Window = Window { below: i64::MAX, offset: 0, limit: 10 };

pub(crate) fn gate(body: &Body, n: u16, scope: &str, expires_ms: Option<i64>) -> Found {
    let id = body.id(Noun::Gate, n);
    let gate = Gate {
        id,
        state: State::Open,
        subject_sha256: "dd".to_owned(),
        earlier_sha256: Vec::new(),
        quorum: "2 of role:operator and 1 of group:security".parse().expect("is a quorum"),
        self_approval: SelfApproval::Forbidden,
        reduction: Reduction::WhenAlone,
        submitter: Some("sam".to_owned()),
        confirm_with: vec![id.to_string()],
        block: Some(Block::ChecksFailed),
        expires_ms,
        on_timeout: OnTimeout::Reject,
        votes: Vec::new(),
        ended: None,
    };
    let reasons = vec!["tier 3: sensitive".to_owned()];
    let about = About { reasons, ..About::of(SubjectKind::Diff, "fix it") };
    Found {
        gate,
        key: id.key(),
        scope: body.scope(scope),
        scope_name: scope.to_owned(),
        change: Some(body.id(Noun::Change, 1)),
        run: None,
        about,
        opened_at: NOW,
        calendar: Calendar::silent(NOW, expires_ms),
        told: Told::default(),
        weight: 0,
        cast: 0,
    }
}

/// A gate of a run that asks about an artifact, with all that there can be.
pub(crate) fn of_run(body: &Body, n: u16, (run, stage, attempt): (u16, u32, u32)) -> Found {
    let mut found = gate(body, n, "default", Some(NOW + 1_000));
    let artifact = body.id(Noun::Artifact, n);
    found.change = None;
    found.run = Some(Place {
        run: body.id(Noun::Run, run),
        part: Part { stage, attempt, item: None },
        artifact: Some(artifact),
        origin: Some(Origin { artifact }),
    });
    found.about.kind = SubjectKind::Artifact;
    found.about.stage = Some("approve_plan".to_owned());
    found.about.document = Some(Document {
        media_type: "application/json".to_owned(),
        bytes: 12,
        name: Some("plan.json".into()),
    });
    found.calendar = Calendar {
        remind_after_ms: vec![100, 300],
        escalate: Some((200, vec![Who::Group("security".to_owned())])),
        ..Calendar::silent(NOW, Some(NOW + 1_000))
    };
    found
}

fn vote(identity: &str, side: Side) -> Vote {
    let voter =
        Voter { identity: identity.to_owned(), role: Role::Operator, groups: vec!["security".into()] };
    let comment = Some("so be it".to_owned());
    Vote { voter, side, at_ms: NOW + 1, comment, confirmed: false, patch: None }
}

#[test]
fn d23_a_gate_is_kept_whole_with_its_votes_in_order() {
    each(|body| {
        let mut found = gate(body, 1, "default", None);
        body.write(|tx| insert(tx, &found));
        assert_eq!(get(body.rows(), found.gate.id).unwrap().as_ref(), Some(&found));
        found.gate.votes = vec![vote("zoe", Side::Approve), vote("ann", Side::Reject)];
        for (seq, vote) in (1..).zip(&found.gate.votes) {
            body.write(|tx| keep_vote(tx, found.key, seq, vote));
            found.cast = seq;
        }
        found.gate.state = State::Rejected;
        found.gate.ended = Some(Ended::by(Some("ann".to_owned()), NOW + 1));
        found.about.reduced = true;
        body.write(|tx| update(tx, &found));
        assert_eq!(get(body.rows(), found.gate.id).unwrap(), Some(found));
    });
}

#[test]
fn gates_are_listed_newest_first_and_counted() {
    each(|body| {
        for (n, scope) in [(1, "one"), (2, "two"), (3, "one")] {
            let mut found = gate(body, n, scope, None);
            if n == 3 {
                found.gate.state = State::Approved;
                found.gate.ended = Some(Ended::by(None, NOW));
            }
            body.write(|tx| insert(tx, &found));
        }
        let list = |filter: &Filter, window: Window| {
            let found = page(body.rows(), filter, window).unwrap();
            found.into_iter().map(|one| one.key - body.id(Noun::Gate, 0).key()).collect::<Vec<_>>()
        };
        let all = Filter::default();
        let open = Filter { state: Some(State::Open), ..all.clone() };
        assert_eq!(list(&all, TOP), [3, 2, 1]);
        assert_eq!(list(&open, TOP), [2, 1]);
        assert_eq!(list(&open, Window { below: body.id(Noun::Gate, 2).key(), ..TOP }), [1]);
        let one = Filter { scopes: Some(vec!["one".to_owned()]), ..all.clone() };
        assert_eq!((list(&one, TOP), count(body.rows(), &one, 10).unwrap()), (vec![3, 1], 2));
        assert_eq!(count(body.rows(), &open, 10).unwrap(), 2);
        let of_change = of_change(body.rows(), body.id(Noun::Change, 1).key(), 2).unwrap();
        assert_eq!(of_change.len(), 2);
        assert_eq!(of_change[0].gate.id, body.id(Noun::Gate, 3));
    });
}

#[test]
fn d23_open_gates_come_when_their_time_is_over() {
    each(|body| {
        for (n, expires) in
            [(1, Some(NOW + 20)), (2, Some(NOW + 10)), (3, None), (4, Some(NOW)), (5, Some(NOW))]
        {
            let mut found = gate(body, n, "default", expires);
            // What a clock may not decide does not come, whatever its time.
            match n {
                4 => found.gate.on_timeout = OnTimeout::Nothing,
                5 => found.gate.on_timeout = OnTimeout::Approve,
                _ => {}
            }
            body.write(|tx| insert(tx, &found));
            assert_eq!(get(body.rows(), found.gate.id).unwrap(), Some(found));
        }
        assert_eq!(due(body.rows(), NOW + 9, 10).unwrap(), []);
        let (first, second) = (body.id(Noun::Gate, 2), body.id(Noun::Gate, 1));
        assert_eq!(due(body.rows(), NOW + 20, 10).unwrap(), [first, second]);
        assert_eq!(due(body.rows(), NOW + 20, 1).unwrap(), [first]);
    });
}

// D23, D24: a patch makes a new subject and voids the votes before it; they stay for the record.
#[test]
fn d24_a_patched_gate_of_a_run_is_kept_whole() {
    each(|body| {
        let mut found = of_run(body, 1, (1, 2, 3));
        body.write(|tx| insert(tx, &found));
        assert_eq!(get(body.rows(), found.gate.id).unwrap().as_ref(), Some(&found));
        let first = vote("ann", Side::Approve);
        body.write(|tx| keep_vote(tx, found.key, 1, &first));
        let patch = Some(json!([{"op": "remove", "path": "/a"}]));
        let second = Vote { patch, ..vote("bob", Side::Approve) };
        body.write(|tx| void_votes(tx, found.key, 2).and_then(|()| keep_vote(tx, found.key, 2, &second)));
        found.gate.votes = vec![second];
        found.cast = 2;
        found.gate.earlier_sha256.push(std::mem::replace(&mut found.gate.subject_sha256, "ee".to_owned()));
        let newer = body.id(Noun::Artifact, 9);
        found.run.as_mut().unwrap().artifact = Some(newer);
        body.write(|tx| update(tx, &found));
        assert_eq!(get(body.rows(), found.gate.id).unwrap().as_ref(), Some(&found));
        assert_eq!(voided(body.rows(), found.key).unwrap(), [first]);
        let back = Some(Back { to_stage: Some("plan".to_owned()), artifact: Some(newer) });
        found.gate.state = State::Rejected;
        found.gate.ended = Some(Ended { back, ..Ended::by(Some("zoe".to_owned()), NOW + 9) });
        body.write(|tx| update(tx, &found));
        assert_eq!(get(body.rows(), found.gate.id).unwrap(), Some(found));
    });
}

// D23: people are told at stated times, and not of what has ended.
#[test]
fn d23_gates_come_when_people_are_to_be_told() {
    each(|body| {
        let mut found = of_run(body, 1, (1, 0, 1));
        let silent = gate(body, 2, "default", Some(NOW + 1));
        body.write(|tx| insert(tx, &found).and_then(|()| insert(tx, &silent)));
        assert_eq!(tell_due(body.rows(), NOW + 99, 10).unwrap(), []);
        assert_eq!(tell_due(body.rows(), NOW + 100, 10).unwrap(), [found.gate.id]);
        found.told = Told { reminders: 1, escalated: false };
        body.write(|tx| update(tx, &found));
        assert_eq!(tell_due(body.rows(), NOW + 199, 10).unwrap(), []);
        assert_eq!(tell_due(body.rows(), NOW + 200, 10).unwrap(), [found.gate.id]);
        found.gate.state = State::Approved;
        found.gate.ended = Some(Ended::by(None, NOW + 150));
        body.write(|tx| update(tx, &found));
        assert_eq!(tell_due(body.rows(), NOW + 900, 10).unwrap(), []);
    });
}

// D22: the last decision at a stage is the one that may count again: not one of an item, and none that was cut off.
#[test]
fn d22_the_last_decision_at_a_stage_is_found() {
    each(|body| {
        let end = |mut found: Found, state: State| {
            found.gate.state = state;
            found.gate.ended = Some(Ended::by(None, NOW));
            found
        };
        let mut item = of_run(body, 5, (1, 2, 4));
        item.run.as_mut().unwrap().part.item = Some(Item { index: 3, attempt: 2 });
        let all = [
            end(of_run(body, 1, (1, 2, 1)), State::Approved),
            end(of_run(body, 2, (1, 2, 2)), State::Rejected),
            end(of_run(body, 3, (1, 2, 3)), State::Superseded),
            of_run(body, 4, (1, 2, 4)),
            end(item, State::Approved),
            end(of_run(body, 6, (1, 1, 9)), State::Approved),
        ];
        for found in &all {
            body.write(|tx| insert(tx, found));
            assert_eq!(get(body.rows(), found.gate.id).unwrap().as_ref(), Some(found));
        }
        let run = body.id(Noun::Run, 1);
        assert_eq!(past(body.rows(), run, 2).unwrap().as_ref(), Some(&all[1]));
        assert_eq!(past(body.rows(), run, 7).unwrap(), None);
        let of_run = Filter { run: Some(run), ..Filter::default() };
        let open = Filter { state: Some(State::Open), ..of_run.clone() };
        assert_eq!(page(body.rows(), &of_run, TOP).unwrap().len(), 6);
        assert_eq!(page(body.rows(), &open, TOP).unwrap(), [all[3].clone()]);
        assert_eq!((count(body.rows(), &of_run, 9).unwrap(), count(body.rows(), &open, 9).unwrap()), (6, 1));
        let other = Filter { run: Some(body.id(Noun::Run, 2)), ..Filter::default() };
        assert_eq!(
            (page(body.rows(), &other, TOP).unwrap().len(), count(body.rows(), &other, 9).unwrap()),
            (0, 0)
        );
    });
}
