//! `tiltyard changes send-back`

use crate::argument::change_id;
use crate::context::Context;
use crate::decide::{Seen, Subject, ask};
use crate::exit::Failure;
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::Id;
use tiltyard_wire::change::{Comment, SendBack as Body};
use tiltyard_wire::endpoint::call;

/// Send a change back to its agent with comments
#[derive(Debug, Args)]
pub struct SendBack {
    /// The change
    #[arg(value_parser = change_id)]
    id: Id,
    /// What to do about it: TEXT, FILE: TEXT or FILE:LINE: TEXT; may be given many times
    #[arg(long = "comment", value_name = "COMMENT", required = true, value_parser = comment)]
    comments: Vec<Comment>,
    #[command(flatten)]
    seen: Seen,
}

impl SendBack {
    /// Sends it back.
    ///
    /// # Errors
    /// When it is not what was seen, or the server refuses.
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let subject = Subject::fetch(&client, self.id).await?;
        let digest = ask(context, &client, (&subject, None), &self.seen, "Send back").await?;
        let body = Body { subject_sha256: Some(digest), comments: self.comments.clone() };
        let decided = client.call(Request::<call::ChangeSendBack>::new().place(self.id).body(body)).await?;
        if context.output.is_json() {
            return context.output.json(&decided);
        }
        context.output.line(&format!("{}  {}", decided.change.id, decided.change.state))
    }
}

/// A place is a path without blanks, so that a sentence with a colon is not taken for one.
fn comment(text: &str) -> Result<Comment, String> {
    let whole = |text: &str| Comment { path: None, line: None, text: text.trim().to_owned() };
    let comment = match text.split_once(": ") {
        Some((place, rest)) if !place.is_empty() && !place.contains(char::is_whitespace) => at(place, rest),
        _ => whole(text),
    };
    if comment.text.is_empty() { Err("says nothing".to_owned()) } else { Ok(comment) }
}

fn at(place: &str, text: &str) -> Comment {
    let numbered = place.rsplit_once(':').and_then(|(path, line)| Some((path, line.parse().ok()?)));
    let (path, line) = numbered.map_or((place, None), |(path, line)| (path, Some(line)));
    Comment { path: Some(path.to_owned()), line, text: text.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_may_name_its_place() {
        let read = |text| comment(text).map(|comment| (comment.path, comment.line, comment.text));
        assert_eq!(read("use the helper"), Ok((None, None, "use the helper".into())));
        assert_eq!(read("src/a.rs: rename"), Ok((Some("src/a.rs".into()), None, "rename".into())));
        assert_eq!(read("src/a.rs:12: rename"), Ok((Some("src/a.rs".into()), Some(12), "rename".into())));
        assert_eq!(read("please note: rename"), Ok((None, None, "please note: rename".into())));
        assert!(read(" ").is_err());
    }
}
