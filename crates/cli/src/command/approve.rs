//! `tiltyard approve`

use crate::argument::decidable_id;
use crate::context::Context;
use crate::decide::{Seen, Subject, ask, print};
use crate::exit::Failure;
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::{Id, Noun};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::gate::Approve as Body;

/// Say yes to a change or at a gate
///
/// A decision binds what was seen: on a terminal it is shown and you are asked; elsewhere say --subject with
/// the digest that `tiltyard changes ID` or `tiltyard gates show ID` showed.
#[derive(Debug, Args)]
pub struct Approve {
    /// The change or gate, or the run that waits at one
    #[arg(value_parser = decidable_id)]
    id: Id,
    #[command(flatten)]
    seen: Seen,
    /// For the record
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// A JSON Patch (RFC 6902) for the document: what it makes is what is approved; - reads standard input
    #[arg(long, value_name = "FILE")]
    patch: Option<String>,
    /// The id once more, where one identity must approve twice
    #[arg(long, value_name = "ID")]
    confirm: Option<String>,
}

impl Approve {
    /// Decides.
    ///
    /// # Errors
    /// When it is not what was seen, or the server refuses.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        context.block_on(async {
            let subject = Subject::fetch(&client, self.id).await?;
            let patched = subject.patched(&client, self.patch.as_deref()).await?;
            let seen = (&subject, patched.as_ref());
            let digest = ask(context, &client, seen, &self.seen, "Approve").await?;
            let body = Body {
                subject_sha256: Some(digest),
                comment: self.comment.clone(),
                confirm: self.confirm.clone(),
                patch: patched.map(|patched| patched.patch),
            };
            let id = subject.id();
            if id.noun() == Noun::Change {
                let request = Request::<call::ChangeApprove>::new().place(id).body(body).repeatable();
                let decided = client.call(request).await?;
                return print(context, &decided, &decided.gate, decided.replayed);
            }
            let request = Request::<call::GateApprove>::new().place(id).body(body).repeatable();
            let decision = client.call(request).await?;
            print(context, &decision, &decision.gate, decision.replayed)
        })
    }
}
