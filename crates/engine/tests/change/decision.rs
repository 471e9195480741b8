//! What people decide about changes.

use crate::yard::{Yard, decision, green, green_of, landed, oid, operator, person, sha256};
use tiltyard_engine::change::send_back::{SendBack, send_back};
use tiltyard_model::change::comment::Comment;
use tiltyard_model::change::work::{CheckResult, Feedback, Start};
use tiltyard_model::change::{State, Tier};
use tiltyard_model::gate::{Side, State as GateState};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Role;
use tiltyard_model::task::State as TaskState;
use tiltyard_store::change::Found;

fn comment(path: Option<&str>, line: Option<u32>) -> Comment {
    Comment { path: path.map(str::to_owned), line, text: "say why".to_owned() }
}

impl Yard {
    async fn back(
        &self,
        who: &str,
        change: Id,
        subject: &str,
        comments: Vec<Comment>,
    ) -> Result<Found, Refusal> {
        let back = SendBack { change, subject_sha256: Some(subject.to_owned()), comments };
        self.act_as(&operator(who), move |act| send_back(act, &back).map(|(found, _)| found)).await
    }

    /// A change of tier 3 before people.
    async fn sensitive(&self, title: &str) -> Id {
        self.idea(title).await;
        let (_, change) = self.propose(title).await;
        self.check(|asked| green(asked, &["deploy/auth.rs"])).await;
        let change = self.change(change.change.id).await.change;
        assert_eq!((change.state, change.tier), (State::Review, Some(Tier::Sensitive)));
        change.id
    }
}

// C32, C18: a person sends back what does not fit its base: the attempt begins on the newest base, with the conflicts
// marked, and not on the head that is known not to fit.
#[tokio::test]
async fn c32_a_conflict_that_is_sent_back_is_resolved_on_the_newest_base() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let id = change.change.id;
    let conflict = || CheckResult::Conflict { base: oid("newer"), files: vec!["a.rs".into()] };
    yard.check(|_| conflict()).await;
    yard.propose("one").await;
    yard.check(|_| conflict()).await;
    assert_eq!(yard.state(id).await, State::Conflicted);
    yard.back("zoe", id, &sha256("one"), vec![comment(None, None)]).await.expect("goes back");
    let (payload, _) = yard.propose("one").await;
    assert!(matches!(payload.given.start, Start::Resolve(_)), "{:?}", payload.given.start);
    assert!(matches!(payload.given.feedback.last(), Some(Feedback::Comments { .. })));
    assert!(yard.change(id).await.change.record.conflicts.is_empty(), "what is proposed now may fit");
}

// C23, D24: a decision names what was seen; through the gate and through the change it is the same deed.
#[tokio::test]
async fn d24_an_approval_names_what_was_seen_and_merges_the_change() {
    let yard = Yard::new().await;
    let change = yard.in_review("one").await.change;
    let (id, gate) = (change.id, change.gate.expect("has a gate"));
    let unseen =
        tiltyard_engine::gate::decide::Decide { subject_sha256: None, ..decision(id, Side::Approve, "") };
    let refusal = yard.decide_as(&operator("zoe"), unseen).await.expect_err("is refused");
    assert_eq!(refusal.code, Code::SubjectRequired);
    let other = yard.decide_as(&operator("zoe"), decision(id, Side::Approve, &sha256("other"))).await;
    let other = other.expect_err("is refused");
    assert_eq!((other.code, &other.extra["subject_sha256"]), (Code::SubjectChanged, &sha256("one").into()));
    assert_eq!(yard.state(id).await, State::Review, "nothing was counted");
    let decided =
        yard.decide(&operator("zoe"), gate, Side::Approve, &sha256("one")).await.expect("is counted");
    assert_eq!(decided.gate.gate.state, GateState::Approved);
    assert_eq!(decided.change.expect("has one").change.state, State::Queued);
    let again = yard.decide(&operator("zoe"), id, Side::Approve, &sha256("one")).await.expect("is replayed");
    assert!(again.replayed);
    assert_eq!(
        yard.decide(&operator("yan"), id, Side::Approve, &sha256("one")).await.err(),
        Some(Code::AlreadyDecided)
    );
    yard.merge(landed).await;
    assert_eq!(yard.state(id).await, State::Merged);
    let story = yard.story().await;
    let told =
        ["gate.opened", "change.review", "gate.approved", "change.queued", "change.merging", "change.merged"];
    assert_eq!(story[2..], told);
}

// C18: rejected: the task is cancelled, and so is what depends on it.
#[tokio::test]
async fn c18_a_reject_cancels_the_task() {
    let yard = Yard::new().await;
    let change = yard.in_review("one").await.change;
    let silent = tiltyard_engine::gate::decide::Decide {
        comment: Some(" ".into()),
        ..decision(change.id, Side::Reject, &sha256("one"))
    };
    let refusal = yard.decide_as(&operator("zoe"), silent).await.expect_err("is refused");
    assert_eq!((refusal.code, refusal.faults[0].field.as_str()), (Code::Invalid, "/reason"));
    yard.decide(&operator("zoe"), change.id, Side::Reject, &sha256("one")).await.expect("is counted");
    let found = yard.change(change.id).await.change;
    assert_eq!((found.state, found.record.reason.as_deref()), (State::Rejected, Some("not like this")));
    let task = yard.rig.get(change.task).await.task;
    assert_eq!((task.state, task.reason.as_deref()), (TaskState::Cancelled, Some("rejected")));
    assert_eq!(yard.story().await[4..], ["gate.rejected", "change.rejected"]);
    assert_eq!(yard.rig.acts_of("default").await[2..], ["gate.rejected"]);
}

// C23, C18: sent back with comments on lines: the gate ends as superseded, the task is ready with them, attempts fresh,
// and a late decision hears of the new subject (D26).
#[tokio::test]
async fn c18_sent_back_it_is_done_again_and_an_old_decision_does_not_hold() {
    let yard = Yard::new().await;
    let change = yard.in_review("one").await.change;
    let (id, old) = (change.id, change.gate.expect("has a gate"));
    let bad = yard.back("zoe", id, &sha256("one"), vec![comment(Some("other.rs"), Some(1))]).await;
    assert_eq!(bad.expect_err("is refused").faults[0].field, "/comments/0/path");
    let none = yard.back("zoe", id, &sha256("one"), Vec::new()).await;
    assert_eq!(none.expect_err("is refused").faults[0].field, "/comments");
    let unseen = yard.back("zoe", id, &sha256("x"), vec![comment(None, None)]).await;
    assert_eq!(unseen.expect_err("is refused").code, Code::SubjectChanged);
    let back = yard.back("zoe", id, &sha256("one"), vec![comment(Some("src/main.rs"), Some(3))]).await;
    assert_eq!(back.expect("goes back").change.state, State::Open);
    let task = yard.rig.get(change.task).await.task;
    assert_eq!((task.state, task.used), (TaskState::Ready, 0));
    let late = yard.back("zoe", id, &sha256("one"), vec![comment(None, None)]).await;
    assert_eq!(late.expect_err("is refused").code, Code::AlreadyDecided);
    let (payload, _) = yard.propose("one, better").await;
    assert!(matches!(payload.given.start, Start::Earlier(_)));
    let Some(Feedback::Comments { by, comments, .. }) = payload.given.feedback.last() else { panic!() };
    assert_eq!((by.as_str(), comments[0].line), ("zoe", Some(3)));
    yard.check(|asked| green_of(asked, &["src/main.rs"], "one, better")).await;
    let found = yard.change(id).await.change;
    assert_eq!(found.state, State::Review);
    assert_ne!(found.gate, Some(old), "D26: an approval of one attempt never authorises another");
    for on in [old, id] {
        let late = yard.decide_as(&operator("yan"), decision(on, Side::Approve, &sha256("one"))).await;
        let late = late.expect_err("is refused");
        assert_eq!(late.code, Code::SubjectChanged);
        assert_eq!(late.extra["subject_sha256"], sha256("one, better").as_str());
    }
    assert!(yard.approve("yan", id).await.is_ok());
    let acts = yard.rig.acts_of("default").await;
    assert_eq!(acts[2..], ["change.sent_back", "gate.approved"]);
}

// C22, D26: tier 3 asks two, none of them who submitted it.
#[tokio::test]
async fn d26_a_sensitive_change_asks_two_others() {
    let yard = Yard::new().await;
    yard.people(&["sam", "zoe", "yan"]).await;
    let id = yard.sensitive("one").await;
    assert_eq!(yard.approve("sam", id).await.err(), Some(Code::SelfApproval));
    let first = yard.approve("zoe", id).await.expect("is counted");
    assert_eq!((first.gate.gate.state, first.waits.demands[0].count), (GateState::Open, 1));
    assert_eq!(
        yard.decide(&operator("zoe"), id, Side::Reject, &sha256("one")).await.err(),
        Some(Code::AlreadyVoted)
    );
    let second = yard.approve("yan", id).await.expect("is counted");
    assert_eq!(second.gate.gate.state, GateState::Approved);
    assert_eq!(yard.state(id).await, State::Queued);
    let gates: Vec<_> = yard.story().await.into_iter().filter(|word| word.starts_with("gate")).collect();
    assert_eq!(gates, ["gate.opened", "gate.voted", "gate.approved"]);
}

// D26: where the scope has one human only, tier 3 asks them twice, the second time with the id typed.
#[tokio::test]
async fn d26_a_lone_person_is_asked_twice_and_the_record_says_so() {
    let yard = Yard::new().await;
    yard.people(&["sam"]).await;
    let id = yard.sensitive("one").await;
    let first = yard.approve("sam", id).await.expect("is counted");
    assert!(first.waits.confirm.is_some());
    let confirm = |typed: &str| tiltyard_engine::gate::decide::Decide {
        confirm: Some(typed.to_owned()),
        ..decision(id, Side::Approve, &sha256("one"))
    };
    let wrong = yard.decide_as(&operator("sam"), confirm("yes")).await.expect_err("is refused");
    assert_eq!(wrong.code, Code::ConfirmRequired);
    let second = yard.decide_as(&operator("sam"), confirm(&id.to_string())).await.expect("is counted");
    assert_eq!((second.gate.gate.state, second.gate.about.reduced), (GateState::Approved, true));
    let entry = yard.rig.chain("default").await.pop().expect("has entries");
    assert_eq!((entry.action.as_str(), entry.detail["quorum"].as_str()), ("gate.approved", Some("reduced")));
}

// SEC4: ids of another scope are not there; SEC3: whom the gate does not name decides nothing.
#[tokio::test]
async fn sec4_a_change_of_another_scope_is_not_there() {
    let yard = Yard::new().await;
    let change = yard.in_review("one").await.change;
    let stranger = person("eve", Role::Operator, &["other"]);
    for on in [change.id, change.gate.expect("has a gate")] {
        assert_eq!(
            yard.decide(&stranger, on, Side::Approve, &sha256("one")).await.err(),
            Some(Code::NotFound)
        );
    }
    let (id, caller) = (change.id, stranger.clone());
    let seen = yard.rig.read(move |rows| tiltyard_engine::change::read::whole(rows, &caller, id)).await;
    assert_eq!(seen.expect_err("is refused").code, Code::NotFound);
    let listed = yard.rig.read(move |rows| {
        let window = tiltyard_store::task::list::Window { below: i64::MAX, offset: 0, limit: 50 };
        let named =
            tiltyard_store::change::Filter { scopes: Some(vec!["default".into()]), ..Default::default() };
        tiltyard_engine::change::read::page(rows, &stranger, &named, window)
    });
    assert_eq!(listed.await.expect("reads").total, 0);
    let viewer = person("vera", Role::Viewer, &["*"]);
    assert_eq!(
        yard.decide(&viewer, change.id, Side::Approve, &sha256("one")).await.err(),
        Some(Code::NotADecider)
    );
}

// D24: a refused decision leaves nothing behind; the refused call is put on record by the edge.
#[tokio::test]
async fn d24_a_refused_decision_leaves_nothing() {
    let yard = Yard::new().await;
    let change = yard.in_review("one").await.change;
    let before = yard.rig.acts_of("default").await.len();
    yard.decide(&operator("zoe"), change.id, Side::Approve, &sha256("x")).await.expect_err("is refused");
    assert_eq!(yard.rig.acts_of("default").await.len(), before);
}

// A decision while nobody is asked changes nothing and says where the change stands.
#[tokio::test]
async fn a_decision_while_nobody_is_asked_is_refused_with_the_state() {
    let yard = Yard::new().await;
    yard.idea("one").await;
    let (_, change) = yard.propose("one").await;
    let refusal =
        yard.decide_as(&operator("zoe"), decision(change.change.id, Side::Approve, &sha256("one"))).await;
    let refusal = refusal.expect_err("is refused");
    assert_eq!((refusal.code, &refusal.extra["state"]), (Code::WrongState, &"checking".into()));
}
