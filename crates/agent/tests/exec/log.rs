//! C10: the log of an attempt: nothing lost on the way, bounded, read from any acknowledged offset.

use proptest::prelude::*;
use std::time::Duration;
use tiltyard_agent::log::{
    self, Chunk, LOG_CHUNK_BYTES, LogLimits, LogReader, LogSummary, MAX_LOG_BYTES, MAX_MARK_BYTES,
    ResumeError,
};
use tiltyard_agent::process::{OutputSink, Voice};

async fn rest(reader: &mut LogReader) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next().await.expect("reads") {
        chunks.push(chunk);
    }
    chunks
}

fn text(chunks: &[Chunk]) -> String {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}

fn assert_gapless(chunks: &[Chunk], mut offset: u64) {
    for chunk in chunks {
        assert_eq!(chunk.offset, offset);
        assert!(!chunk.text.is_empty() && chunk.text.len() <= LOG_CHUNK_BYTES);
        offset = chunk.end();
    }
}

#[tokio::test]
async fn c10_output_comes_in_whole_chunks_without_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut reader) = log::begin(folder.path(), LogLimits::default()).expect("begins");
    let line = "0123456789 äöü€🦀\n".repeat(10_000);
    line.as_bytes().chunks(7_001).for_each(|piece| writer.write(Voice::Out, piece).expect("keeps"));
    let summary = writer.finish().expect("finishes");
    assert_eq!(summary, LogSummary { kept_bytes: line.len() as u64, left_out_bytes: 0 });
    let chunks = rest(&mut reader).await;
    assert_gapless(&chunks, 0);
    assert!(text(&chunks) == line);
    assert_eq!(chunks.len(), line.len().div_ceil(LOG_CHUNK_BYTES), "little pieces are put together");
}

#[tokio::test]
async fn c10_little_output_is_handed_on_while_the_program_still_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut reader) = log::begin(folder.path(), LogLimits::default()).expect("begins");
    let waiting = tokio::spawn(async move {
        let first = reader.next().await.expect("reads");
        (first, reader)
    });
    writer.write(Voice::Out, b"one ").expect("keeps");
    writer.write(Voice::Err, b"two").expect("keeps");
    let (first, mut reader) =
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("comes").expect("ends");
    assert_eq!(first, Some(Chunk { offset: 0, text: "one two".to_owned() }));
    writer.note("three\nfour").expect("keeps");
    drop(writer);
    // A writer that is gone without a word has ended the log.
    assert_eq!(text(&rest(&mut reader).await), "[tiltyard] three four\n");
}

#[tokio::test]
async fn c10_after_a_reconnect_the_log_goes_on_from_the_acknowledged_offset() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut reader) = log::begin(folder.path(), LogLimits::default()).expect("begins");
    let line = "äöü ".repeat(50_000);
    writer.write(Voice::Out, line.as_bytes()).expect("keeps");
    let first = reader.next().await.expect("reads").expect("is there");
    reader.next().await.expect("reads").expect("is there");
    // The second chunk was sent, but never acknowledged.
    reader.resume(first.end()).expect("is an offset between two chunks");
    writer.finish().expect("finishes");
    let chunks = rest(&mut reader).await;
    assert_gapless(&chunks, first.end());
    assert!(first.text + &text(&chunks) == line);
    assert!(matches!(reader.resume(1), Err(ResumeError::InsideLetter(1))));
    let beyond = line.len() as u64 + 1;
    assert!(matches!(reader.resume(beyond), Err(ResumeError::BeyondEnd { offset, .. }) if offset == beyond));
    assert_eq!(reader.position(), line.len() as u64);
}

#[tokio::test]
async fn c10_a_log_can_be_read_by_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(log::reopen(folder.path()).expect("looks").is_none());
    let (mut writer, reader) = log::begin(folder.path(), LogLimits::default()).expect("begins");
    writer.write(Voice::Out, "grüße\n".as_bytes()).expect("keeps");
    writer.finish().expect("finishes");
    drop(reader);
    let mut reader = log::reopen(folder.path()).expect("looks").expect("is there");
    reader.resume(4).expect("is behind a letter");
    assert_eq!(text(&rest(&mut reader).await), "ße\n");
}

#[tokio::test]
async fn c10_no_utf8_is_told_as_such_and_offsets_count_the_kept_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut reader) = log::begin(folder.path(), LogLimits::default()).expect("begins");
    writer.write(Voice::Out, b"a\xff").expect("keeps");
    writer.write(Voice::Out, &"ä".as_bytes()[..1]).expect("keeps");
    writer.write(Voice::Err, b"between").expect("keeps");
    writer.write(Voice::Out, &"ä".as_bytes()[1..]).expect("keeps");
    writer.write(Voice::Out, b"\xf0\x9f").expect("keeps");
    writer.finish().expect("finishes");
    let chunks = rest(&mut reader).await;
    assert_eq!(text(&chunks), "a\u{FFFD}betweenä\u{FFFD}");
    assert_gapless(&chunks, 0);
}

#[test]
fn c10_the_limits_make_64_mib() {
    let limits = LogLimits::default();
    assert_eq!(limits.head_bytes + limits.tail_bytes + MAX_MARK_BYTES, MAX_LOG_BYTES);
}

fn read_all(folder: &std::path::Path) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut reader = log::reopen(folder).expect("looks").expect("is there");
    text(&runtime.block_on(rest(&mut reader)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    // C10: head and tail are kept to the byte, and the line between them tells the truth.
    #[test]
    fn c10_head_and_tail_are_kept(
        lines in prop::collection::vec("[a-zä€]{0,30}", 0..80),
        head_bytes in 0u64..300,
        tail_bytes in 0u64..300,
        piece in 1usize..50,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let limits = LogLimits { head_bytes, tail_bytes };
        let (mut writer, _reader) = log::begin(folder.path(), limits).expect("begins");
        let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
        whole.as_bytes().chunks(piece).for_each(|piece| writer.write(Voice::Out, piece).expect("keeps"));
        let summary = writer.finish().expect("finishes");
        let kept = read_all(folder.path());
        prop_assert_eq!(summary.kept_bytes, kept.len() as u64);
        prop_assert!(kept.len() as u64 <= head_bytes + tail_bytes + MAX_MARK_BYTES);
        let mark = format!("\n[tiltyard] {} bytes of output are left out here\n", summary.left_out_bytes);
        if summary.left_out_bytes == 0 {
            prop_assert_eq!(kept, whole);
        } else {
            let (head, tail) = kept.split_once(&mark).expect("the mark is there");
            prop_assert!(whole.starts_with(head) && whole.ends_with(tail));
            prop_assert_eq!((head.len() + tail.len()) as u64 + summary.left_out_bytes, whole.len() as u64);
            prop_assert!(head.len() as u64 + 3 >= head_bytes.min(whole.len() as u64), "the head is used");
        }
    }
}
