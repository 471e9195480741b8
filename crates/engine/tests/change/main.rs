//! Changes, gates, repositories and artifacts through the real door, on a real store, with a clock that is moved by
//! hand. What an agent would do with git is told to the engine as its results.

mod artifact;
mod attempt;
#[path = "../simulation/chance.rs"]
mod chance;
mod decision;
#[path = "../noun/desk.rs"]
#[expect(dead_code, reason = "the tests of other nouns use the rest of it")]
mod desk;
mod end;
mod gate;
mod merge;
mod overrule;
mod recovery;
mod repository;
#[path = "../task/rig.rs"]
#[expect(dead_code, reason = "the tests of tasks use the rest of it")]
mod rig;
mod rule;
mod walk;
mod yard;
