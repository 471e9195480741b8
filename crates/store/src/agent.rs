//! Agents.

use crate::backend::sql;
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tiltyard_model::agent::record::Record;
use tiltyard_model::agent::{Agent, Profile};
use tiltyard_model::time::TimeMs;

/// What stands in the column `profile`: what an agent says of itself, and what its connections left behind, as soon as there is
/// something.
#[derive(Default, Serialize, Deserialize)]
struct Column {
    #[serde(flatten)]
    profile: Profile,
    #[serde(default, skip_serializing_if = "is_empty")]
    record: Arc<Record>,
}

fn is_empty(record: &Arc<Record>) -> bool {
    record.is_empty()
}

/// Every agent that is not deleted, with its key.
///
/// # Errors
/// When the store is broken.
pub fn all(rows: &Rows) -> Result<Vec<(i64, Agent)>> {
    rows.all(sql!("agent/all"), &[], |row| {
        let Column { profile, record } = row.json_or_default(3)?;
        let agent = Agent {
            name: row.text(1)?,
            instance: row.opt_text(2)?,
            profile,
            draining: row.int(4)? == 1,
            created_at: row.int(5)?,
            last_seen: row.opt_int(6)?,
            record,
        };
        Ok((row.int(0)?, agent))
    })
}

/// Makes an agent, knows it differently, or brings a deleted one back; gives its key.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, agent: &Agent) -> Result<i64> {
    let profile = json(&Column { profile: agent.profile.clone(), record: Arc::clone(&agent.record) });
    let parameters = [
        (&agent.name).into(),
        agent.instance.as_deref().into(),
        (&profile).into(),
        agent.draining.into(),
        agent.created_at.into(),
        agent.last_seen.into(),
    ];
    tx.number(sql!("agent/put"), &parameters)
}

/// Marks an agent as deleted; its attempts keep its name.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, key: i64, now: TimeMs) -> Result<()> {
    tx.put(sql!("agent/delete"), &[key.into(), now.into()])
}
