//! Lets begin what is to begin, from outside of the door.

use super::begin::{MAX_BEGUN, begin_many};
use super::prepare::{Tools, prepare};
use super::stop::end_doomed;
use crate::{Engine, Pass, Urgency};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::Part;

impl Engine {
    /// Lets begin what is to begin, at most [`MAX_BEGUN`] parts of runs from where the last look ended, and calls off runs that those above them have told to stop
    /// and that were too many for one deed; says how many did, or that there is more to look at. Another server that does
    /// the same at the same time comes too late, or this one does.
    ///
    /// # Errors
    /// When the store cannot be read or written, or takes no new work: what is to begin stays so.
    pub async fn begin_stages(&self) -> Result<usize, Refusal> {
        let after = self.looked_at().take();
        let look = move |act: &mut crate::Act<'_>| {
            let ended = end_doomed(act)?;
            Ok((ended, act.memory.runs.to_begin(after, MAX_BEGUN)))
        };
        let found: (usize, Vec<(i64, Part)>) = self.enter(Pass::system(), Urgency::Normal, look).await?;
        let (ended, parts) = found;
        if parts.is_empty() {
            return Ok(ended);
        }
        let (looked, last) = (parts.len(), parts.last().copied());
        let tools = Tools { definitions: self.definitions().clone(), blobs: self.blobs().clone() };
        let prepared = self.read(move |rows| prepare(rows, &tools, &parts)).await?;
        let begun = self.enter(Pass::system(), Urgency::Normal, move |act| begin_many(act, prepared)).await?;
        // Some have to wait: the next look begins behind them, and the one after the last begins anew.
        let more = begun < looked && looked == MAX_BEGUN;
        if more {
            *self.looked_at() = last;
        }
        Ok((begun + ended).max(usize::from(more)))
    }
}
