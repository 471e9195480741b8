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
/// To have it done differently instead, see `tiltyard changes send-back`.
#[derive(Debug, Args)]
pub struct Reject {
    /// The change or gate
    #[arg(value_parser = decidable_id)]
    id: Id,
    /// Why
    #[arg(long, value_name = "TEXT", required = true)]
    reason: String,
    #[command(flatten)]
    seen: Seen,
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
            let digest = ask(context, &client, &subject, &self.seen, "Reject").await?;
            let body = Body { subject_sha256: Some(digest), reason: Some(self.reason.clone()) };
            if self.id.noun() == Noun::Change {
                let request = Request::<call::ChangeReject>::new().place(self.id).body(body).repeatable();
                let decided = client.call(request).await?;
                return print(context, &decided, &decided.gate, decided.replayed);
            }
            let request = Request::<call::GateReject>::new().place(self.id).body(body).repeatable();
            let decision = client.call(request).await?;
            print(context, &decision, &decision.gate, decision.replayed)
        })
    }
}
