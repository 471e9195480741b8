//! A seed makes a world: a clock moved by hand, agents that crash, restarts, refusals, time that passes. After every
//! few steps the memory beside the store must be what a fresh rebuild of the store makes, and what another server makes of
//! the journal alone, and the log must tell the story of every task (E3, E4, E8, E9, D1 to D8, D51). `SIMULATE_SEEDS=from..to` chooses the worlds; a failing seed is
//! printed and replays; `SIMULATE_TELL=1` tells its steps and checks after each.

mod chance;
mod check;
mod desk;
mod lapse;
mod pipe;
mod step;
mod world;

use world::World;

/// Steps of one world.
const STEPS: usize = 250;
/// Worlds when none are named.
const SEEDS: std::ops::Range<u64> = 0..40;

fn seeds() -> std::ops::Range<u64> {
    let named = std::env::var("SIMULATE_SEEDS").ok();
    let parse =
        |text: &str| text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    named.as_deref().map_or(SEEDS, |text| parse(text).expect("SIMULATE_SEEDS is like 0..1000"))
}

#[test]
fn e3_e4_e8_d51_every_world_keeps_its_word() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for seed in seeds() {
        let world = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(live(seed))));
        if world.is_err() {
            panic!("the world of seed {seed} broke its word: SIMULATE_SEEDS={seed}..{} replays it", seed + 1);
        }
    }
}

async fn live(seed: u64) {
    let mut world = World::new(seed).await;
    for step in 0..STEPS {
        step::take(&mut world).await;
        check::limits(&world).await;
        if step % 5 == 4 || std::env::var_os("SIMULATE_TELL").is_some() {
            check::memory(&world).await;
            check::other(&mut world).await;
        }
    }
    check::memory(&world).await;
    check::other(&mut world).await;
    check::story(&world).await;
}
