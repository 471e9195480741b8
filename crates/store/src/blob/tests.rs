use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn open() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).unwrap();
    (folder, blobs)
}

fn keep(blobs: &Blobs, bytes: &[u8], expected: Option<&str>) -> Result<Kept, BlobError> {
    let mut writer = blobs.writer(1_000)?;
    bytes.chunks(2).try_for_each(|part| writer.write(part))?;
    writer.finish(expected)
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

// D21: files are content-addressed by SHA-256 and immutable.
#[test]
fn d21_bytes_are_found_by_their_digest() {
    let (folder, blobs) = open();
    let kept = keep(&blobs, b"hello", Some(HELLO)).unwrap();
    assert_eq!((kept.sha256.as_str(), kept.size), (HELLO, 5));
    let (reader, size) = blobs.open_read(HELLO).unwrap().expect("is there");
    assert_eq!((reader.read_at(0, 5).unwrap(), size), (b"hello".to_vec(), 5));
    assert_eq!(keep(&blobs, b"hello", None).unwrap(), kept);
    assert_eq!(files_below(folder.path()), 1);
    assert!(blobs.doubt(HELLO).is_none(), "it is held until a row names it");
    drop(kept);
    blobs.doubt(HELLO).expect("nobody holds it").remove(0).unwrap();
    blobs.doubt(HELLO).expect("it may be gone").remove(0).unwrap();
    assert!(blobs.open_read(HELLO).unwrap().is_none());
}

#[test]
fn what_is_refused_or_given_up_leaves_nothing() {
    let (folder, blobs) = open();
    assert!(matches!(keep(&blobs, b"hullo", Some(HELLO)), Err(BlobError::Digest { .. })));
    assert!(matches!(keep(&blobs, &[0; 1_001], None), Err(BlobError::TooLarge { limit: 1_000 })));
    let mut given_up = blobs.writer(10).unwrap();
    given_up.write(b"half").unwrap();
    drop(given_up);
    assert_eq!(files_below(folder.path()), 0);
}

#[test]
fn what_a_crash_left_half_written_is_gone_at_the_next_start() {
    let (folder, blobs) = open();
    let mut writer = blobs.writer(10).unwrap();
    writer.write(b"half").unwrap();
    std::mem::forget(writer);
    assert_eq!(files_below(folder.path()), 1);
    Blobs::open(folder.path()).unwrap();
    assert_eq!(files_below(folder.path()), 0);
}

// SEC16: a name cannot leave its folder, and nobody else may look.
#[test]
fn sec16_only_a_digest_names_a_blob() {
    let (folder, blobs) = open();
    keep(&blobs, b"hello", None).unwrap();
    for name in ["", "../../etc/passwd", &HELLO.to_uppercase(), &format!("{}/", &HELLO[..63]), &HELLO[..63]] {
        assert!(blobs.open_read(name).unwrap().is_none(), "{name}");
    }
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let root = folder.path().join(FOLDER_NAME);
    assert_eq!(mode(root.clone()), 0o700);
    assert_eq!(mode(root.join("2c").join(HELLO)), 0o600);
}

// D21: bytes that somebody is about to name are not removed, however long the rows are asked.
#[test]
fn d21_a_blob_that_is_stored_again_meanwhile_stays() {
    let (_folder, blobs) = open();
    drop(keep(&blobs, b"hello", None).unwrap());
    let (first, second) = (blobs.doubt(HELLO).unwrap(), blobs.doubt(HELLO).unwrap());
    first.remove(0).unwrap();
    assert!(blobs.open_read(HELLO).unwrap().is_some(), "a later doubt took its place");
    let again = keep(&blobs, b"hello", None).unwrap();
    drop(again);
    second.remove(0).unwrap();
    assert!(blobs.open_read(HELLO).unwrap().is_some(), "somebody held it, and a row may name it by now");
    assert_eq!(blobs.in_part(0x2c, 10).unwrap(), [HELLO]);
    assert_eq!(blobs.in_part(0x2d, 10).unwrap(), [""; 0]);
    blobs.doubt(HELLO).unwrap().remove(0).unwrap();
    assert_eq!(blobs.in_part(0x2c, 10).unwrap(), [""; 0]);
}
