//! `tiltyard reject`

use crate::argument::decidable_id;
use crate::context::Context;
use crate::decide::{Seen, Subject, ask, print};
use crate::exit::Failure;
use clap::Args;
use tiltyard_client::Request;
use tiltyard_model::id::{Id, Noun};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::gate::Reject as Body;

/// Say no to a change or at a gate
///
/// To have a change done differently instead, see `tiltyard changes send-back`; a run goes back where its pipeline says so,
/// or to the stage that you name.
#[derive(Debug, Args)]
pub struct Reject {
    /// The change or gate, or the run that waits at one
    #[arg(value_parser = decidable_id)]
    id: Id,
    /// Why
    #[arg(long, value_name = "TEXT", required = true)]
    reason: String,
    #[command(flatten)]
    seen: Seen,
    /// A JSON Patch (RFC 6902) for the document, for the stage that the run goes back to; - reads standard input
    #[arg(long, value_name = "FILE")]
    patch: Option<String>,
    /// The stage that the run goes back to; what its pipeline says when absent
    #[arg(long, value_name = "STAGE")]
    to_stage: Option<String>,
}

impl Reject {
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
            let digest = ask(context, &client, seen, &self.seen, "Reject").await?;
            let body = Body {
                subject_sha256: Some(digest),
                reason: Some(self.reason.clone()),
                patch: patched.map(|patched| patched.patch),
                to_stage: self.to_stage.clone(),
            };
            let id = subject.id();
            if id.noun() == Noun::Change {
                let request = Request::<call::ChangeReject>::new().place(id).body(body).repeatable();
                let decided = client.call(request).await?;
                return print(context, &decided, &decided.gate, decided.replayed);
            }
            let request = Request::<call::GateReject>::new().place(id).body(body).repeatable();
            let decision = client.call(request).await?;
            print(context, &decision, &decision.gate, decision.replayed)
        })
    }
}
