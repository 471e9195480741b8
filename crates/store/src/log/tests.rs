use super::*;
use std::fs::File;

fn open() -> (tempfile::TempDir, Logs) {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path()).unwrap();
    (folder, logs)
}

fn all(logs: &Logs, generation: i64) -> String {
    String::from_utf8(logs.read(7, generation, 0, usize::MAX).unwrap()).unwrap()
}

// C10: the log is streamed in pieces; a piece whose answer was lost is sent again and stands there once.
#[test]
fn c10_a_piece_that_is_sent_again_is_not_written_again() {
    let (_folder, logs) = open();
    assert_eq!(logs.append(7, 1, 0, b"one ").unwrap(), 4);
    assert_eq!(logs.append(7, 1, 4, b"two ").unwrap(), 8);
    assert_eq!(logs.append(7, 1, 4, b"two ").unwrap(), 8);
    assert_eq!(logs.append(7, 1, 4, b"two three").unwrap(), 13, "only what is new is added");
    assert_eq!(logs.append(7, 1, 0, b"one").unwrap(), 13, "an old piece takes nothing away");
    assert_eq!(all(&logs, 1), "one two three");
    assert_eq!(logs.append(7, 2, 0, b"another").unwrap(), 7);
    assert_eq!(all(&logs, 2), "another");
}

#[test]
fn a_gap_is_refused_with_the_place_to_go_on() {
    let (_folder, logs) = open();
    logs.append(7, 1, 0, b"one").unwrap();
    assert!(matches!(logs.append(7, 1, 4, b"three"), Err(LogError::Gap { length: 3 })));
    assert!(matches!(logs.append(7, 9, 1, b"x"), Err(LogError::Gap { length: 0 })));
    assert_eq!(all(&logs, 1), "one");
}

#[test]
fn a_log_has_an_end() {
    let (folder, logs) = open();
    logs.append(7, 1, 0, b"x").unwrap();
    File::options()
        .write(true)
        .open(folder.path().join("logs/7/1.log"))
        .unwrap()
        .set_len(MAX_LOG_BYTES)
        .unwrap();
    assert!(matches!(logs.append(7, 1, MAX_LOG_BYTES, b"x"), Err(LogError::TooLong { .. })));
    assert_eq!(logs.append(7, 1, MAX_LOG_BYTES - 1, b"x").unwrap(), MAX_LOG_BYTES);
    assert_eq!(logs.read(7, 1, 0, usize::MAX).unwrap().len(), MAX_READ_BYTES);
}

#[test]
fn logs_survive_a_start_and_are_read_in_parts() {
    let (folder, logs) = open();
    logs.append(7, 1, 0, b"abcdef").unwrap();
    let again = Logs::open(folder.path()).unwrap();
    assert_eq!(again.length(7, 1).unwrap(), Some(6));
    assert_eq!(again.read(7, 1, 2, 3).unwrap(), b"cde");
    assert_eq!(again.read(7, 1, 99, 3).unwrap(), b"");
    assert_eq!((again.length(8, 1).unwrap(), again.read(8, 1, 0, 3).unwrap()), (None, Vec::new()));
    again.remove(7).unwrap();
    again.remove(7).unwrap();
    assert_eq!(again.length(7, 1).unwrap(), None);
}
