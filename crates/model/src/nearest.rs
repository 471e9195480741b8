//! The nearest right name: what a person who mistyped a key probably meant.

/// Longer words are not compared: nobody mistypes that much by accident.
const MAX_WORD_CHARS: usize = 64;

/// The known word with the fewest edits from `word`; `None` when even that one is far off (more than a third
/// of its letters, and more than 2).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().count() > MAX_WORD_CHARS {
        return None;
    }
    let near = known.into_iter().map(|name| (edits(word, name), name)).min_by_key(|(edits, _)| *edits)?;
    let limit = (near.1.chars().count() / 3).max(2);
    (near.0 <= limit).then_some(near.1)
}

/// Levenshtein's distance, where upper and lower case, `-` and `_` are the same.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (plain(a), plain(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let swap = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = swap.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn plain(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).map(|letter| if letter == '-' { '_' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["checks", "auto_merge", "fix_attempts", "merge"];

    #[test]
    fn a_typo_finds_its_word() {
        for (typo, meant) in [
            ("check", "checks"),
            ("auto-merge", "auto_merge"),
            ("fixattempts", "fix_attempts"),
            ("Merge", "merge"),
        ] {
            assert_eq!(nearest(typo, KNOWN), Some(meant));
        }
    }

    #[test]
    fn another_word_finds_none() {
        assert_eq!(nearest("colour", KNOWN), None);
        assert_eq!(nearest(&"checks".repeat(20), KNOWN), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("ab", "", 2)] {
            assert_eq!((edits(a, b), edits(b, a)), (count, count));
        }
    }
}
