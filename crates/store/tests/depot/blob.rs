use crate::{Site, each, each_shared};
use sha2::{Digest, Sha256};
use tiltyard_model::time::{DAY_MS, TimeMs};
use tiltyard_store::blob::{BlobError, Blobs, GRACE_MS, Kept};
use tiltyard_store::depot::Depot;

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn keep(blobs: &Blobs, bytes: &[u8], expected: Option<&str>) -> Result<Kept, BlobError> {
    let mut writer = blobs.writer(64 << 20)?;
    bytes.chunks(1 << 20).try_for_each(|part| writer.write(part))?;
    writer.finish(expected)
}

fn all(depot: &Depot, sha256: &str) -> Option<Vec<u8>> {
    let (reader, size) = depot.blobs().open_read(sha256).expect("reads")?;
    Some(reader.read_at(0, usize::try_from(size).expect("fits")).expect("reads"))
}

fn now() -> TimeMs {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
    TimeMs::try_from(since.as_millis()).expect("fits")
}

// D21: bytes are found by their digest, as a whole and in parts; what is not what it says is refused and leaves nothing.
#[test]
fn d21_bytes_are_found_by_their_digest() {
    each(|site| {
        let depot = site.open("a");
        let kept = keep(depot.blobs(), b"hello", Some(HELLO)).unwrap();
        assert_eq!((kept.sha256.as_str(), kept.size), (HELLO, 5));
        assert_eq!(all(&depot, HELLO).unwrap(), b"hello");
        let (reader, _) = depot.blobs().open_read(HELLO).unwrap().unwrap();
        assert_eq!(reader.read_at(1, 3).unwrap(), b"ell");
        assert!(reader.read_at(3, 3).is_err(), "there are not so many");
        assert!(matches!(keep(depot.blobs(), b"hullo", Some(HELLO)), Err(BlobError::Digest { .. })));
        assert_eq!(keep(depot.blobs(), b"", None).unwrap().size, 0);
        assert_eq!(depot.blobs().in_part(0x2c, 10).unwrap(), [HELLO]);
        assert_eq!(depot.blobs().in_part(0x2d, 10).unwrap(), [""; 0]);
        assert_eq!(all(&depot, &"0".repeat(64)), None);
        assert_eq!(all(&depot, "../../etc/passwd"), None);
    });
}

// D21: bytes of several parts are as whole as those of one.
#[test]
fn d21_large_bytes_arrive_whole() {
    each(|site| {
        let depot = site.open("a");
        let bytes: Vec<u8> =
            (0..(20 << 20) + 17).map(|n: u32| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let sha256 = hex(&Sha256::digest(&bytes));
        keep(depot.blobs(), &bytes, Some(&sha256)).unwrap();
        let (reader, size) = depot.blobs().open_read(&sha256).unwrap().unwrap();
        assert_eq!(size, bytes.len() as u64);
        let at = (8 << 20) - 3;
        assert_eq!(reader.read_at(at as u64, 7).unwrap(), bytes[at..at + 7], "across two parts");
        assert!(all(&depot, &sha256).unwrap() == bytes);
    });
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// O16: what is put at one server is read at another; a further start takes nothing away that is under way elsewhere.
#[test]
fn o16_servers_share_bytes() {
    each_shared(|site| {
        let (a, b) = (site.open("a"), site.open("b"));
        let mut writer = a.blobs().writer(100).unwrap();
        writer.write(b"hel").unwrap();
        let c = site.open("c");
        writer.write(b"lo").unwrap();
        drop(writer.finish(Some(HELLO)).unwrap());
        assert_eq!(all(&b, HELLO).unwrap(), b"hello");
        assert_eq!(all(&c, HELLO).unwrap(), b"hello");
        assert_eq!(b.blobs().in_part(0x2c, 10).unwrap(), [HELLO]);
    });
}

// O16: in a shared place nothing young is removed, because another server may be about to name it; a day later it is.
#[test]
fn o16_young_bytes_stay_in_a_shared_place() {
    each_shared(|site| {
        let (a, b) = (site.open("a"), site.open("b"));
        let held = keep(a.blobs(), b"hello", None).unwrap();
        assert!(a.blobs().doubt(HELLO).is_none(), "it is held here");
        b.blobs().doubt(HELLO).expect("nobody holds it there").remove(now() + GRACE_MS / 2).unwrap();
        assert!(all(&a, HELLO).is_some(), "its youth keeps it");
        drop(held);
        b.blobs().doubt(HELLO).unwrap().remove(now() + GRACE_MS + DAY_MS).unwrap();
        assert_eq!(all(&a, HELLO), None);
        b.blobs().doubt(HELLO).unwrap().remove(now() + GRACE_MS + DAY_MS).unwrap();
    });
    let site = Site::own();
    let own = site.open("a");
    drop(keep(own.blobs(), b"hello", None).unwrap());
    own.blobs().doubt(HELLO).unwrap().remove(0).unwrap();
    assert_eq!(all(&own, HELLO), None, "who has the folder alone knows all who hold");
}
