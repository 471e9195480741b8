//! Mistakes in a file, as editors and people follow them: `file:line:column: field: error`.

use crate::exit::{Exit, Failure};
use tiltyard_client::Error;
use tiltyard_model::pipeline::Mistake;

/// The code of a definition with mistakes.
const PIPELINE_INVALID: &str = "pipeline_invalid";

/// The refusal of a file with mistakes: one line each.
pub fn failure(file: &str, mistakes: &[Mistake]) -> Failure {
    let lines: Vec<String> = mistakes.iter().map(|mistake| line(file, mistake)).collect();
    let code = Some(PIPELINE_INVALID.to_owned());
    let count =
        if mistakes.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) };
    Failure { code, ..Failure::new(Exit::Refused, format!("{file} has {count}\n{}", lines.join("\n"))) }
}

fn line(file: &str, mistake: &Mistake) -> String {
    let Mistake { line, column, field, error } = mistake;
    let place = if *line == 0 { file.to_owned() } else { format!("{file}:{line}:{column}") };
    if field.is_empty() { format!("{place}: {error}") } else { format!("{place}: {field}: {error}") }
}

/// The failure of a call that sent a file: where the server found mistakes in it, with their places in the file.
pub fn of_call(file: &str, error: Error) -> Failure {
    let Some(refused) = error.refused().filter(|refused| refused.code == PIPELINE_INVALID) else {
        return error.into();
    };
    let mistakes: Vec<Mistake> = refused
        .details
        .iter()
        .map(|fault| {
            let field = fault.field.strip_prefix("/definition").unwrap_or(&fault.field).to_owned();
            let (line, column) = (fault.line.unwrap_or_default(), fault.column.unwrap_or_default());
            Mistake { line, column, field, error: fault.error.clone() }
        })
        .collect();
    if mistakes.is_empty() { error.into() } else { failure(file, &mistakes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D21: every mistake with its line and column, exit code 4.
    #[test]
    fn d21_mistakes_are_told_as_editors_follow_them() {
        let mistake =
            |line, field: &str| Mistake { line, column: 7, field: field.into(), error: "is odd".into() };
        let failure = failure("a.yaml", &[mistake(3, "/stages"), mistake(4, ""), mistake(0, "/x")]);
        let text =
            "a.yaml has 3 mistakes\na.yaml:3:7: /stages: is odd\na.yaml:4:7: is odd\na.yaml: /x: is odd";
        assert_eq!((failure.exit, failure.message.as_str()), (Exit::Refused, text));
    }
}
