//! Lets begin what is to begin, from outside of the door.

use super::begin::{MAX_BEGUN, begin_many};
use super::prepare::{Tools, prepare};
use crate::{Engine, Pass, Urgency};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::run::Part;

impl Engine {
    /// Lets begin what is to begin, at most [`MAX_BEGUN`] parts of runs; says how many did. Another server that does
    /// the same at the same time comes too late, or this one does.
    ///
    /// # Errors
    /// When the store cannot be read or written, or takes no new work: what is to begin stays so.
    pub async fn begin_stages(&self) -> Result<usize, Refusal> {
        let look = |act: &mut crate::Act<'_>| Ok(act.memory.runs.to_begin(None, MAX_BEGUN));
        let parts: Vec<(i64, Part)> = self.enter(Pass::system(), Urgency::Normal, look).await?;
        if parts.is_empty() {
            return Ok(0);
        }
        let tools = Tools { definitions: self.definitions().clone(), blobs: self.blobs().clone() };
        let prepared = self.read(move |rows| prepare(rows, &tools, &parts)).await?;
        self.enter(Pass::system(), Urgency::Normal, move |act| begin_many(act, prepared)).await
    }
}
