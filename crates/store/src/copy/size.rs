//! How many rows are taken at once: so many that a page takes a few megabytes.

use super::cell::{Cell, Cells};

/// What a page aims at, in bytes.
const PAGE_BYTES: usize = 4 << 20;
/// Most rows of a page.
const MAX_PAGE_ROWS: usize = 4_096;
/// Rows of the first page, when nobody knows yet how large they are; one of a megabyte each is bearable.
const FIRST_PAGE_ROWS: usize = 64;
/// A page grows at most to so many times the one before.
const GROWTH: usize = 4;

/// How many rows are taken at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(usize);

impl Default for Size {
    fn default() -> Self {
        Self(FIRST_PAGE_ROWS)
    }
}

impl Size {
    pub(super) fn rows(self) -> i64 {
        self.0 as i64
    }

    /// Takes the last page as the measure of the next.
    pub(super) fn learn(&mut self, rows: &[Cells]) {
        let bytes: usize = rows.iter().flatten().map(Cell::size).sum();
        let each = (bytes / rows.len().max(1)).max(1);
        self.0 = (PAGE_BYTES / each).clamp(1, MAX_PAGE_ROWS.min(self.0 * GROWTH));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_its_measure() {
        let mut size = Size::default();
        let small = vec![vec![Cell::Null; 4]; 64];
        (0..9).for_each(|_| size.learn(&small));
        assert_eq!(size.rows(), 4_096);
        size.learn(&[vec![Cell::Bytes(vec![0; 1 << 20])]]);
        assert!((2..=4).contains(&size.rows()), "{size:?}");
        size.learn(&[vec![Cell::Bytes(vec![0; 64 << 20])]]);
        assert_eq!(size.rows(), 1);
    }
}
