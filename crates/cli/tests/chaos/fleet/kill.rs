//! Three servers over one database; servers and database are killed at random.

use super::site::{DATABASE, Site, cluster, short_or_long};
use crate::load::{Chance, Load};
use crate::measure::Times;
use crate::seen::Log;
use std::time::{Duration, Instant};
use tiltyard_testkit::postgres::Sync;

/// Answers of success between two kills: at least, and how many more by chance.
const HEARD: (u64, u64) = (20, 120);
/// One kill in so many is the database's.
const DATABASE_ONCE_IN: u64 = 4;

// E1, E3, E4, E5, E8, O16, D50, D51: a ledger beside three servers over one database, which are killed (`kill -9`) at random, as is
// the database: nothing acknowledged is lost, nothing is taken twice, every server tells the same log without holes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e1_e3_e4_e8_o16_nothing_is_lost_by_kills_of_servers_and_database() {
    let mut cluster = cluster(Sync::Off, &[]);
    let stores = vec![cluster.tcp_url(DATABASE); 3];
    let (mut site, load, mut log) = (Site::open(&stores).await, Load::new(), Log::default());
    let (began, lasts) = (Instant::now(), short_or_long(Duration::from_secs(25), Duration::from_secs(300)));
    let (mut chance, mut of_servers, mut of_database) = (Chance::from(3), 0, 0);
    let mut back = Times::default();
    while began.elapsed() < lasts {
        load.go_to(&site.addresses());
        load.heard(HEARD.0 + chance.below(HEARD.1)).await;
        if chance.once_in(DATABASE_ONCE_IN) {
            cluster.kill().expect("it is ours");
            cluster.start_again(Sync::Off, &[]).expect("it starts again");
            let started = Instant::now();
            for place in site.running() {
                back.add(site.serves(place, &load, started).await);
            }
            of_database += 1;
        } else {
            let place = chance.below(3) as usize;
            site.kill(place).await;
            load.go_to(&site.addresses());
            load.heard(HEARD.0).await;
            site.start(place).await;
            of_servers += 1;
        }
        site.assert_none_ended();
    }
    let drains = Instant::now();
    let seen = site.settle(load, &mut log).await;
    println!(
        "{of_servers} kills of servers, {of_database} of the database: {} tasks, {} events; \
         back after the database's return {back}; drained and checked in {:?}",
        seen.tasks.len(),
        seen.events.len(),
        drains.elapsed()
    );
}
