//! Queues: their switches, limits and depth.

use crate::ask::Ask;
use crate::caller::may_use_queue;
use crate::page::by_name;
use crate::parameter::one_scope;
use crate::reply::{Answer, Reply};
use crate::view;
use tiltyard_engine::queue::{self as queues, View};
use tiltyard_engine::{Act, Urgency};
use tiltyard_model::queue::Flow;
use tiltyard_wire::page::{PageQuery, ScopeQuery};
use tiltyard_wire::queue as wire;

/// `GET /queues`.
pub(crate) async fn list(ask: Ask) -> Answer {
    let asked: PageQuery = ask.query()?;
    let scope = asked.scope.clone();
    let deed = move |act: &mut Act<'_>| queues::list(act, scope.as_deref());
    let found = ask.app.engine.enter(ask.pass(), Urgency::Normal, deed).await?;
    let page = by_name(found, &asked, |queue| (queue.scope.clone(), queue.name.clone()))?;
    Ok(Reply::ok(&page.map(|queue| view::queue::view(&queue))).into_response())
}

/// `PATCH /queues/{name}`.
pub(crate) async fn patch(mut ask: Ask) -> Answer {
    let asked: wire::Patch = ask.body().await?;
    let change = queues::Patch {
        flow: asked.paused.map(|paused| if paused { Flow::Paused } else { Flow::Open }),
        concurrency_limit: asked.concurrency_limit,
        rate_per_minute: asked.rate_per_minute,
        assignment: asked.assignment,
        dead_letters: asked.dead_letters,
    };
    change_to(ask, asked.scope, change).await
}

/// `POST /queues/{name}/drain`.
pub(crate) async fn drain(mut ask: Ask) -> Answer {
    ask.no_body()?;
    change_to(ask, None, queues::Patch { flow: Some(Flow::Draining), ..queues::Patch::default() }).await
}

async fn change_to(ask: Ask, named: Option<String>, change: queues::Patch) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let scope = one_scope(named, scope)?;
    let (scope, name) = (ask.scope(scope.as_deref())?, ask.place("name").to_owned());
    may_use_queue(&ask.caller, &name)?;
    let demanded = ask.precondition();
    let deed = move |act: &mut Act<'_>| {
        demanded.check(|| now(act, &scope, &name))?;
        queues::patch(act, &scope, &name, &change)
    };
    let show = |queue: View| Reply::ok(&view::queue::view(&queue)).one_as(&essence(&queue));
    ask.act(Urgency::Normal, deed, show).await
}

/// What a person changes of a queue: its counts change all the time.
fn essence(queue: &View) -> Vec<u8> {
    Reply::ok(&queue.settings).body
}

/// What the queue is like now.
fn now(act: &mut Act<'_>, scope: &str, name: &str) -> Option<Vec<u8>> {
    let found = queues::list(act, Some(scope)).ok()?.into_iter().find(|queue| queue.name == name)?;
    Some(essence(&found))
}
