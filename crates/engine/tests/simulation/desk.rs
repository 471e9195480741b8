//! What people and agents do in a world beside work: tokens, dead letters, scopes, orders to agents.

use crate::step::{AGENTS, QUEUES};
use crate::world::World;
use tiltyard_engine::memory::redo::HEARD_EVERY_MS;
use tiltyard_engine::sign_in::{self, Proof};
use tiltyard_engine::task::retry::Edit;
use tiltyard_engine::token::{self, Minted};
use tiltyard_engine::{Act, agent, dead_letter, scope};
use tiltyard_model::agent::{OFFLINE_AFTER_MS, Profile};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Role;
use tiltyard_model::token::{Mint, RANDOM_BYTES};
use tiltyard_store::dead_letter::{Filter, Window};

const SCOPES: [&str; 2] = ["north", "south"];
/// How many things people do.
pub(crate) const THINGS: usize = 9;

/// One of the things that people do.
pub(crate) async fn sit(world: &mut World, what: usize) {
    match what {
        0 => mints(world).await,
        1 => ends(world).await,
        2 => uses(world).await,
        3 => letters(world).await,
        4 => scopes(world).await,
        5 => orders(world).await,
        6 => silence(world).await,
        7 => browsers(world).await,
        _ => outage(world).await,
    }
}

fn random(world: &mut World) -> [u8; RANDOM_BYTES] {
    std::array::from_fn(|_| world.chance.next() as u8)
}

async fn mints(world: &mut World) {
    let (random, now) = (random(world), world.now());
    let scope = world.chance.of(&["*", "default", SCOPES[0]]).expect("one of three");
    let wish = Mint {
        label: "somebody".to_owned(),
        role: world.chance.of(&[Role::Viewer, Role::Operator, Role::Admin]).expect("one of three"),
        scopes: vec![scope.to_owned()],
        queues: None,
        owner: None,
        groups: Vec::new(),
        expires: world.chance.once_in(2).then_some(now + 90_000),
    };
    // Not of one that works here: whoever has a token is spoken for by it.
    let agent = "eve";
    let for_agent = world.chance.once_in(3);
    let deed = move |act: &mut Act<'_>| match for_agent {
        true => token::mint_for_agent(act, agent, &["*".to_owned()], &random),
        false => token::mint(act, &wish, &random),
    };
    if let Ok(Minted { token, text }) = world.act(deed).await {
        world.tokens.push((token.id, text));
    }
}

async fn ends(world: &mut World) {
    world.act(token::expire_due).await.expect("expires");
    let place = world.chance.below(world.tokens.len());
    let Some((id, _)) = world.tokens.get(place).cloned() else { return };
    if world.chance.once_in(2) {
        world.act(move |act| token::revoke(act, id)).await.expect("is revoked");
        world.tokens.swap_remove(place);
    } else {
        let random = random(world);
        if let Ok(Minted { token, text }) = world.act(move |act| token::rotate(act, id, &random)).await {
            world.tokens[place] = (token.id, text);
        }
    }
}

async fn uses(world: &mut World) {
    let now = world.now();
    let tokens = world.engine.as_ref().expect("an engine").tokens().clone();
    for (_, text) in &world.tokens {
        // One that has expired says so, and is not used.
        let _ = tokens.verify(text, now);
    }
    let used = tokens.used(2);
    world.act(move |act| token::keep_used(act, &used)).await.expect("is kept");
}

/// A browser is offered a code for one of the tokens, signs in with it, perhaps, and out, perhaps.
async fn browsers(world: &mut World) {
    world.act(sign_in::expire_due).await.expect("expires");
    let Some((_, text)) = world.tokens.get(world.chance.below(world.tokens.len())).cloned() else { return };
    let (code, cookie, now) = (random(world), random(world), world.now());
    let (comes, leaves) = (!world.chance.once_in(3), world.chance.once_in(2));
    let deed = move |act: &mut Act<'_>| {
        let caller = act.memory.tokens.verify(&text, now)?;
        let made = sign_in::offer_first(act, &caller, &code)?;
        if comes {
            sign_in::sign_in(act, &Proof::Code(made.text), &cookie)?;
        }
        if leaves { Err(Refusal::new(Code::Invalid, "after all, no")) } else { Ok(()) }
    };
    // The token may have expired.
    let _ = world.act(deed).await;
}

/// Letters by task.
fn all(act: &Act<'_>) -> Result<Vec<(Id, Id)>, Refusal> {
    let page = dead_letter::list::page(
        act.tx,
        &Filter::default(),
        Window { below: i64::MAX, offset: 0, limit: 50 },
    )?;
    Ok(page.items.into_iter().map(|letter| (letter.id, letter.task)).collect())
}

async fn letters(world: &mut World) {
    let letters = world.act(|act| all(act)).await.expect("lists");
    let Some((letter, task)) = world.chance.of(&letters) else { return };
    match world.chance.below(4) {
        0 => drop(world.act(move |act| dead_letter::retry(act, letter, &Edit::default())).await),
        1 => drop(world.act(move |act| dead_letter::dismiss(act, letter, "not needed")).await),
        2 => drop(world.act(move |act| dead_letter::reopen(act, letter)).await),
        _ => {
            let gone = world.act(move |act| dead_letter::delete(act, letter)).await.is_ok();
            if gone && world.act(move |act| act.task(task)).await == Err(Code::NotFound) {
                world.tasks.retain(|other| *other != task);
            }
        }
    }
}

async fn scopes(world: &mut World) {
    let name = world.chance.of(&SCOPES).expect("one of two");
    let text = format!("it is {}", world.chance.below(3));
    let (put, delete) = (!world.chance.once_in(3), world.chance.once_in(2));
    let deed = move |act: &mut Act<'_>| {
        if put {
            scope::put(act, name, &text)?;
            let scope = act.scope_key(name)?;
            act.queue_key(scope, QUEUES[0])?;
        }
        if delete {
            scope::delete(act, name)?;
            scope::put(act, name, "and again")?;
            scope::delete(act, name)?;
        }
        Ok(())
    };
    // In use by a token, or not there.
    let _ = world.act(deed).await;
}

async fn orders(world: &mut World) {
    let agent = world.chance.of(&AGENTS).expect("one of three");
    match world.chance.below(6) {
        0 => drop(world.act(move |act| agent::drain(act, agent, true)).await),
        1 => drop(world.act(move |act| agent::delete(act, agent)).await),
        2 => drop(world.act(|act| agent::register(act, "dee", Profile::default())).await),
        _ => {
            for agent in AGENTS {
                let _ = world.act(move |act| agent::drain(act, agent, false)).await;
            }
        }
    }
}

async fn silence(world: &mut World) {
    let by_ms = world.chance.of(&[HEARD_EVERY_MS, OFFLINE_AFTER_MS]).expect("one of two");
    world.clock.advance(by_ms);
    world.act(agent::notice_silence).await.expect("is noticed");
}

/// Nobody could be heard for a while, and every lease has its full length again; or it comes to nothing after all.
async fn outage(world: &mut World) {
    let stands = !world.chance.once_in(3);
    let deed = move |act: &mut Act<'_>| {
        act.memory.leases_anew(act.now.steady, 0);
        if stands { Ok(()) } else { Err(Refusal::new(Code::Invalid, "after all, no")) }
    };
    let _ = world.act(deed).await;
}
