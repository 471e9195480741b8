//! What a definition names that is not in it, so that a name that nobody has is told with its place before anything runs.

use super::node::Node;
use super::place::{Mistake, Mistakes};
use super::template::Template;
use super::{Definition, Uses, Work, yaml};
use crate::refusal::Fault;
use serde_json::Value;

/// A sort of thing that definitions name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// A pipeline, by the name that it was published with.
    Pipeline,
    /// A repository.
    Repository,
}

/// Something of the scope that a definition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// What it is.
    pub sort: Sort,
    /// Its name.
    pub name: String,
    /// JSON Pointer to the name.
    pub field: String,
}

impl Definition {
    /// Every pipeline and repository that it names, in the order of its stages. Names that only an expression tells are not known here.
    pub fn outside(&self) -> Vec<Outside> {
        let mut found = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let at = format!("/stages/{index}/with");
            found.extend(named(&stage.work, &at));
            if let Uses::Foreach(foreach) = &stage.work.uses {
                found.extend(named(&foreach.each, &format!("{at}/do/with")));
            }
        }
        found
    }
}

fn named(work: &Work, at: &str) -> Option<Outside> {
    match &work.uses {
        Uses::Pipeline(name) => {
            Some(Outside { sort: Sort::Pipeline, name: name.clone(), field: format!("{at}/name") })
        }
        Uses::Change => match work.with.member("repository") {
            Some(Template::Value(Value::String(name))) => Some(Outside {
                sort: Sort::Repository,
                name: name.clone(),
                field: format!("{at}/repository"),
            }),
            _ => None,
        },
        _ => None,
    }
}

/// Faults in a definition that was read, with the lines and columns that they have in its text.
pub fn placed(text: &str, faults: Vec<Fault>) -> Vec<Mistake> {
    if faults.is_empty() {
        return Vec::new();
    }
    let node = yaml::read(text, &mut Mistakes::default());
    let mut mistakes: Vec<Mistake> = faults.into_iter().map(|fault| mistake(node.as_ref(), fault)).collect();
    mistakes.sort();
    mistakes
}

fn mistake(node: Option<&Node>, Fault { field, error }: Fault) -> Mistake {
    let place = node.map(|node| node.nearest(&field).place).unwrap_or_default();
    Mistake { line: place.line, column: place.column, field, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "stages:
  - {id: a, uses: pipeline, with: {name: other}}
  - id: b
    uses: change
    with: {repository: app, title: t, program: 'true'}
  - id: c
    uses: foreach
    with:
      in: [1]
      do:
        uses: change
        with:
          title: t
          program: 'true'
          repository: lib
  - id: d
    uses: change
    with: {repository: \"${{ run.scope }}\", title: t, program: 'true'}
";

    // D21: what a definition names outside of itself is told with its place.
    #[test]
    fn d21_names_of_other_things_are_found_with_their_places() {
        let definition = super::super::read(TEXT).expect("reads");
        let found = definition.outside();
        let names: Vec<(Sort, &str)> = found.iter().map(|one| (one.sort, one.name.as_str())).collect();
        assert_eq!(names, [(Sort::Pipeline, "other"), (Sort::Repository, "app"), (Sort::Repository, "lib")]);
        let faults = found.into_iter().map(|one| Fault { field: one.field, error: "who?".into() }).collect();
        let mistakes = placed(TEXT, faults);
        let places: Vec<(u32, u32)> = mistakes.iter().map(|one| (one.line, one.column)).collect();
        assert_eq!(places, [(2, 42), (5, 24), (15, 23)]);
        assert!(placed("", vec![Fault { field: "/x".into(), error: "e".into() }])[0].line == 0);
    }
}
