//! The report: the house in figures, beside what it aims at (STYLE.md, "Figures").

use super::{House, package, size};

/// The figures, one a line.
pub(super) fn figures(house: &House) -> String {
    let files: Vec<usize> = house.rust.iter().map(|rust| rust.lines).collect();
    let functions: Vec<usize> =
        house.rust.iter().flat_map(crate::rust_text::RustText::functions).map(|own| own.lines).collect();
    let sum = |count: fn(&crate::rust_text::RustText) -> usize| house.rust.iter().map(count).sum::<usize>();
    let (full, comments, tests) = (sum(|r| r.full_lines), sum(|r| r.comment_lines), sum(|r| r.test_lines));
    let lock = house.tree.text("Cargo.lock").unwrap_or_default();
    [
        line("lines a file", &files, &format!("150 / 350 / {}", size::MAX_FILE_LINES)),
        line("lines a function", &functions, &format!("9 / 45 / {}", size::MAX_FUNCTION_LINES)),
        format!("comment lines      {:>16} %   aim 12 to 20 %", percent(comments, full)),
        format!("test : product     {:>18}   aim at least 1.0", ratio(tests, full - tests)),
        format!("packages           {:>18}   limit 600", package::packages(lock).len()),
    ]
    .join("\n")
}

fn line(name: &str, sizes: &[usize], aim: &str) -> String {
    let spread = format!("{} / {} / {}", quantile(sizes, 50), quantile(sizes, 95), quantile(sizes, 100));
    format!("{name:<19}{spread:>18}   aim {aim} (median / p95 / most of {})", sizes.len())
}

/// The nearest-rank quantile, 0 of nothing.
fn quantile(sizes: &[usize], percent: usize) -> usize {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(0)
}

fn ratio(part: usize, whole: usize) -> String {
    let tenths = (part * 10).checked_div(whole).unwrap_or(0);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_rank() {
        let sizes: Vec<usize> = (1..=100).rev().collect();
        assert_eq!((quantile(&sizes, 50), quantile(&sizes, 95), quantile(&sizes, 100)), (50, 95, 100));
        assert_eq!((quantile(&[], 50), quantile(&[7], 50)), (0, 7));
        assert_eq!(ratio(15, 10), "1.5");
    }

    #[test]
    fn the_figures_name_what_they_measure() {
        let text = figures(&House::of(&[("crates/x/src/a.rs", "// why\nfn a() {}\n")]));
        assert!(
            text.contains("lines a function") && text.contains("1 / 1 / 1") && text.contains("50 %"),
            "{text}"
        );
    }
}
