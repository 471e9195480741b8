//! Gates by themselves: their time.

use crate::rig::START;
use crate::yard::{Yard, operator, sha256};
use tiltyard_engine::act::Act;
use tiltyard_engine::gate::decide::{Decide, decide};
use tiltyard_engine::gate::expire::expire_due;
use tiltyard_engine::gate::{Of, Open, open, read};
use tiltyard_model::gate::calendar::Calendar;
use tiltyard_model::gate::{Block, OnTimeout, Reduction, SelfApproval, Side, State, SubjectKind};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::rules::Asks;
use tiltyard_model::run::Part;
use tiltyard_store::gate::{About, Filter, Place};
use tiltyard_store::task::list::Window;

fn question(act: &Act<'_>, on_timeout: OnTimeout, block: Option<Block>) -> Result<Open, Refusal> {
    let place = Place {
        run: act.id(Noun::Run, 1),
        part: Part { stage: 0, attempt: 1, item: None },
        artifact: None,
        origin: None,
    };
    Ok(Open {
        scope: act.scope_key("default")?,
        of: Of::Run(place),
        about: About::of(SubjectKind::Question, "go on?"),
        subject_sha256: sha256("go on?"),
        asks: Asks {
            quorum: "role:operator".parse().expect("is a quorum"),
            self_approval: SelfApproval::Allowed,
            reduction: Reduction::Never,
        },
        submitter: None,
        block,
        calendar: Calendar::silent(START, Some(START + 1_000)),
        on_timeout,
        weight: 0,
    })
}

impl Yard {
    async fn ask(&self, on_timeout: OnTimeout, block: Option<Block>) -> Id {
        let deed = move |act: &mut Act<'_>| {
            let asked = question(act, on_timeout, block)?;
            open(act, asked).map(|found| found.gate.id)
        };
        self.rig.act(deed).await.expect("opens")
    }

    async fn gate_state(&self, id: Id) -> State {
        let found = self.rig.read(move |rows| read::get(rows, &operator("ada"), id)).await;
        found.expect("is there").gate.state
    }
}

// D23: a time-out approves, rejects or does nothing; what cannot be approved is not approved by a clock either.
#[tokio::test]
async fn d23_a_gate_ends_with_its_time_as_it_was_told_to() {
    let yard = Yard::new().await;
    let yes = yard.ask(OnTimeout::Approve, None).await;
    let no = yard.ask(OnTimeout::Reject, None).await;
    let open = yard.ask(OnTimeout::Nothing, None).await;
    let blocked = yard.ask(OnTimeout::Approve, Some(Block::ChecksFailed)).await;
    yard.rig.clock.advance(999);
    assert_eq!(yard.rig.act(expire_due).await, Ok(0));
    yard.rig.clock.advance(1);
    assert_eq!(yard.rig.act(expire_due).await, Ok(2));
    assert_eq!(yard.rig.act(expire_due).await, Ok(0), "what it may not end does not come again");
    assert_eq!(yard.gate_state(yes).await, State::AutoApproved);
    assert_eq!(yard.gate_state(no).await, State::Expired);
    assert_eq!((yard.gate_state(open).await, yard.gate_state(blocked).await), (State::Open, State::Open));
    let story = yard.story().await;
    assert_eq!(story[4..], ["gate.auto_approved", "gate.expired"]);
    assert_eq!(yard.rig.acts_of("default").await[2..], ["gate.timed_out", "gate.timed_out"]);
    let late = Decide { subject_sha256: Some(sha256("go on?")), ..Decide::on(no, Side::Approve) };
    let refusal = yard.act_as(&operator("zoe"), move |act| decide(act, &late)).await.expect_err("is late");
    assert_eq!((refusal.code, &refusal.extra["decision"]), (Code::AlreadyDecided, &"expired".into()));
}

// The lists of gates: newest first, by state, with a total.
#[tokio::test]
async fn gates_are_listed_by_state() {
    let yard = Yard::new().await;
    yard.ask(OnTimeout::Reject, None).await;
    let open = yard.ask(OnTimeout::Nothing, None).await;
    yard.rig.clock.advance(1_000);
    yard.rig.act(expire_due).await.expect("ends");
    let list = yard.rig.read(|rows| {
        let filter = Filter { state: Some(State::Open), ..Filter::default() };
        read::page(rows, &operator("ada"), &filter, Window { below: i64::MAX, offset: 0, limit: 50 })
    });
    let list = list.await.expect("reads");
    assert_eq!((list.total, list.items[0].gate.id, list.next), (1, open, None));
}
