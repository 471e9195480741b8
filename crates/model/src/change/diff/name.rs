//! File names in a diff: plain, or quoted as C strings when they hold odd bytes.

/// A name with its prefix (`a/`, `b/`) taken off, and that prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) prefix: u8,
    pub(super) path: String,
}

/// The two names of `diff --git a/x b/x`. `None` where they cannot be told apart: names with blanks that differ
/// are written again as `rename from` and `rename to`.
pub(super) fn both(rest: &[u8]) -> Result<Option<(Name, Name)>, String> {
    let pair = if rest.first() == Some(&b'"') {
        let (old, rest) = quoted(rest)?;
        let new = rest.strip_prefix(b" ").ok_or("the second name is missing")?;
        Some((old, any(new)?))
    } else if rest.last() == Some(&b'"') && rest.windows(2).any(|part| part == b" \"") {
        let split = rest.windows(2).position(|part| part == b" \"").unwrap_or_default();
        Some((rest[..split].to_vec(), quoted(&rest[split + 1..])?.0))
    } else {
        same(rest).or_else(|| lone_blank(rest))
    };
    match pair {
        Some((old, new)) => Ok(Some((prefixed(&old)?, prefixed(&new)?))),
        None => Ok(None),
    }
}

/// `a/NAME b/NAME` with the same name twice, which may hold blanks.
fn same(rest: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let half = rest.len().checked_sub(1)? / 2;
    let (old, new) = (rest.get(..half)?, rest.get(half + 1..)?);
    let equal = rest.get(half) == Some(&b' ') && old.len() > 2 && old.get(2..) == new.get(2..);
    equal.then(|| (old.to_vec(), new.to_vec()))
}

fn lone_blank(rest: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut parts = rest.split(|byte| *byte == b' ');
    let pair = (parts.next()?.to_vec(), parts.next()?.to_vec());
    parts.next().is_none().then_some(pair)
}

/// A name after `--- ` or `+++ `; `None` for `/dev/null`.
pub(super) fn side(rest: &[u8]) -> Result<Option<Name>, String> {
    let bytes = any(rest)?;
    if bytes == b"/dev/null" { Ok(None) } else { prefixed(&bytes).map(Some) }
}

/// A name without prefix, after `rename from ` and the like.
pub(super) fn bare(rest: &[u8]) -> Result<String, String> {
    path(&any(rest)?)
}

fn any(rest: &[u8]) -> Result<Vec<u8>, String> {
    if rest.first() == Some(&b'"') {
        return Ok(quoted(rest)?.0);
    }
    // Behind a tab stands a time; git writes the tab alone when a name holds blanks.
    let end = rest.iter().position(|byte| *byte == b'\t').unwrap_or(rest.len());
    Ok(rest[..end].to_vec())
}

fn prefixed(bytes: &[u8]) -> Result<Name, String> {
    match bytes {
        [prefix @ (b'a' | b'b' | b'c' | b'i' | b'o' | b'w'), b'/', rest @ ..] => {
            Ok(Name { prefix: *prefix, path: path(rest)? })
        }
        _ => Err("a name lacks its prefix; write the diff with a/ and b/".to_owned()),
    }
}

fn path(bytes: &[u8]) -> Result<String, String> {
    let path = String::from_utf8_lossy(bytes).into_owned();
    let inside = |part: &str| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git");
    if path.split('/').all(inside) {
        Ok(path)
    } else {
        Err(format!("`{}` is no path in a repository", path.chars().take(100).collect::<String>()))
    }
}

/// The bytes of a quoted name, and what follows the closing quote.
fn quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let mut bytes = Vec::new();
    let mut rest = text.get(1..).unwrap_or_default();
    loop {
        match rest {
            [b'"', after @ ..] => return Ok((bytes, after)),
            [b'\\', code @ (b'0'..=b'3'), b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                bytes.push(((code - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = after;
            }
            [b'\\', letter, after @ ..] => {
                bytes.push(escape(*letter).ok_or("a quoted name holds an unknown escape")?);
                rest = after;
            }
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
            [] => return Err("a quoted name has no end".to_owned()),
        }
    }
}

const fn escape(letter: u8) -> Option<u8> {
    match letter {
        b'a' => Some(7),
        b'b' => Some(8),
        b't' => Some(b'\t'),
        b'n' => Some(b'\n'),
        b'v' => Some(11),
        b'f' => Some(12),
        b'r' => Some(b'\r'),
        b'"' | b'\\' => Some(letter),
        _ => None,
    }
}
