use crate::body::{Body, NOW, each};
use tiltyard_model::gate::quorum::Voter;
use tiltyard_model::gate::{
    Block, Ended, Gate, OnTimeout, Reduction, SelfApproval, Side, State, SubjectKind, Vote,
};
use tiltyard_model::id::Noun;
use tiltyard_model::role::Role;
use tiltyard_store::gate::{
    About, Filter, Found, count, due, get, insert, keep_vote, of_change, page, update,
};
use tiltyard_store::task::list::Window;

const TOP: Window = Window { below: i64::MAX, offset: 0, limit: 10 };

fn gate(body: &Body, n: u16, scope: &str, expires_ms: Option<i64>) -> Found {
    let id = body.id(Noun::Gate, n);
    let gate = Gate {
        id,
        state: State::Open,
        subject_sha256: "dd".to_owned(),
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
    let about = About {
        kind: SubjectKind::Diff,
        title: "fix it".to_owned(),
        reasons: vec!["tier 3: sensitive".to_owned()],
        reduced: false,
    };
    Found {
        gate,
        key: id.key(),
        scope: body.scope(scope),
        scope_name: scope.to_owned(),
        change: Some(body.id(Noun::Change, 1)),
        about,
        opened_at: NOW,
    }
}

fn vote(identity: &str, side: Side) -> Vote {
    let voter =
        Voter { identity: identity.to_owned(), role: Role::Operator, groups: vec!["security".into()] };
    Vote { voter, side, at_ms: NOW + 1, comment: Some("so be it".to_owned()), confirmed: false }
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
        }
        found.gate.state = State::Rejected;
        found.gate.ended =
            Some(Ended { by: Some("ann".to_owned()), at_ms: NOW + 1, next_subject_sha256: None });
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
                found.gate.ended = Some(Ended { by: None, at_ms: NOW, next_subject_sha256: None });
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
