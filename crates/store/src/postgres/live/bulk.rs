//! Texts that name their table only when they run, and many rows in the binary form (COPY).

use super::Live;
use crate::backend::Value;
use crate::error::Result;
use crate::postgres::MADE;
use crate::postgres::failure::failure;
use std::pin::pin;
use tokio_postgres::Row;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

impl Live {
    /// The columns of a text, and its rows.
    pub(crate) async fn free(
        &self,
        name: &'static str,
        text: &str,
        values: &[Value<'_>],
    ) -> Result<(Vec<String>, Vec<Row>)> {
        let failed = |error| failure(name, &error);
        let prepared = self.client.prepare(text).await.map_err(failed)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let rows = self.client.query(&prepared, &values).await.map_err(failed)?;
        Ok((prepared.columns().iter().map(|column| column.name().to_owned()).collect(), rows))
    }

    /// Writes rows by `text`; the columns of `like` say what types they have.
    pub(crate) async fn pour<'a>(
        &self,
        name: &'static str,
        (like, text): (&str, &str),
        rows: impl Iterator<Item = Vec<Value<'a>>>,
    ) -> Result<()> {
        let failed = |error| failure(name, &error);
        let like = self.client.prepare(like).await.map_err(failed)?;
        let given = like.columns().iter().filter(|column| !MADE.contains(&column.name()));
        let types: Vec<Type> = given.map(|column| column.type_().clone()).collect();
        let sink = self.client.copy_in(text).await.map_err(failed)?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        for row in rows {
            writer.as_mut().write_raw(row).await.map_err(failed)?;
        }
        writer.finish().await.map(drop).map_err(failed)
    }
}
