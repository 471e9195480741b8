//! The board: counts and windows of each column.

use crate::queue::Counts;
use crate::task::Brief;
use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiltyard_model::task::State;

/// Most tasks of one column's window.
pub const MAX_WINDOW_TASKS: u32 = 1_000;

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BoardQuery")]
pub struct Query {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// A past moment: the board as it stood then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Tasks a column, 0 to 1,000; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
}

/// The board.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Board")]
pub struct View {
    /// The moment that it shows.
    pub at: Time,
    /// How many are in each state.
    pub counts: Counts,
    /// One a state, in the order of a task's life.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// Its state.
    pub state: State,
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub tasks: Vec<Brief>,
}
