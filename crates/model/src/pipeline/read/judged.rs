//! What can be judged once all stages are known: expressions, and references to other stages.

use super::Reading;
use super::filled::{Occurrence, Wanted};
use super::gate::GateDraft;
use super::stage::{Draft, Written};
use crate::pipeline::expression::{Expression, Shape, hint};
use crate::pipeline::graph::Graph;
use crate::pipeline::names::{self, Known, Outputs, StageNames};
use crate::pipeline::template::Template;
use crate::pipeline::{RESULT, SUBJECT, Uses, Work};
use serde_json::Value;

impl Reading<'_> {
    pub(super) fn judge(&mut self, written: &[Written], graph: &Graph, input: Option<&Value>) {
        let mut known = Known {
            input: input.map(Shape::of_schema),
            index: written
                .iter()
                .enumerate()
                .rev()
                .map(|(number, stage)| (stage.id.as_str(), number))
                .collect(),
            outputs: vec![Outputs::new(); written.len()],
            graph,
        };
        known.index.remove("");
        // In order, so that what a gate approved and what a foreach made is known behind them; then those in circles.
        let rest = (0..written.len()).filter(|stage| !graph.order.contains(stage));
        for number in graph.order.iter().copied().chain(rest).collect::<Vec<_>>() {
            if let Some(draft) = &written[number].draft {
                known.outputs[number] = outputs(draft, &known);
            }
        }
        for (number, stage) in written.iter().enumerate() {
            self.judge_stage(number, stage, &known);
        }
    }

    fn judge_stage(&mut self, number: usize, stage: &Written, known: &Known<'_>) {
        let names = StageNames { known, stage: number, id: &stage.id, item: None };
        stage.occurrences.iter().for_each(|occurrence| self.occurrence(occurrence, &names));
        let Some(draft) = &stage.draft else { return };
        if let Some(gate) = &draft.gate {
            self.back(gate, number, stage, known);
        }
        if let (Uses::Foreach(foreach), Some((_, occurrences))) = (&draft.work.uses, &draft.each) {
            let item = item(&draft.work, &names);
            let names = StageNames { item: Some((&foreach.name, item)), ..names };
            occurrences.iter().for_each(|occurrence| self.occurrence(occurrence, &names));
        }
    }

    fn occurrence(&mut self, occurrence: &Occurrence, names: &StageNames<'_>) {
        if self.found.is_full() {
            return;
        }
        let Occurrence { expression, written, lead, spot, field, wanted } = occurrence;
        let (shape, wrongs) = expression.judge(names);
        for wrong in wrongs {
            self.found.add(spot.place(written, lead + wrong.at), field, wrong.error);
        }
        if let Some(error) = unwanted(*wanted, &shape) {
            self.found.add(spot.place(written, *lead), field, error);
        }
    }

    fn back(&mut self, gate: &GateDraft, number: usize, stage: &Written, known: &Known<'_>) {
        let Some(back) = &gate.back else { return };
        let error = match known.index.get(back.id.as_str()) {
            None => {
                let shown: String = back.id.chars().take(64).collect();
                format!("there is no stage `{shown}`{}", hint(&back.id, known.index.keys().copied()))
            }
            Some(to) if !known.graph.has_circle() && !known.graph.needs(number, *to) => {
                format!("{} does not run after {}, so it cannot send the run back there", stage.id, back.id)
            }
            Some(_) => return,
        };
        self.found.add(back.place, &back.at, error);
    }
}

fn unwanted(wanted: Wanted, shape: &Shape) -> Option<String> {
    let kind = shape.kind()?;
    match (wanted, shape) {
        (Wanted::Anything, _)
        | (Wanted::Text, Shape::Text | Shape::Number | Shape::Truth)
        | (Wanted::Part, Shape::Text | Shape::Number | Shape::Truth | Shape::List(_) | Shape::Object(_))
        | (Wanted::Number, Shape::Number)
        | (Wanted::Truth, Shape::Truth)
        | (Wanted::List, Shape::List(_)) => None,
        (Wanted::Text, Shape::List(_) | Shape::Object(_)) => {
            Some(format!("a text is needed here, not {kind}; write json(…), or join(…, \", \") for a list"))
        }
        (Wanted::Text | Wanted::Part, _) => Some(format!("a text is needed here, not {kind}")),
        (Wanted::Number, _) => Some(format!("a number is needed here, not {kind}")),
        (Wanted::Truth, _) => Some(format!("true or false is needed here, not {kind}")),
        (Wanted::List, _) => Some(format!("a list is needed here, not {kind}")),
    }
}

/// What is known of an item of a foreach.
fn item(work: &Work, names: &StageNames<'_>) -> Shape {
    match work.with.member("in") {
        Some(Template::Expression(expression)) => items(expression, names),
        _ => Shape::Any,
    }
}

fn items(expression: &Expression, names: &StageNames<'_>) -> Shape {
    match expression.judge(names).0 {
        Shape::List(item) => *item,
        _ => Shape::Any,
    }
}

fn outputs(draft: &Draft, known: &Known<'_>) -> Outputs {
    let Uses::Foreach(foreach) = &draft.work.uses else {
        return of_work(&draft.work, draft.gate.as_ref(), known);
    };
    let gate = draft.each.as_ref().and_then(|(gate, _)| gate.as_ref());
    let each = of_work(&foreach.each, gate, known);
    each.into_iter().map(|(name, shape)| (name, Shape::List(Box::new(shape)))).collect()
}

fn of_work(work: &Work, gate: Option<&GateDraft>, known: &Known<'_>) -> Outputs {
    let said = work
        .outputs
        .iter()
        .map(|output| (output.name.clone(), names::output(&output.from, output.schema.as_ref())));
    let mut outputs: Outputs = said.collect();
    if !outputs.iter().any(|(name, _)| name == RESULT) {
        outputs.push((RESULT.to_owned(), result(&work.uses)));
    }
    if let Some(gate) = gate {
        outputs.push((SUBJECT.to_owned(), approved(gate, known)));
    }
    outputs
}

fn result(uses: &Uses) -> Shape {
    match uses {
        Uses::Http(expect) => {
            let body = expect.schema.as_ref().map_or(Shape::Any, Shape::of_schema);
            Shape::object([("status", Shape::Number), ("headers", Shape::Any), ("body", body)])
        }
        Uses::Gate(_) => Shape::object([
            ("state", Shape::Text),
            ("by", Shape::List(Box::new(Shape::Text))),
            ("comment", Shape::Any),
            ("at", Shape::Text),
        ]),
        _ => Shape::Any,
    }
}

/// What a gate approved is of the sort that it asked about.
fn approved(gate: &GateDraft, known: &Known<'_>) -> Shape {
    let Some((stage, output)) = &gate.subject else { return Shape::Text };
    let outputs = known.index.get(stage.as_str()).and_then(|stage| known.outputs.get(*stage));
    let found = outputs.into_iter().flatten().find(|(name, _)| name == output);
    found.map_or(Shape::Any, |(_, shape)| shape.clone())
}
