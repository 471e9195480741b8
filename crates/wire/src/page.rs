//! Lists (API3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most items of one page.
pub const MAX_PAGE_ITEMS: u32 = 100;
/// Items of a page that names no limit.
pub const DEFAULT_PAGE_ITEMS: u32 = 50;
/// Largest offset; beyond it, follow the cursor.
pub const MAX_OFFSET_ITEMS: u32 = 10_000;
/// Up to here `total` is exact.
pub const MAX_EXACT_TOTAL: u64 = 10_000;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub next_cursor: Option<String>,
    /// How many there are in all, exact up to 10,000.
    pub total: u64,
    /// `at_least` when there are more than `total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_is: Option<TotalIs>,
}

/// How `total` is meant when it is not exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TotalIs {
    /// There are more.
    AtLeast,
}

impl<T> Page<T> {
    /// A page with its total; more than 10,000 become "at least 10,000".
    pub fn new(items: Vec<T>, next_cursor: Option<String>, total: u64) -> Self {
        let total_is = (total > MAX_EXACT_TOTAL).then_some(TotalIs::AtLeast);
        Self { items, next_cursor, total: total.min(MAX_EXACT_TOTAL), total_is }
    }

    /// The same page of other items.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        let items = self.items.into_iter().map(each).collect();
        Page { items, next_cursor: self.next_cursor, total: self.total, total_is: self.total_is }
    }
}

/// Where a page lies; flattened into each list's filters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PageQuery {
    /// The scope; all of the token's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many to pass over, at most 10,000; not together with a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// Where a page lies in a list that belongs to one thing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartQuery {
    /// 1 to 100, clamped; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many to pass over, at most 10,000; not together with a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// `?scope=` alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScopeQuery {
    /// The scope; the token's only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// No parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}
