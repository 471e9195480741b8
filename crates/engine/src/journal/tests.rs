//! The form of a page, held: servers of different builds read each other's.

use super::*;
use crate::memory::connection::Link;
use crate::memory::lease::{self, Lease, Sort};
use crate::memory::name::{self, Queue};
use crate::memory::presence;
use crate::memory::ready::{self, RateStep};
use crate::memory::{audit, count, letter, run, unique};
use crate::sign_in::table as sign_in;
use crate::token::table::{self, Entry};
use std::collections::BTreeSet;
use std::sync::Arc;
use tiltyard_model::agent::{Agent, Profile, Resources};
use tiltyard_model::audit::Head;
use tiltyard_model::dead_letter;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::lane::Lane;
use tiltyard_model::queue::Settings;
use tiltyard_model::role::{Reach, Role};
use tiltyard_model::run::graph::{Graph, Node};
use tiltyard_model::run::step::step;
use tiltyard_model::run::{Item, Outcome, Part, Run};
use tiltyard_model::scope::Scope;
use tiltyard_model::sign_in::{Kind, SignIn};
use tiltyard_model::task::attempt::Stop;
use tiltyard_model::task::{Concurrency, Rate, State};
use tiltyard_model::token::Token;

const TASK: i64 = 300;

fn names() -> Vec<name::Step> {
    let scope = Scope { name: "s".into(), description: "d".into(), created_at: 7 };
    let queue = Queue { key: 2, scope: 1, name: "q".into(), settings: Settings::default() };
    let lane = Lane {
        scope: "s".into(),
        queue: "q".into(),
        capabilities: vec!["gpu".into()],
        assign_to: Some("a".into()),
        concurrency: Some(Concurrency { key: "c".into(), limit: 1 }),
        rate: Some(Rate { key: "r".into(), per_minute: 2 }),
        category: None,
        kind: None,
    };
    let agent = Agent {
        name: "a".into(),
        instance: Some("i".into()),
        profile: Profile::default(),
        draining: true,
        created_at: 7,
        last_seen: None,
        record: Default::default(),
    };
    vec![
        name::Step::Event { scope: 1, by: 1 },
        name::Step::Scope { key: 1, scope: Box::new(scope), last_seq: 9 },
        name::Step::ScopeGone { key: 1 },
        name::Step::Queue(Box::new(queue)),
        name::Step::QueueGone { key: 2 },
        name::Step::Lane { key: 3, queue: 2, lane: Arc::new(lane) },
        name::Step::LaneGone { key: 3 },
        name::Step::Agent { key: 4, agent: Box::new(agent) },
        name::Step::AgentGone { key: 4 },
        name::Step::Actor { key: 5, name: "x".into() },
        name::Step::ActorGone { name: "x".into() },
    ]
}

fn leases() -> Vec<lease::Step> {
    let lease = Lease {
        task: TASK,
        generation: 1,
        lane: 3,
        agent: 4,
        instance: Some("i".into()),
        claim: Some(-1),
        lease_ms: 30_000,
        expires: 31_000,
        times_out: 60_000,
        used: 2,
        sort: Sort::Change,
        stop: Some(Stop::Requested),
    };
    vec![
        lease::Step::Put(Box::new(lease.clone())),
        lease::Step::Prolong { task: TASK, lease_ms: 30_000, expires: 61_000 },
        lease::Step::End { task: TASK },
        lease::Step::Anew { now: 5, jumped_ms: 3_600_000 },
        lease::Step::Back { leases: vec![lease], heard: vec![(4, 5, 5)] },
    ]
}

fn token() -> Token {
    Token {
        id: Id::from_parts(Noun::Token, 6, 1),
        label: "l".into(),
        owner: "o".into(),
        groups: vec!["g".into()],
        role: Role::Worker,
        reach: Reach::Only(vec!["s".into()]),
        queues: None,
        agent: None,
        expires: Some(8),
        last_used: Some(7),
        revoked: None,
    }
}

fn tokens() -> Vec<table::Step> {
    vec![
        table::Step::Live(Entry::new(&token(), [1; 32])),
        table::Step::End { key: 6 },
        table::Step::Used { key: 6, at: 60_000 },
    ]
}

fn sign_ins() -> Vec<sign_in::Step> {
    let code = SignIn { key: 10, kind: Kind::Code, token: Some(6), expires: 8 };
    vec![
        sign_in::Step::Begin(sign_in::Entry::new(code, &token().caller(), [2; 32])),
        sign_in::Step::End { key: 10 },
    ]
}

fn runs() -> Vec<run::Step> {
    let graph = Graph::new(vec![Node { id: "a".into(), attempts: 1, ..Node::default() }], vec![0]);
    let (run, part) = (7, Part { stage: 0, attempt: 1, item: Some(Item { index: 2, attempt: 3 }) });
    let queued = Run::new(&graph);
    let changes = step(&graph, &queued, Outcome::Begin).expect("begins").changes;
    let live = run::Live {
        scope: 1,
        version: 8,
        graph: Arc::new(graph),
        run: queued,
        parent: Some((6, part)),
        root: 6,
        depth: 2,
        scheduled: false,
    };
    vec![
        run::Step::Put { run, live: Box::new(live) },
        run::Step::Gone { run },
        run::Step::Change { run, changes: Box::new(changes) },
        run::Step::Bind { task: TASK, run, part },
        run::Step::Unbind { task: TASK },
        run::Step::ToBegin { run, part },
        run::Step::Begun { run, part },
    ]
}

/// Every step there is.
fn one_of_each() -> Vec<Step> {
    let key = || Box::from("k");
    let head = Head { seq: 1, hash: "h".into() };
    let (from, to) = (Some(dead_letter::State::Pending), None);
    let mut all: Vec<Step> = names().into_iter().map(Step::from).collect();
    all.push(ready::Step::Insert { lane: 3, place: (9, TASK) }.into());
    all.push(ready::Step::Remove { lane: 3, place: (9, TASK) }.into());
    all.push(RateStep::Count { scope: 1, key: key(), second: 60 }.into());
    all.push(RateStep::Uncount { scope: 1, key: key(), second: 60 }.into());
    all.push(RateStep::Prune { second: 60 }.into());
    all.push(RateStep::Back(Vec::new()).into());
    all.extend(leases().into_iter().map(Step::from));
    all.push(count::Step { queue: 2, from: None, to: Some(State::Ready) }.into());
    all.push(unique::Step::Take { hash: -2, task: TASK, until: Some(9) }.into());
    all.push(unique::Step::End { task: TASK }.into());
    all.push(unique::Step::Await { task: TASK, by: -1 }.into());
    all.push(letter::Step { scope: 1, task: TASK, letter: 301, from, to }.into());
    all.extend(tokens().into_iter().map(Step::from));
    all.extend(sign_ins().into_iter().map(Step::from));
    all.push(audit::Step { chain: "system".into(), head: Some(Box::new(head)) }.into());
    all.push(presence::Step::Online { agent: 4 }.into());
    all.push(presence::Step::Offline { agent: 4 }.into());
    let link = Some(Link { number: 1, is_open: true });
    let resources = Some(Box::new(Resources { load: 0.5, slots_used: 1, ..Resources::default() }));
    all.push(presence::Step::Heard { agent: 4, wall: 1, steady: 2, resources }.into());
    all.push(presence::Step::Asked.into());
    all.push(presence::Step::Process { agent: 4, instance: "i".into() }.into());
    all.push(presence::Step::Processes { agent: 4, known: vec!["i".into()] }.into());
    all.push(presence::Step::Connection { agent: 4, link }.into());
    all.push(presence::Step::Serves { agent: 4, scopes: Some(vec!["s".into()]) }.into());
    all.push(Step::Key(302));
    all.extend(runs().into_iter().map(Step::from));
    all
}

fn effects() -> Vec<Effect> {
    let agent = || "a".to_owned();
    let (task, token) = (Id::from_parts(Noun::Task, TASK, 1), Id::from_parts(Noun::Token, 6, 1));
    vec![
        Effect::StopAttempt { agent: agent(), task, generation: 1, reason: "r".into() },
        Effect::TokenEnded { token },
        Effect::SignInEnded,
        Effect::AgentDrain { agent: agent(), draining: true },
        Effect::AgentConnected { agent: agent(), number: 7 },
    ]
}

fn page_of(steps: &[Step], effects: &[Effect]) -> Vec<u8> {
    let mut bytes = Vec::new();
    steps.iter().for_each(|step| write(step, &mut bytes).expect("has a form"));
    page(42, &effects.iter().collect::<Vec<_>>(), &bytes).expect("has a form")
}

// Decision 5: what one server writes, another reads.
#[test]
fn a_page_comes_back_as_it_was() {
    let (steps, effects) = (one_of_each(), effects());
    assert_eq!(effects.iter().filter(|effect| effect.is_told()).count(), effects.len());
    let read = read(&page_of(&steps, &effects)).expect("is whole");
    assert_eq!(read, Page { last_seq: 42, effects, steps });
}

/// Pages of this version, by what they hold. (2: lanes have a kind, and agents the kinds that they do; no server of
/// version 1 was released. 4: whoever ends tasks counts them in `task_count`, and the step of the schema that made it has servers
/// of version 3 hand over. 6: runs, and by how much a clock was set.) Whoever changes one raises [`VERSION`], and says how servers of the version
/// before go on meanwhile.
const HELD: &str = include_str!("held.txt");

#[test]
fn the_form_of_this_version_stays() {
    let mut now = format!("effects {}\n", hex::encode(page_of(&[], &effects())));
    for step in one_of_each() {
        let mut bytes = Vec::new();
        write(&step, &mut bytes).expect("has a form");
        now.push_str(&format!("{} {}\n", hex::encode(&bytes[..bytes.len().min(2)]), hex::encode(&bytes)));
    }
    if std::env::var_os("UPDATE_JOURNAL").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/journal/held.txt");
        std::fs::write(path, &now).expect("writes");
        return;
    }
    assert_eq!(now, HELD, "UPDATE_JOURNAL=1 writes it anew, for a new VERSION");
}

#[test]
fn every_step_is_among_them() {
    let tag = |step: &Step| format!("{step:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
    let tags: BTreeSet<String> = one_of_each().iter().map(tag).collect();
    assert_eq!(tags.len(), one_of_each().len(), "each once");
    // One more of a noun's steps must be added above as well: the first number that no step has is refused.
    for (noun, count) in [(0, 11), (1, 2), (2, 4), (3, 5), (5, 3), (7, 3), (8, 2), (10, 8), (12, 7)] {
        assert!(postcard::from_bytes::<Step>(&[noun, count, 0, 0, 0, 0, 0, 0, 0, 0]).is_err(), "noun {noun}");
    }
    assert!(postcard::from_bytes::<Step>(&[13, 0, 0, 0, 0]).is_err(), "another noun");
}

#[test]
fn what_is_not_ours_is_refused_clearly() {
    let whole = page_of(&one_of_each(), &effects());
    let newer = [&[VERSION + 1], &whole[1..]].concat();
    let refused = read(&newer).expect_err("is newer");
    assert_eq!(refused, Unreadable::Newer { found: VERSION + 1, known: VERSION });
    let versions = format!("version {}, this program reads version {VERSION}", VERSION + 1);
    assert!(refused.to_string().contains(&versions), "{refused}");
    assert_eq!(refuse_newer(&newer), Err(refused));
    let older = [&[VERSION - 1], &whole[1..]].concat();
    assert_eq!(read(&older), Err(Unreadable::Older { found: VERSION - 1, known: VERSION }));
    assert_eq!((refuse_newer(&older), refuse_newer(&[])), (Ok(()), Ok(())));
    assert!(matches!(read(&[]), Err(Unreadable::Torn(_))));
    assert!(matches!(read(&whole[..whole.len() - 1]), Err(Unreadable::Torn(_))));
    assert!(matches!(read(&[VERSION, 0, 0, 200]), Err(Unreadable::Torn(_))), "no such step");
}

#[test]
fn a_step_is_small() {
    assert!(size_of::<Step>() <= 48, "{} bytes: box what is large", size_of::<Step>());
}
