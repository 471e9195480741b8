//! Logs of attempts outlive no task: the files go after the commit that removed its row.

use crate::Engine;
use crate::act::refusal_of;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::task::is_kept;

/// Removes the logs of those tasks that are not there any more. An attempt that still wrote when its task went is found the
/// next time.
///
/// # Errors
/// When the store or the disk is broken.
pub async fn sweep(engine: &Engine, tasks: Vec<i64>) -> Result<(), Refusal> {
    let gone = engine.read(move |rows| {
        let mut gone = Vec::new();
        for task in tasks {
            if !is_kept(rows, task).map_err(refusal_of)? {
                gone.push(task);
            }
        }
        Ok(gone)
    });
    let (gone, logs) = (gone.await?, engine.logs().clone());
    let removed =
        tokio::task::spawn_blocking(move || gone.into_iter().try_for_each(|task| logs.remove(task)));
    removed.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?.map_err(refusal_of)
}
