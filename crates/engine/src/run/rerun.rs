//! A person lets a run that has ended go on from a stage again (D22).

use super::advance::{News, try_advance};
use super::start::room;
use super::{find, load};
use crate::act::Act;
use crate::act::record::Told;
use tiltyard_model::audit::Action;
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::run::Outcome;
use tiltyard_model::run::step::Unfit;
use tiltyard_store::run::Found;

/// Runs a run again: from a stage on, or whatever of it is not done.
///
/// # Errors
/// 404; 409 `wrong_state` while it has not ended or is still stopping, and where there is nothing to run; 409
/// `run_is_part` for a run of another run's stage; 422 for a stage that it does not have; 503 `overloaded`.
pub fn rerun(act: &mut Act<'_>, id: Id, from: Option<&str>) -> Result<Found, Refusal> {
    let found = find::visible(act, id)?;
    if found.made.root != found.key {
        let root = act.id(Noun::Run, found.made.root);
        let text = format!("{id} is a stage of {root}: run that again, from the stage that started this one");
        return Err(Refusal::new(Code::RunIsPart, text).with("root", root.to_string()));
    }
    let is_here = act.memory.runs.get(found.key).is_some();
    if !is_here {
        let live = load::load(act, found.key)?;
        room(act, live.run.stages().len())?;
        act.memory.put_run(found.key, live);
    }
    let Some(live) = act.memory.runs.get(found.key) else { return Err(Refusal::missing("run", id)) };
    let stage = match from {
        None => None,
        Some(name) => Some(live.graph.find(name).ok_or_else(|| unknown(name, live.graph.as_ref()))?),
    };
    let name = |stage: u32| live.graph.node(stage).id.clone();
    let names: Vec<String> = (0..live.graph.len()).map(name).collect();
    let news = News::of(found.key, Outcome::Rerun(stage));
    try_advance(act, &news)?.map_err(|unfit| refused(unfit, id, &names))?;
    let told = Told::done(&found.scope_name, Action::RunRerun, id);
    act.audit(told.with("from_stage", from.map(str::to_owned)))?;
    find::by_key(act.tx, found.key)
}

fn unknown(name: &str, graph: &tiltyard_model::run::graph::Graph) -> Refusal {
    let shown: String = name.chars().take(64).collect();
    let known = (0..graph.len().min(20)).map(|stage| graph.node(stage).id.as_str());
    let known: Vec<&str> = known.collect();
    let text = format!("the run has no stage `{shown}`; it has {}", known.join(", "));
    Refusal::field("/from_stage", text)
}

fn refused(unfit: Unfit, id: Id, names: &[String]) -> Refusal {
    let name = |stage: u32| names.get(stage as usize).map_or("?", String::as_str);
    match unfit {
        Unfit::Blocked { stage, root } => {
            let text = format!(
                "it would be skipped again, for `{}` did not succeed: `tiltyard runs rerun {id} --from {}`",
                name(stage),
                name(root)
            );
            Refusal::new(Code::WrongState, text).with("root", name(root))
        }
        other => other.into(),
    }
}
