//! The worker protocol over plain HTTP: claim, heartbeat, settle.

use crate::ask::{Ask, covered};
use crate::caller::{may_use_queue, speaks_for};
use crate::parameter::one_scope;
use crate::pen;
use crate::problem;
use crate::reply::{Answer, Reply};
use crate::taken::Taken;
use crate::view;
use http::StatusCode;
use std::time::Duration;
use tiltyard_engine::memory::ready::Want;
use tiltyard_engine::run::judge::{MAX_ROUNDS, is_to_judge, to_judge};
use tiltyard_engine::task::claim::{self as claims, Request};
use tiltyard_engine::task::heartbeat::{self, Beat};
use tiltyard_engine::task::settle::{self as settles, Judged, Report, Verdict};
use tiltyard_engine::{Act, Pass, Urgency};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Fault, Refusal};
use tiltyard_model::role::{Caller, Reach};
use tiltyard_model::slug::is_slug;
use tiltyard_model::task::DEFAULT_QUEUE;
use tiltyard_model::task::admission::is_tag;
use tiltyard_model::task::attempt::Outcome;
use tiltyard_model::time::DurationMs;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::task::work as wire;
use tiltyard_wire::task::work::{MAX_CLAIM_TASKS, MAX_WAIT_MS};

/// Most items of one settle.
const MAX_SETTLE_ITEMS: usize = 1_000;
/// Most queues, and most capabilities, that a claim may name.
const MAX_CLAIM_NAMES: usize = 100;

/// `POST /tasks/claim`.
pub(crate) async fn claim(mut ask: Ask) -> Answer {
    let ScopeQuery { scope } = ask.query()?;
    let mut asked: wire::Claim = ask.body().await?;
    asked.scope = one_scope(asked.scope, scope)?;
    let wait = wait_of(&asked)?;
    let request = request(&ask.caller, asked, ask.app.default_lease_ms)?;
    let taken = take(&ask, request, wait).await?;
    let mut out = Vec::with_capacity(taken.room_bytes());
    pen::object(&mut out, |pen| write_tasks(pen, taken));
    Ok(Reply::text(StatusCode::OK, out).into_response())
}

fn write_tasks(pen: &mut pen::Pen<'_>, taken: Taken) {
    pen.member("tasks", |out| pen::list(out, &taken.hand_over(), view::task::write_claimed));
}

fn wait_of(asked: &wire::Claim) -> Result<Duration, Refusal> {
    let wait_ms = asked.wait_ms.unwrap_or(0);
    if wait_ms > MAX_WAIT_MS {
        return Err(Refusal::field("/wait_ms", "must be 0 to 30,000 milliseconds"));
    }
    Ok(Duration::from_millis(wait_ms))
}

/// Takes work, waiting for some; nothing when there was none so long, or the server ends.
async fn take(ask: &Ask, request: Request, wait: Duration) -> Result<Taken, Refusal> {
    let (app, pass) = (&ask.app, ask.pass());
    if wait.is_zero() {
        let giver = app.taken(&pass);
        let deed = move |act: &mut Act<'_>| Ok(giver.of(claims::claim(act, &request)?));
        return app.engine.enter(pass, Urgency::Urgent, deed).await;
    }
    let (giver, asker) = (app.taken(&pass), request.want.clone());
    let deed = move |act: &mut Act<'_>| {
        let claimed = claims::claim(act, &request)?;
        Ok((!claimed.is_empty()).then(|| giver.of(claimed)))
    };
    let lost = |act: &mut Act<'_>, taken: Taken| taken.take_back(act);
    let waiting = app.engine.wait_as(pass.clone(), Some(asker), deed, lost)?;
    let stop = app.stop.clone();
    let over = async {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.reached(crate::edge::stop::Stage::Draining) => {}
        }
    };
    let found = waiting.until(over).await?;
    Ok(found.unwrap_or_else(|| app.taken(&pass).of(Vec::new())))
}

/// What a claim asks for.
///
/// # Errors
/// 403 for an agent, a scope or a queue that is not the token's, 422 for numbers out of bounds.
pub(crate) fn request(
    caller: &Caller,
    asked: wire::Claim,
    default_lease_ms: DurationMs,
) -> Result<Request, Refusal> {
    if !is_slug(&asked.agent) {
        return Err(Refusal::field(
            "/agent",
            "must be 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -",
        ));
    }
    speaks_for(caller, &asked.agent)?;
    let max = asked.max.unwrap_or(1);
    if !(1..=MAX_CLAIM_TASKS).contains(&max) {
        return Err(Refusal::field("/max", "must be 1 to 1,000"));
    }
    Refusal::from_faults(odd_names(&asked)).map_or(Ok(()), Err)?;
    let reach = match &asked.scope {
        None => caller.reach.clone(),
        Some(scope) => Reach::Only(vec![covered(caller, scope)?.to_owned()]),
    };
    let want = Want {
        agent: asked.agent,
        capabilities: asked.capabilities,
        kinds: None,
        queues: queues(caller, asked.queues)?,
        reach,
        allowed: caller.queues.clone(),
    };
    let lease_ms = asked.lease_ms.unwrap_or(default_lease_ms);
    Ok(Request { want, instance: asked.instance, claim_id: asked.claim_id, max, lease_ms })
}

/// Names in a claim that can be those of nothing: it would wait for ever, and nobody would know why.
fn odd_names(asked: &wire::Claim) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |ok: bool, field: String, error: &str| {
        if !ok {
            faults.push(Fault { field, error: error.to_owned() });
        }
    };
    for (index, queue) in asked.queues.iter().flatten().enumerate().take(MAX_CLAIM_NAMES) {
        check(
            is_slug(queue),
            format!("/queues/{index}"),
            "must be 1 to 64 of a-z, 0-9, _ and -, as queues are called",
        );
    }
    let capabilities = &asked.capabilities;
    check(capabilities.len() <= MAX_CLAIM_NAMES, "/capabilities".to_owned(), "at most 100 capabilities");
    for (index, capability) in capabilities.iter().enumerate().take(MAX_CLAIM_NAMES) {
        let said = "must be 1 to 256 characters without control characters";
        check(is_tag(capability), format!("/capabilities/{index}"), said);
    }
    for (field, word) in [("/claim_id", &asked.claim_id), ("/instance", &asked.instance)] {
        let said = "must be 1 to 256 characters without control characters; leave it out to have none";
        check(word.as_deref().is_none_or(is_tag), field.to_owned(), said);
    }
    faults
}

/// The queues of a claim: those it names, else those of a worker's token, else `default`.
fn queues(caller: &Caller, named: Option<Vec<String>>) -> Result<Vec<String>, Refusal> {
    let Some(named) = named.filter(|named| !named.is_empty()) else {
        return Ok(caller.queues.clone().unwrap_or_else(|| vec![DEFAULT_QUEUE.to_owned()]));
    };
    if named.len() > MAX_CLAIM_NAMES {
        return Err(Refusal::field("/queues", "at most 100 queues"));
    }
    named.iter().try_for_each(|queue| may_use_queue(caller, queue))?;
    Ok(named)
}

/// `POST /tasks/settle`.
pub(crate) async fn settle(mut ask: Ask) -> Answer {
    let asked: wire::Settle = ask.body().await?;
    if asked.items.len() > MAX_SETTLE_ITEMS {
        return Err(Refusal::field("/items", "at most 1,000 items"));
    }
    let reports = asked.items.into_iter().map(report_of_item).collect::<Vec<_>>();
    let wait = asked.claim.as_ref().map(wait_of).transpose()?.unwrap_or_default();
    let next = asked.claim.map(|claim| request(&ask.caller, claim, ask.app.default_lease_ms));
    let (next, mut refused) = match next.transpose() {
        Ok(next) => (next, None),
        Err(refusal) => (None, Some(refusal)),
    };
    let again = next.clone().filter(|_| !wait.is_zero());
    let giver = ask.app.taken(&ask.pass());
    let along = move |act: &mut Act<'_>| {
        let claimed = next.map(|next| claims::along(act, &next)).transpose()?.transpose();
        Ok(claimed.map(|claimed| giver.of(claimed.unwrap_or_default())))
    };
    let (verdicts, taken) = ask.app.engine.settle_each(ask.pass(), reports, along).await?;
    let mut taken = match taken {
        Ok(taken) => Some(taken),
        Err(refusal) => {
            refused = Some(refusal);
            None
        }
    };
    if let Some(again) = again.filter(|_| taken.as_ref().is_some_and(Taken::is_empty)) {
        // The outcomes are on disk; only the wish for more waits.
        taken = match take(&ask, again, wait).await {
            Ok(taken) => Some(taken),
            Err(refusal) => {
                refused = Some(refusal);
                None
            }
        };
    }
    Ok(settled(&ask, &verdicts, taken, refused).into_response())
}

fn settled(ask: &Ask, verdicts: &[Judged], taken: Option<Taken>, refused: Option<Refusal>) -> Reply {
    let room = taken.as_ref().map_or(0, Taken::room_bytes) + verdicts.len() * 80;
    let mut out = Vec::with_capacity(room);
    pen::object(&mut out, |pen| {
        pen.member("verdicts", |out| pen::list(out, verdicts, write_verdict));
        match taken {
            Some(taken) => write_tasks(pen, taken),
            None => pen.raw("tasks", Some("[]")),
        }
        let said = refused.map(|refusal| {
            problem::sentence(
                &refusal,
                problem::Request { id: ask.visit.request_id.as_str(), path: ask.parts.uri.path() },
            )
        });
        pen.some("claim_refused", said.as_ref());
    });
    Reply::text(StatusCode::OK, out)
}

fn write_verdict(out: &mut Vec<u8>, (id, judged): &Judged) {
    pen::object(out, |pen| {
        pen.id("id", *id);
        match judged {
            Ok(Verdict { replayed: false, .. }) => pen.any("status", &"accepted"),
            Ok(Verdict { replayed: true, .. }) => pen.any("status", &"replayed"),
            Err(code) => {
                pen.any("status", &"refused");
                pen.any("code", &code.as_str());
            }
        }
    });
}

fn report_of_item(item: wire::SettleItem) -> Report {
    Report {
        id: item.id,
        generation: item.generation,
        outcome: outcome(item.outcome),
        result: item.result.map(|result| Box::<str>::from(result).into()),
        error: item.error,
        retryable: item.retryable.unwrap_or(true),
    }
}

/// An outcome as the model names it.
pub(crate) fn outcome(reported: wire::Reported) -> Outcome {
    match reported {
        wire::Reported::Succeeded => Outcome::Succeeded,
        wire::Reported::Failed => Outcome::Failed,
        wire::Reported::TimedOut => Outcome::TimedOut,
        wire::Reported::Released => Outcome::Released,
    }
}

/// `POST /tasks/{id}/complete`.
pub(crate) async fn complete(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let wire::Complete { generation, result } = ask.body().await?;
    let result = result.map(|result| Box::<str>::from(result).into());
    one(ask, Report { id, generation, outcome: Outcome::Succeeded, result, error: None, retryable: true })
        .await
}

/// `POST /tasks/{id}/fail`.
pub(crate) async fn fail(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let wire::Fail { generation, error, retryable } = ask.body().await?;
    let (outcome, retryable) = (Outcome::Failed, retryable.unwrap_or(true));
    one(ask, Report { id, generation, outcome, result: None, error: Some(error), retryable }).await
}

/// `POST /tasks/{id}/release`.
pub(crate) async fn release(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let wire::Release { generation } = ask.body().await?;
    let outcome = Outcome::Released;
    one(ask, Report { id, generation, outcome, result: None, error: None, retryable: true }).await
}

async fn one(ask: Ask, report: Report) -> Answer {
    let (id, generation) = (report.id, report.generation);
    let show = move |verdict: Verdict| {
        Reply::ok(&wire::Settled { id, generation, state: verdict.state, replayed: verdict.replayed })
    };
    let mut judgement = None;
    for _ in 0..MAX_ROUNDS {
        let (one, judged) = (report.clone(), judgement.take());
        let deed = move |act: &mut Act<'_>| settles::settle_judged(act, &one, judged.as_ref());
        match ask.act(Urgency::Urgent, deed, show).await {
            Err(refusal) if is_to_judge(&refusal) => {
                judgement = Some(ask.app.engine.judge(&report).await?);
            }
            done => return done,
        }
    }
    Err(to_judge())
}

/// `POST /tasks/{id}/heartbeat`.
pub(crate) async fn heartbeat(mut ask: Ask) -> Answer {
    let id = ask.id(Noun::Task)?;
    let wire::Heartbeat { generation, lease_ms, progress, message } = ask.body().await?;
    let beat = Beat { id, generation, lease_ms, progress, message };
    let pass = ask.pass();
    let beaten =
        ask.app.engine.enter(pass.clone(), Urgency::Urgent, move |act| heartbeat::beat(act, &beat)).await;
    match beaten {
        Ok(lease_expires_in_ms) => {
            Ok(Reply::ok(&wire::HeartbeatAnswer { generation, lease_expires_in_ms }).into_response())
        }
        Err(refusal) => Err(acknowledged(&ask, pass, id, generation, refusal).await),
    }
}

/// The refused word of a cancelled attempt is its acknowledgement of the stop (D4). What a refused deed writes is
/// taken back, so this is a second one; should it fail, the stop stays requested and the next word tries again.
async fn acknowledged(ask: &Ask, pass: Pass, id: Id, generation: i64, refusal: Refusal) -> Refusal {
    if refusal.code == Code::StaleGeneration {
        let deed = move |act: &mut Act<'_>| heartbeat::acknowledge_if_cancelled(act, id, generation);
        if let Err(error) = ask.app.engine.enter(pass, Urgency::Urgent, deed).await {
            tracing::warn!(target: "agent", task_id = %id, generation, %error, "a stop was not acknowledged");
        }
    }
    refusal
}
