use crate::{each, each_shared};
use tiltyard_store::depot::Depot;
use tiltyard_store::log::{LogError, MAX_LOG_BYTES, MAX_READ_BYTES, Promise};

fn all(depot: &Depot, generation: i64) -> String {
    let found = depot.logs().read(7, generation, 0, usize::MAX).expect("reads");
    String::from_utf8(found).expect("is text")
}

// C10: the log is streamed in pieces; a piece whose answer was lost is sent again and stands there once.
#[test]
fn c10_a_piece_that_is_sent_again_is_not_written_again() {
    each(|site| {
        let depot = site.open("a");
        let logs = depot.logs();
        assert_eq!(logs.append(7, 1, 0, b"one ").unwrap(), 4);
        assert_eq!(logs.append(7, 1, 4, b"two ").unwrap(), 8);
        assert_eq!(logs.append(7, 1, 4, b"two ").unwrap(), 8);
        assert_eq!(logs.append(7, 1, 4, b"two three").unwrap(), 13, "only what is new is added");
        assert_eq!(logs.append(7, 1, 0, b"one").unwrap(), 13, "an old piece takes nothing away");
        assert_eq!(logs.append(7, 1, 0, b"").unwrap(), 13, "nothing is answered with the length");
        assert_eq!(all(&depot, 1), "one two three");
        assert_eq!(logs.append(7, 2, 0, b"another").unwrap(), 7);
        assert_eq!(all(&depot, 2), "another");
        assert!(matches!(logs.append(7, 1, 14, b"x"), Err(LogError::Gap { length: 13 })));
        assert!(matches!(logs.append(7, 9, 1, b"x"), Err(LogError::Gap { length: 0 })));
        let long = logs.append(7, 1, 13, &vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(logs.read(7, 1, 0, usize::MAX).unwrap().len(), MAX_READ_BYTES);
        assert_eq!(logs.read(7, 1, long - 2, usize::MAX).unwrap(), b"xx");
        let end = vec![b'x'; usize::try_from(MAX_LOG_BYTES).unwrap()];
        assert!(matches!(logs.append(7, 1, long, &end), Err(LogError::TooLong { .. })));
    });
}

#[test]
fn logs_are_found_and_removed_by_their_task() {
    each(|site| {
        let depot = site.open("a");
        let logs = depot.logs();
        logs.append(7, 1, 0, b"abcdef").unwrap();
        logs.append(7, 2, 0, b"ghi").unwrap();
        logs.append(0x107, 1, 0, b"other").unwrap();
        let again = site.open("b-or-later");
        let again = if depot.is_shared() { again.logs().clone() } else { logs.clone() };
        assert_eq!(again.length(7, 1).unwrap(), Some(6));
        assert_eq!(again.read(7, 1, 2, 3).unwrap(), b"cde");
        assert_eq!(again.read(7, 1, 99, 3).unwrap(), b"");
        assert_eq!((again.length(8, 1).unwrap(), again.read(8, 1, 0, 3).unwrap()), (None, Vec::new()));
        let mut found = again.tasks(7, 10).unwrap();
        found.sort_unstable();
        assert_eq!((found, again.tasks(8, 10).unwrap()), (vec![7, 0x107], vec![]));
        again.remove(7).unwrap();
        again.remove(7).unwrap();
        assert_eq!((again.length(7, 1).unwrap(), again.length(7, 2).unwrap()), (None, None));
        assert_eq!(again.tasks(7, 10).unwrap(), [0x107]);
    });
}

// O16, C10: an agent that goes from one server to another, and sends again what it does not know to be safe, harms nothing.
#[test]
fn o16_servers_write_parts_of_one_log() {
    each_shared(|site| {
        let (a, b) = (site.open("a"), site.open("b"));
        let text: Vec<u8> = (0..4_000u32).map(|n| b'a' + u8::try_from(n % 23).unwrap()).collect();
        let (mut sent_a, mut sent_b) = (0, 0);
        for turn in 0..40 {
            let (depot, sent) = if turn % 2 == 0 { (&a, &mut sent_a) } else { (&b, &mut sent_b) };
            // From where this server was left, in pieces that end elsewhere.
            let upto = (turn + 1) * 100 - turn % 7;
            *sent = depot.logs().append(7, 1, *sent as u64, &text[*sent..upto]).unwrap() as usize;
            assert!(*sent >= upto);
            assert!(a.logs().read(7, 1, 0, usize::MAX).unwrap() == text[..*sent]);
            assert!(b.logs().read(7, 1, 0, usize::MAX).unwrap() == text[..*sent]);
        }
    });
}

// C10: what is only promised is gathered, and there before the end of the attempt is put on record.
#[test]
fn c10_what_was_promised_is_there_when_it_is_asked_for() {
    each(|site| {
        let depot = site.open("a");
        let logs = depot.logs();
        assert_eq!(logs.append_as((7, 1), 0, b"one ", Promise::Soon).unwrap(), 4);
        assert_eq!(logs.append_as((7, 1), 4, b"two ", Promise::Soon).unwrap(), 8);
        assert_eq!(logs.append_as((7, 1), 2, b"e two three", Promise::Soon).unwrap(), 13);
        logs.flush(7, 1).unwrap();
        assert_eq!(all(&depot, 1), "one two three");
        logs.append_as((7, 1), 13, b" four", Promise::Soon).unwrap();
        logs.append(7, 1, 0, b"").unwrap();
        assert_eq!(all(&depot, 1), "one two three four", "a question makes it safe too");
        let large = vec![b'x'; 256 * 1024];
        logs.append_as((7, 2), 0, &large, Promise::Soon).unwrap();
        assert_eq!(logs.length(7, 2).unwrap(), Some(large.len() as u64), "so much is written at once");
    });
}

// A log of many small pieces becomes one of few, and reads the same for who looked before.
#[test]
fn small_pieces_of_a_log_are_joined() {
    each_shared(|site| {
        let (a, b) = (site.open("a"), site.open("b"));
        let mut text = String::new();
        for n in 0..200 {
            let piece = format!("line {n}\n");
            a.logs().append(7, 1, text.len() as u64, piece.as_bytes()).unwrap();
            text.push_str(&piece);
            if n % 10 == 0 {
                let found = b.logs().read(7, 1, 3, usize::MAX).unwrap();
                assert_eq!(String::from_utf8(found).unwrap(), text[3..].get(..).unwrap(), "after {n}");
            }
        }
        assert_eq!(all(&b, 1), text);
        assert_eq!(all(&a, 1), text);
    });
}
