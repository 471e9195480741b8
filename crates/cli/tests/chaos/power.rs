//! A power cut: whatever no fsync had confirmed may be gone, all of it or in part. The preloaded library keeps apart
//! what was confirmed, so the cut can be made on any machine.

use crate::check::{assert_whole, count, faults};
use crate::fault::{Disk, On, Sync};
use crate::ledger::Kind;
use crate::load::Load;
use crate::seen::{Log, look_closely};
use crate::server::Yard;
use std::path::Path;

/// Cuts of one run.
const CUTS: u64 = 3;
/// Answers of success between two cuts.
const HEARD: u64 = 150;
/// What a disk writes at once.
const SECTOR_BYTES: usize = 512;

/// What of the unconfirmed survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survives {
    /// Nothing.
    Nothing,
    /// Some sectors, by chance.
    Some(u64),
}

/// Cuts the power: the data folder is what the disk holds afterwards.
fn cut(yard: &Yard, disk: &Disk, survives: Survives) {
    for name in ["tiltyard.db", "tiltyard.db-wal"] {
        let (real, kept) = (yard.data().join(name), disk.shadow().join(name));
        let mut left = read(&kept);
        if let Survives::Some(seed) = survives {
            mix(&mut left, &read(&real), seed);
        }
        std::fs::write(&real, &left).expect("the disk has room");
        // What lies there now has been confirmed.
        std::fs::write(&kept, &left).expect("the disk has room");
    }
    // The index of the log is no part of the store: it is made anew.
    let _ = std::fs::remove_file(yard.data().join("tiltyard.db-shm"));
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

/// Takes some sectors of what was written and never confirmed.
fn mix(left: &mut Vec<u8>, real: &[u8], seed: u64) {
    let mut word = seed | 1;
    left.resize(left.len().max(real.len()), 0);
    for (place, sector) in real.chunks(SECTOR_BYTES).enumerate() {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if word >> 63 == 1 {
            left[place * SECTOR_BYTES..][..sector.len()].copy_from_slice(sector);
        }
    }
}

// E1: what was acknowledged survives a power cut, whatever becomes of what was not confirmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e1_nothing_acknowledged_is_lost_by_a_power_cut() {
    let (yard, load) = (Yard::new(), Load::new());
    let disk = Disk::under(&yard);
    for number in 0..CUTS {
        let server = yard.start_as(disk.command(&yard)).await;
        assert_whole(&load.ledger, &look_closely(&server, &mut Log::default()).await);
        load.go(&server);
        load.heard(HEARD).await;
        server.kill().await;
        cut(&yard, &disk, if number % 2 == 0 { Survives::Nothing } else { Survives::Some(number) });
    }
    let server = yard.start().await;
    let ledger = load.drop_everything().await;
    assert_whole(&ledger, &look_closely(&server, &mut Log::default()).await);
}

// E22: with an fsync that lies, the same cut and the same check must report loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e22_a_disk_that_lies_is_found_out() {
    let (yard, load) = (Yard::new(), Load::new());
    let disk = Disk::under(&yard);
    let server = yard.start_as(disk.command(&yard)).await;
    load.go(&server);
    load.heard(HEARD).await;
    disk.sync(Sync::Lies, On::Any);
    load.heard(HEARD).await;
    server.kill().await;
    cut(&yard, &disk, Survives::Nothing);
    let server = yard.start().await;
    let ledger = load.drop_everything().await;
    let seen = look_closely(&server, &mut Log::default()).await;
    let faults = faults(&ledger.book(), &seen);
    println!("{} fsyncs lied: {} losses", disk.failed(), count(&faults, Kind::Lost));
    assert!(disk.failed() > 0 && count(&faults, Kind::Lost) > 0, "{faults:?}");
}
