//! Cursors: where a reader of the log stands (API20).

use crate::refusal::{Code, Refusal};

/// Longest cursor in characters: two numbers of 63 bits and a dash.
pub const MAX_CURSOR_CHARS: usize = 40;

/// A place in the log; what comes after it is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// `0`: before the oldest event that is kept.
    Oldest,
    /// A bare seq of the present epoch.
    Bare(i64),
    /// `epoch-seq`: the id of an event.
    At {
        /// The epoch that it was written in.
        epoch: i64,
        /// Its place in the store's order.
        seq: i64,
    },
}

impl Cursor {
    /// Reads a cursor.
    ///
    /// # Errors
    /// 400 `bad_parameter` for what is none.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let read = || {
            if text.len() > MAX_CURSOR_CHARS {
                return None;
            }
            match text.split_once('-') {
                Some((epoch, seq)) => {
                    Some(Self::At { epoch: number(epoch).filter(|epoch| *epoch > 0)?, seq: number(seq)? })
                }
                None if text == "0" => Some(Self::Oldest),
                None => number(text).map(Self::Bare),
            }
        };
        read().ok_or_else(|| {
            let text = "`after` must be the id of an event (epoch-seq), a seq, or 0 for the oldest one kept";
            Refusal::new(Code::BadParameter, text)
        })
    }
}

/// The id of an event: what [`Cursor::parse`] reads back.
pub fn id(epoch: i64, seq: i64) -> String {
    format!("{epoch}-{seq}")
}

/// Digits without a sign or leading zeros, as we write them.
fn number(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let leads = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| plain && !leads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // API20: `epoch-seq`, `0`, or a bare seq.
    #[test]
    fn api20_a_cursor_has_three_forms() {
        assert_eq!(Cursor::parse("0").expect("oldest"), Cursor::Oldest);
        assert_eq!(Cursor::parse("17").expect("bare"), Cursor::Bare(17));
        assert_eq!(Cursor::parse("2-17").expect("id"), Cursor::At { epoch: 2, seq: 17 });
        assert_eq!(Cursor::parse("1-0").expect("before the first"), Cursor::At { epoch: 1, seq: 0 });
        for bad in
            ["", "-", "1-", "-1", "0-1", "01", "1-01", "+1", "1-2-3", "x", "1 ", "9223372036854775808", "١"]
        {
            assert_eq!(Cursor::parse(bad).expect_err(bad).code, Code::BadParameter);
        }
    }

    proptest! {
        #[test]
        fn ids_read_back(epoch in 1i64.., seq in 0i64..) {
            prop_assert_eq!(Cursor::parse(&id(epoch, seq)), Ok(Cursor::At { epoch, seq }));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,50}") {
            let _ = Cursor::parse(&text);
        }
    }
}
