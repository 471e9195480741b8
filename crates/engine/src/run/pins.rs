//! Which versions of pipelines the stages of a run call: what their names stood for when the run at the root began, so
//! that nothing that is published meanwhile changes a run that is under way (D21).

use crate::pipeline::known::Definitions;
use tiltyard_model::pipeline::{Definition, Uses};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::Rows;
use tiltyard_store::run::Pins;

/// Most pipelines that a run calls, also by way of others.
const MAX_PINS: usize = 100;

/// The versions of all pipelines that a definition calls, also by way of others.
///
/// # Errors
/// 422 `unknown_pipeline` for a name that nobody has; beyond [`MAX_PINS`].
pub(crate) fn pins(
    rows: &Rows,
    definitions: &Definitions,
    scope: &str,
    definition: &Definition,
) -> Result<Pins, Refusal> {
    let mut pins = Pins::new();
    let mut open = called(definition);
    while let Some(name) = open.pop() {
        if pins.contains_key(&name) {
            continue;
        }
        if pins.len() >= MAX_PINS {
            let text = format!("it calls more than {MAX_PINS} pipelines, also by way of others");
            return Err(Refusal::field("/pipeline", text));
        }
        let found = crate::pipeline::published(rows, (scope, &name), None)?.ok_or_else(|| {
            let text = format!("it calls the pipeline `{name}`, which nobody has published in the scope");
            Refusal::fault(Code::UnknownPipeline, "/pipeline", text)
        })?;
        open.extend(called(definitions.get(rows, found.version)?.as_ref()));
        pins.insert(name, found.version);
    }
    Ok(pins)
}

fn called(definition: &Definition) -> Vec<String> {
    let named = |uses: &Uses| match uses {
        Uses::Pipeline(name) => Some(name.clone()),
        Uses::Foreach(foreach) => match &foreach.each.uses {
            Uses::Pipeline(name) => Some(name.clone()),
            _ => None,
        },
        _ => None,
    };
    definition.stages.iter().filter_map(|stage| named(&stage.work.uses)).collect()
}
