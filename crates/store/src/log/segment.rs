//! A log as pieces: which bytes each one has stands in its name. Pieces may overlap, because two servers may have been sent the
//! same bytes; where they do, they are alike, because the bytes of an attempt's log have their place by their offset.

/// A piece that is smaller is worth being joined with its neighbours.
const SMALL_BYTES: u64 = 1024 * 1024;
/// Most bytes that are joined into one piece.
const MAX_JOINED_BYTES: u64 = 8 * 1024 * 1024;
/// Digits of an offset in a name: names are in the order of offsets.
const DIGITS: usize = 12;

/// Bytes of a log, from `start` on, up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Segment {
    pub(super) fn name(self) -> String {
        format!("{:0DIGITS$}-{:0DIGITS$}", self.start, self.end)
    }

    /// `None` for a name that is not of a piece.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (start, end) = name.split_once('-')?;
        let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.len() == DIGITS);
        let (start, end) = (number(start)?, number(end)?);
        (start < end).then_some(Self { start, end })
    }

    fn bytes(self) -> u64 {
        self.end - self.start
    }

    fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// How many bytes are there from the beginning on without a gap.
pub(super) fn length(segments: &[Segment]) -> u64 {
    let mut end = 0;
    while let Some(next) = at(segments, end) {
        end = next.end;
    }
    end
}

/// The piece with the byte at `offset` that leads furthest.
pub(super) fn at(segments: &[Segment], offset: u64) -> Option<Segment> {
    let has = |segment: &&Segment| segment.start <= offset && offset < segment.end;
    segments.iter().filter(has).max_by_key(|segment| segment.end).copied()
}

/// What can become one piece: the first row of at least `least` small ones, without a gap.
pub(super) fn joinable(segments: &[Segment], least: usize) -> Option<Segment> {
    let (mut end, total) = (0, length(segments));
    let mut run: Option<(Segment, usize)> = None;
    while let Some(next) = at(segments, end).filter(|_| end < total) {
        let own = Segment { start: end, end: next.end };
        let fits = |(run, _): &(Segment, usize)| own.end - run.start <= MAX_JOINED_BYTES;
        run = match run.filter(fits) {
            _ if next.bytes() >= SMALL_BYTES => None,
            Some((run, count)) => Some((Segment { end: own.end, ..run }, count + 1)),
            None => Some((own, 1)),
        };
        if let Some((joined, count)) = run
            && count >= least
        {
            return Some(joined);
        }
        end = next.end;
    }
    None
}

/// What is not needed any more where there is a piece with all of `joined`.
pub(super) fn covered(segments: &[Segment], joined: Segment) -> Vec<Segment> {
    segments.iter().copied().filter(|segment| joined.covers(*segment) && *segment != joined).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(u64, u64)]) -> Vec<Segment> {
        pairs.iter().map(|&(start, end)| Segment { start, end }).collect()
    }

    #[test]
    fn a_name_says_which_bytes_it_has() {
        let segment = Segment { start: 7, end: 1_000_007 };
        assert_eq!(segment.name(), "000000000007-000001000007");
        assert_eq!(Segment::of(&segment.name()), Some(segment));
        for name in ["", "7-9", "000000000007-000000000007", "000000000009-000000000007", "x"] {
            assert_eq!(Segment::of(name), None, "{name}");
        }
    }

    // C10: pieces that were sent to two servers stand there once.
    #[test]
    fn c10_pieces_may_overlap_and_a_gap_ends_the_log() {
        let pieces = of(&[(0, 10), (0, 6), (6, 15), (10, 12), (20, 30)]);
        assert_eq!(length(&pieces), 15);
        assert_eq!(at(&pieces, 9), Some(Segment { start: 6, end: 15 }));
        assert_eq!((at(&pieces, 15), length(&[])), (None, 0));
    }

    #[test]
    fn small_pieces_are_joined_and_large_ones_stay() {
        let small: Vec<_> = (0..4).map(|n| (n * 10, n * 10 + 10)).collect();
        assert_eq!(joinable(&of(&small), 5), None, "too few");
        let joined = joinable(&of(&small), 4).expect("are enough");
        assert_eq!(joined, Segment { start: 0, end: 40 });
        assert_eq!(covered(&of(&[(0, 10), (5, 20), (30, 41), (0, 40)]), joined), of(&[(0, 10), (5, 20)]));
        let large = 2 * SMALL_BYTES;
        let behind = of(&[(0, large), (large, large + 1), (large + 1, large + 2), (large + 5, large + 6)]);
        assert_eq!(joinable(&behind, 2), Some(Segment { start: large, end: large + 2 }));
        assert_eq!(joinable(&behind, 3), None, "nothing is joined over a gap");
    }
}
