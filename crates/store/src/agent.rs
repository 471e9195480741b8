//! Agents.

use crate::backend::sql;
use crate::error::Result;
use crate::name::json;
use crate::rows::{Rows, Tx};
use tiltyard_model::agent::Agent;
use tiltyard_model::time::TimeMs;

/// Every agent that is not deleted, with its key.
///
/// # Errors
/// When the store is broken.
pub fn all(rows: &Rows) -> Result<Vec<(i64, Agent)>> {
    rows.all(sql!("agent/all"), &[], |row| {
        let agent = Agent {
            name: row.text(1)?,
            instance: row.opt_text(2)?,
            profile: row.json_or_default(3)?,
            draining: row.int(4)? == 1,
            created_at: row.int(5)?,
            last_seen: row.opt_int(6)?,
        };
        Ok((row.int(0)?, agent))
    })
}

/// Makes an agent, knows it differently, or brings a deleted one back; gives its key.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn put(tx: &Tx, agent: &Agent) -> Result<i64> {
    let profile = json(&agent.profile);
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
