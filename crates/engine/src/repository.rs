//! Repositories: registered after their agent has looked at them (C19).

pub(crate) mod choose;
pub mod probe;
pub mod read;

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::task::cancel;
use tiltyard_model::audit::{ActResult, Action, Phase};
use tiltyard_model::event::{RepositoryDeleted, Subject};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::repository::settings::Settings;
use tiltyard_model::repository::{
    DEFAULT_BRANCH, MAX_REPOSITORIES, Registration, Repository, Source, State, faults,
};
use tiltyard_store::repository;

/// A registration as somebody asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// The scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// The target branch; the one it has, or `main`, when absent.
    pub branch: Option<String>,
    /// The agent that holds its mirror; the one it has, or the only one there, when absent.
    pub agent: Option<String>,
    /// The server's settings for it.
    pub settings: Settings,
}

/// A registration whose agent looks at the repository: [`probe::outcome`] tells what it found.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The repository as it is known by now.
    pub repository: Repository,
    /// The task that looks.
    pub probe: Id,
}

/// Registers a repository, or registers it differently: what is there stays as it is until its agent has looked.
///
/// # Errors
/// 422 with every wrong field; 422 `unknown_scope`; 503 `no_agent_for_repository` when no agent is there to look.
pub fn put(act: &mut Act<'_>, put: &Put) -> Result<Pending, Refusal> {
    let scope = act.scope_key(&put.scope)?;
    let known = repository::get(act.tx, scope, &put.name).map_err(refusal_of)?;
    let registration = registration(act, put, known.as_ref())?;
    if known.is_none() {
        has_room(act, &put.scope)?;
    }
    choose::there(act, &put.scope, &registration.agent)?;
    if let Some(pending) = same_under_way(act, known.as_ref(), &registration)? {
        return Ok(pending);
    }
    let before = known.as_ref().and_then(|known| known.probe);
    let mut repository = wanted(act, put, known, registration);
    let probe = probe::submit(act, &repository)?;
    repository.probe = Some(probe);
    repository::put(act.tx, scope, &repository).map_err(refusal_of)?;
    end_probe(act, before)?;
    audit_intent(act, &repository, probe)?;
    Ok(Pending { repository, probe })
}

fn registration(act: &Act<'_>, put: &Put, known: Option<&Repository>) -> Result<Registration, Refusal> {
    let before = known.map(|known| &known.registration);
    let agent = match (&put.agent, before) {
        (Some(agent), _) => agent.clone(),
        (None, Some(before)) => before.agent.clone(),
        (None, None) => String::new(),
    };
    let branch = put.branch.clone().or_else(|| before.map(|before| before.branch.clone()));
    let mut registration = Registration {
        name: put.name.clone(),
        source: put.source.clone(),
        branch: branch.unwrap_or_else(|| DEFAULT_BRANCH.to_owned()),
        agent,
        settings: put.settings.clone(),
    };
    let mut faults = faults(&registration);
    if registration.agent.is_empty() {
        faults.retain(|fault| fault.field != "/agent");
    }
    Refusal::from_faults(faults).map_or(Ok(()), Err)?;
    if registration.agent.is_empty() {
        registration.agent = choose::only(act, &put.scope)?;
    }
    Ok(registration)
}

fn has_room(act: &Act<'_>, scope: &str) -> Result<(), Refusal> {
    let scopes = [scope.to_owned()];
    let count = repository::count(act.tx, Some(&scopes), MAX_REPOSITORIES as u32).map_err(refusal_of)?;
    if count as usize >= MAX_REPOSITORIES {
        return Err(Refusal::field("/name", "the scope has 1,000 repositories: remove one first"));
    }
    Ok(())
}

/// The same registration, asked for again while its agent looks.
fn same_under_way(
    act: &Act<'_>,
    known: Option<&Repository>,
    registration: &Registration,
) -> Result<Option<Pending>, Refusal> {
    let Some((known, probe)) = known.and_then(|known| known.probe.map(|probe| (known, probe))) else {
        return Ok(None);
    };
    let wanted = known.candidate.as_ref().unwrap_or(&known.registration);
    let task = tiltyard_store::task::get(act.tx, probe).map_err(refusal_of)?;
    let looking = task.is_some_and(|task| !task.task.state.is_final());
    let pending = Pending { repository: known.clone(), probe };
    Ok((looking && wanted == registration).then_some(pending))
}

/// The row while the agent looks: what was usable stays so.
fn wanted(act: &Act<'_>, put: &Put, known: Option<Repository>, registration: Registration) -> Repository {
    match known {
        Some(known) if known.state != State::Probing => Repository { candidate: Some(registration), ..known },
        Some(known) => Repository { registration, ..known },
        None => Repository {
            scope: put.scope.clone(),
            registration,
            state: State::Probing,
            candidate: None,
            probe: None,
            head: None,
            rules: None,
            error: None,
            created_at: act.now.wall,
            probed_at: None,
        },
    }
}

/// Calls off a look that nobody needs any more; its end finds the repository looking elsewhere.
fn end_probe(act: &mut Act<'_>, probe: Option<Id>) -> Result<(), Refusal> {
    let Some(probe) = probe else { return Ok(()) };
    match tiltyard_store::task::get(act.tx, probe).map_err(refusal_of)? {
        Some(found) if !found.task.state.is_final() => cancel::call_off(act, &found, "superseded"),
        _ => Ok(()),
    }
}

/// A registration is on record when it is asked for, and when its agent has looked: an act of two entries (D52).
fn audit_intent(act: &mut Act<'_>, repository: &Repository, probe: Id) -> Result<(), Refusal> {
    let wanted = repository.candidate.as_ref().unwrap_or(&repository.registration);
    let target = format!("{}/{}", repository.scope, wanted.name);
    let detail = serde_json::to_value(wanted).map_err(|error| {
        Refusal::new(Code::Internal, format!("a registration cannot be written: {error}"))
    })?;
    let told = Told::done(&repository.scope, Action::RepositoryPut, target).with("registration", detail);
    let phase = Some((Phase::Intent, act.id(Noun::Act, probe.key())));
    act.audit(Told { result: ActResult::Pending, phase, ..told })
}

/// Forgets a repository. Its mirror stays in the agent's work folder, where a later registration finds it again, until nobody has
/// used it for 30 days.
///
/// # Errors
/// 404; 409 `in_use` while a change of it is not final.
pub fn delete(act: &mut Act<'_>, scope: &str, name: &str) -> Result<(), Refusal> {
    let missing = || Refusal::missing("repository", name);
    let key = act.memory.names.scope_key(scope).ok_or_else(missing)?;
    let known = repository::get(act.tx, key, name).map_err(refusal_of)?.ok_or_else(missing)?;
    if let Some(change) = tiltyard_store::change::unfinished(act.tx, key, name).map_err(refusal_of)? {
        let text = format!("{change} is not final: merge, reject or cancel the changes of {name} first");
        return Err(Refusal::new(Code::InUse, text).with("change", change.to_string()));
    }
    repository::delete(act.tx, key, name).map_err(refusal_of)?;
    end_probe(act, known.probe)?;
    act.event(key, &Subject::from(name), None, &RepositoryDeleted {})?;
    act.audit(Told::done(scope, Action::RepositoryDeleted, format!("{scope}/{name}")))
}

/// The repository that a change is made for.
///
/// # Errors
/// 422 `unknown_repository`, or `repository_unusable` with the reason.
pub(crate) fn usable(act: &Act<'_>, scope: i64, name: &str) -> Result<Repository, Refusal> {
    let known = repository::get(act.tx, scope, name).map_err(refusal_of)?;
    let field = "/payload/repository";
    let Some(known) = known else {
        let text = format!("there is no repository `{name}` in this scope: an admin can register it");
        return Err(Refusal::fault(Code::UnknownRepository, field, text));
    };
    match known.state {
        State::Ready => Ok(known),
        State::Probing => {
            let text = format!("the agent of `{name}` has not looked at it yet: try again in a moment");
            Err(Refusal::fault(Code::RepositoryUnusable, field, text))
        }
        State::Unusable => {
            let why = known.error.unwrap_or_default();
            let text = format!("`{name}` cannot be used: {why}; mend it and register it again");
            Err(Refusal::fault(Code::RepositoryUnusable, field, text))
        }
    }
}
