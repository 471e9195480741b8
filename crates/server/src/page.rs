//! Pages of lists (API3): where one begins, and how long it is.

use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_wire::page::{DEFAULT_PAGE_ITEMS, MAX_OFFSET_ITEMS, MAX_PAGE_ITEMS, PageQuery};

/// How many items, after how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// How many to pass over.
    pub(crate) offset: u32,
    /// How many at most.
    pub(crate) limit: u32,
}

impl Span {
    /// As API3 says: a limit is clamped, an offset is not.
    ///
    /// # Errors
    /// 400 for an offset beyond 10,000, or together with a cursor.
    pub(crate) fn of(limit: Option<u32>, offset: Option<u32>, cursor: Option<&str>) -> Result<Self, Refusal> {
        let bad = |said: &str| Err(Refusal::new(Code::BadParameter, said));
        if cursor.is_some() && offset.is_some() {
            return bad("`offset`: say where the page begins by `cursor` or by `offset`, not by both");
        }
        let offset = offset.unwrap_or(0);
        if offset > MAX_OFFSET_ITEMS {
            return bad("`offset`: at most 10,000; follow `next_cursor` to go further");
        }
        Ok(Self { offset, limit: limit.unwrap_or(DEFAULT_PAGE_ITEMS).clamp(1, MAX_PAGE_ITEMS) })
    }

    /// Of a list that has no other parameters.
    ///
    /// # Errors
    /// As [`Span::of`].
    pub(crate) fn of_query(asked: &PageQuery) -> Result<Self, Refusal> {
        Self::of(asked.limit, asked.offset, asked.cursor.as_deref())
    }
}

/// The key below which a page of a list by id begins: its cursor is the id of the last item before.
///
/// # Errors
/// 400 for a cursor that no page gave.
pub(crate) fn below(noun: Noun, cursor: Option<&str>) -> Result<i64, Refusal> {
    let Some(text) = cursor else { return Ok(i64::MAX) };
    Id::parse_as(noun, text).map(Id::key).map_err(|_| bad_cursor())
}

/// The refusal of a cursor that no page gave.
pub(crate) fn bad_cursor() -> Refusal {
    Refusal::new(Code::BadParameter, "`cursor`: send `next_cursor` of the page before, as it was")
}

#[cfg(test)]
mod tests {
    use super::*;

    // API3: limit 1 to 100, default 50, clamped; offset at most 10,000.
    #[test]
    fn api3_a_page_has_bounds() {
        let span = |limit, offset| Span::of(limit, offset, None).map_err(|refusal| refusal.code);
        assert_eq!(span(None, None), Ok(Span { offset: 0, limit: 50 }));
        assert_eq!(span(Some(0), Some(10_000)), Ok(Span { offset: 10_000, limit: 1 }));
        assert_eq!(span(Some(101), None), Ok(Span { offset: 0, limit: 100 }));
        assert_eq!(span(None, Some(10_001)), Err(Code::BadParameter));
        assert!(Span::of(None, Some(0), Some("x")).is_err());
    }

    #[test]
    fn api3_a_cursor_is_an_id_of_its_list() {
        let id = Id::from_parts(Noun::Task, 77, 5);
        assert_eq!(below(Noun::Task, Some(&id.to_string())).unwrap(), 77);
        assert_eq!(below(Noun::Task, None).unwrap(), i64::MAX);
        assert!(below(Noun::Gate, Some(&id.to_string())).is_err());
    }
}
