//! Texts that name their table only when they run, and many rows at once: for who moves a whole store.

use super::Session;
use crate::backend::Value;
use crate::error::{Error, Result};
use crate::postgres::live::Live;
use tokio_postgres::Row;

impl Session {
    /// The columns of a text, and its rows.
    pub(crate) fn free(
        &self,
        name: &'static str,
        text: &str,
        values: &[Value<'_>],
    ) -> Result<(Vec<String>, Vec<Row>)> {
        self.with_live(async |live| live.free(name, text, values).await)
    }

    /// Writes rows by `text`; the columns of `like` say what types they have.
    pub(crate) fn pour<'a>(
        &self,
        name: &'static str,
        texts: (&str, &str),
        rows: impl Iterator<Item = Vec<Value<'a>>>,
    ) -> Result<()> {
        self.with_live(async |live| live.pour(name, texts, rows).await)
    }

    fn with_live<T>(&self, work: impl AsyncFnOnce(&Live) -> Result<T>) -> Result<T> {
        self.flush()?;
        let state = &mut *self.state.borrow_mut();
        let live = state.live.as_ref().ok_or_else(|| Error::Lost("there is no connection".to_owned()))?;
        let done = self.wait(work(live));
        done.map_err(|error| state.fail(error))
    }
}
