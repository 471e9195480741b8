//! Where in a JSON text a parser stopped, as a JSON Pointer (RFC 6901): what a problem's `field` says.

/// The pointer to the value at `offset` bytes into `json`, which must be well-formed.
pub fn at(json: &[u8], offset: usize) -> String {
    render(&steps_to(json, offset))
}

/// The pointer to the innermost array or object that is open at `offset`.
pub fn container_at(json: &[u8], offset: usize) -> String {
    let steps = steps_to(json, offset);
    render(steps.split_last().map_or(&[], |(_, outer)| outer))
}

fn steps_to(json: &[u8], offset: usize) -> Vec<Step> {
    let mut walk = Walk { json: &json[..offset.min(json.len())], at: 0, open: Vec::new() };
    while walk.step() {}
    walk.open
}

fn render(steps: &[Step]) -> String {
    steps.iter().filter_map(Step::to_token).fold(String::new(), |pointer, token| pointer + "/" + &token)
}

/// The offset that a parser's line and column (both from 1, in bytes) mean.
pub fn offset_of(json: &[u8], line: usize, column: usize) -> usize {
    let before = json.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    before.map(<[u8]>::len).sum::<usize>() + column
}

/// An array or object that is open, and where in it we are.
enum Step {
    Index(usize),
    Key(Option<String>),
}

impl Step {
    fn to_token(&self) -> Option<String> {
        match self {
            Self::Index(index) => Some(index.to_string()),
            Self::Key(key) => key.as_ref().map(|key| key.replace('~', "~0").replace('/', "~1")),
        }
    }
}

struct Walk<'a> {
    json: &'a [u8],
    at: usize,
    open: Vec<Step>,
}

impl Walk<'_> {
    fn step(&mut self) -> bool {
        let Some(byte) = self.json.get(self.at) else { return false };
        self.at += 1;
        match byte {
            b'[' => self.open.push(Step::Index(0)),
            b'{' => self.open.push(Step::Key(None)),
            b']' | b'}' => drop(self.open.pop()),
            b',' => self.next(),
            b'"' => self.string(),
            _ => {}
        }
        true
    }

    fn next(&mut self) {
        match self.open.last_mut() {
            Some(Step::Index(index)) => *index += 1,
            Some(Step::Key(key)) => *key = None,
            None => {}
        }
    }

    /// A string is a key where its object has none yet.
    fn string(&mut self) {
        let begin = self.at - 1;
        while let Some(byte) = self.json.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        let text = self.json.get(begin..self.at).unwrap_or_default();
        if let Some(Step::Key(key @ None)) = self.open.last_mut() {
            *key = serde_json::from_slice(text).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_the_value_at_the_offset() {
        let json = br#"{"a/b~": [10, {"x": "y,{", "\u0041": 1}], "c": null}"#;
        let place = |needle: &str| {
            let text = std::str::from_utf8(json).unwrap();
            at(json, text.find(needle).unwrap() + needle.len())
        };
        assert_eq!(place("10"), "/a~1b~0/0");
        assert_eq!(place("y,{\""), "/a~1b~0/1/x");
        assert_eq!(place("0041\": 1"), "/a~1b~0/1/A");
        assert_eq!(place("null"), "/c");
        let inner = json.iter().position(|byte| *byte == b'x').unwrap();
        assert_eq!(container_at(json, inner), "/a~1b~0/1");
        assert_eq!((at(json, 0), at(json, 1), at(json, 999)), (String::new(), String::new(), String::new()));
    }

    #[test]
    fn line_and_column_mean_an_offset() {
        assert_eq!(offset_of(b"{\n\n  1}", 3, 3), 6);
        assert_eq!(offset_of(b"12", 1, 2), 2);
    }
}
