//! The inbox.

use crate::desk::caller;
use crate::gate::{definition, opened, operator, yes};
use crate::rig::{Rig, report, spec};
use tiltyard_engine::act::Act;
use tiltyard_engine::gate::ask::{Ask, Subject, ask};
use tiltyard_engine::inbox::{After, Filter, Kind, Page, Thing, page};
use tiltyard_engine::task::settle::Report;
use tiltyard_model::id::Id;
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::task::Spec;
use tiltyard_model::task::attempt::Outcome;

impl Rig {
    async fn waits(&self, weight: i64, title: &'static str) -> Id {
        let deed = move |act: &mut Act<'_>| {
            let gate = definition("role:operator");
            let asking = crate::gate::asking(act, gate, Subject::Question(title.to_owned()));
            ask(act, Ask { title: title.to_owned(), weight, ..asking })
        };
        opened(self.act(deed).await.expect("asks")).gate.id
    }

    /// A task that dies, and for which others wait.
    async fn dies(&self, title: &str, dependents: usize) {
        let id = self.submit(spec(title)).await;
        for n in 0..dependents {
            self.submit(Spec { depends_on: vec![id], ..spec(&format!("after {title} {n}")) }).await;
        }
        let taken = self.claim("undertaker").await.expect("is ready");
        assert_eq!(taken.found.task.id, id);
        let generation = taken.found.task.generation;
        self.report(Report { retryable: false, ..report(id, generation, Outcome::Failed) })
            .await
            .expect("dies");
    }

    async fn inbox(&self, who: Caller, filter: Filter, place: (After, u32)) -> Page {
        self.read(move |rows| page(rows, &who, &filter, place)).await.expect("reads")
    }
}

fn titles(page: &Page) -> Vec<String> {
    let title = |thing: &Thing| match thing {
        Thing::Gate(found) => found.about.title.clone(),
        Thing::Letter(letter) => letter.title.clone(),
    };
    page.items.iter().map(|item| title(&item.thing)).collect()
}

// D27: one inbox, sorted by what is blocked behind it, then the older first; pages follow without gap or repeat.
#[tokio::test]
async fn d27_what_most_waits_behind_comes_first() {
    let rig = Rig::new().await;
    rig.waits(0, "light").await;
    rig.dies("a letter", 0).await;
    rig.waits(7, "heavy").await;
    rig.waits(0, "light too").await;
    rig.dies("a letter that two wait for", 2).await;
    rig.waits(2, "two behind").await;
    let all = rig.inbox(operator("ada"), Filter::default(), (After::TOP, 100)).await;
    let order = ["heavy", "a letter that two wait for", "two behind", "light", "a letter", "light too"];
    assert_eq!((titles(&all), all.total, all.next), (order.map(str::to_owned).to_vec(), 6, None));
    assert_eq!(all.items[1].blocked, 2);
    for limit in 1..=6 {
        let (mut seen, mut after) = (Vec::new(), Some(After::TOP));
        while let Some(place) = after {
            let page = rig.inbox(operator("ada"), Filter::default(), (place, limit)).await;
            seen.extend(titles(&page));
            after = page.next;
        }
        assert_eq!(seen, order, "{limit} a page");
    }
}

// D27: what is decided waits no more; kinds and scopes are told apart (SEC4).
#[tokio::test]
async fn d27_the_inbox_is_of_ones_own_scopes_and_of_what_is_open() {
    let rig = Rig::new().await;
    let id = rig.waits(1, "decided").await;
    rig.waits(1, "open").await;
    rig.dies("a letter", 0).await;
    let found = rig.read(move |rows| tiltyard_engine::gate::read::get(rows, &operator("ada"), id)).await;
    rig.decides(&operator("zoe"), yes(&found.expect("is there"))).await.expect("decides");
    let own = caller(Role::Operator, &["default"]);
    let page = rig.inbox(own.clone(), Filter::default(), (After::TOP, 10)).await;
    assert_eq!((titles(&page), page.total), (vec!["open".to_owned(), "a letter".to_owned()], 2));
    let of = |kind| Filter { kind: Some(kind), ..Filter::default() };
    for (kind, count) in [(Kind::Question, 1), (Kind::DeadLetter, 1), (Kind::Gate, 0), (Kind::Change, 0)] {
        for who in [own.clone(), operator("ada")] {
            let page = rig.inbox(who, of(kind), (After::TOP, 10)).await;
            assert_eq!((page.items.len(), page.total), (count, count as u64), "{kind:?}");
            assert!(page.items.iter().all(|item| item.thing.kind() == kind));
        }
    }
    let stranger = caller(Role::Operator, &["other"]);
    let page = rig.inbox(stranger, Filter::default(), (After::TOP, 10)).await;
    assert_eq!((page.items.len(), page.total), (0, 0));
}
