//! Pages of lists (API3): where one begins, and how long it is.

use tiltyard_model::id::{Id, Noun};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::slug::is_slug;
use tiltyard_wire::page::{DEFAULT_PAGE_ITEMS, MAX_OFFSET_ITEMS, MAX_PAGE_ITEMS, Page, PageQuery, PartQuery};

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

/// What a list by name is sorted by: its scope, empty where it has none, and its name.
pub(crate) type Name = (String, String);

/// A page of a list that is short enough to be read as a whole. `all` is sorted by `name`; the cursor is the name of
/// the last item before.
///
/// # Errors
/// As [`Span::of`].
pub(crate) fn by_name<T>(
    all: Vec<T>,
    asked: &PageQuery,
    name: impl Fn(&T) -> Name,
) -> Result<Page<T>, Refusal> {
    let (span, total) = (Span::of_query(asked)?, all.len() as u64);
    let after = asked.cursor.as_deref().map(|cursor| match cursor.split_once('/') {
        Some((scope, name)) => (scope.to_owned(), name.to_owned()),
        None => (String::new(), cursor.to_owned()),
    });
    // The cursor of another kind of list would find a place in this one, and silently the wrong one.
    let is_scoped = all.first().map(|item| !name(item).0.is_empty());
    let is_odd = |(scope, own): &Name| {
        !is_slug(own)
            || own.parse::<Id>().is_ok()
            || is_scoped.is_some_and(|scoped| scoped == scope.is_empty())
    };
    if after.as_ref().is_some_and(is_odd) {
        return Err(bad_cursor());
    }
    let rest = all.into_iter().filter(|item| after.as_ref().is_none_or(|after| name(item) > *after));
    let mut items: Vec<T> = rest.skip(span.offset as usize).take(span.limit as usize + 1).collect();
    let more = items.len() > span.limit as usize;
    items.truncate(span.limit as usize);
    let next = items.last().filter(|_| more).map(|item| match name(item) {
        (scope, name) if scope.is_empty() => name,
        (scope, name) => format!("{scope}/{name}"),
    });
    Ok(Page::new(items, next, total))
}

/// From which end of a list its places are counted: the one that does not grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The oldest is the first, or nothing is added between two pages.
    First,
    /// The oldest is the last.
    Last,
}

/// A page of a list of one thing that is short enough to be read as a whole; its cursor is a place in it.
///
/// # Errors
/// As [`Span::of`]; 400 for a cursor that no page gave.
pub(crate) fn by_place<T>(all: Vec<T>, asked: &PartQuery, end: End) -> Result<Page<T>, Refusal> {
    let span = Span::of(asked.limit, asked.offset, asked.cursor.as_deref())?;
    let (count, place) = (all.len(), |text: &str| text.parse::<usize>().map_err(|_| bad_cursor()));
    let begin = match (asked.cursor.as_deref().map(place).transpose()?, end) {
        (None, _) => span.offset as usize,
        (Some(place), End::First) => place,
        (Some(left), End::Last) => count.saturating_sub(left),
    };
    let items: Vec<T> = all.into_iter().skip(begin).take(span.limit as usize).collect();
    let stop = begin.saturating_add(items.len());
    let next = (stop < count).then(|| match end {
        End::First => stop.to_string(),
        End::Last => (count - stop).to_string(),
    });
    Ok(Page::new(items, next, count as u64))
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

    // API3: a list of one thing has pages that neither leave out nor repeat while it grows.
    #[test]
    fn api3_a_list_of_one_thing_has_pages() {
        let asked = |cursor: Option<&str>| PartQuery {
            limit: Some(2),
            cursor: cursor.map(str::to_owned),
            offset: None,
        };
        let first = by_place(vec![1, 2, 3], &asked(None), End::First).unwrap();
        assert_eq!((first.items, first.total, first.next_cursor.as_deref()), (vec![1, 2], 3, Some("2")));
        let last = by_place(vec![1, 2, 3, 4], &asked(Some("2")), End::First).unwrap();
        assert_eq!((last.items, last.next_cursor), (vec![3, 4], None));
        let first = by_place(vec![3, 2, 1], &asked(None), End::Last).unwrap();
        let last = by_place(vec![4, 3, 2, 1], &asked(first.next_cursor.as_deref()), End::Last).unwrap();
        assert_eq!((last.items, last.next_cursor), (vec![1], None));
        let beyond = by_place(vec![1], &asked(Some("9")), End::First).unwrap();
        assert_eq!((beyond.items, beyond.next_cursor), (vec![], None));
        assert_eq!(by_place(vec![1], &asked(Some("x")), End::Last).unwrap_err().code, Code::BadParameter);
    }

    // API3: a list that is read as a whole has pages like any other; a scope's name decides before a queue's.
    #[test]
    fn api3_a_short_list_has_pages_too() {
        let all = ["a/x", "a/y", "a-b/x", "b/x"].map(|text| text.split_once('/').expect("has both"));
        let name = |item: &(&str, &str)| (item.0.to_owned(), item.1.to_owned());
        let mut asked = PageQuery { limit: Some(3), ..PageQuery::default() };
        let first = by_name(all.to_vec(), &asked, name).expect("a page");
        assert_eq!((first.items.len(), first.total, first.next_cursor.as_deref()), (3, 4, Some("a-b/x")));
        asked.cursor = first.next_cursor;
        let last = by_name(all.to_vec(), &asked, name).expect("a page");
        assert_eq!((last.items.as_slice(), last.next_cursor), (&all[3..], None));
    }
}
