//! Floors: which crate may import which, in manifests and in sources.

use super::{Finding, House, Law};
use crate::rust_text::RustText;
use toml::{Table, Value};

pub(super) const LAW: Law = Law {
    name: "floors",
    why: "an arrow that points up, or past a neighbour, ties floors together that must change and be tested apart",
    mend: "move the word to the floor that owns it (ARCHITECTURE.md, \"Floors\"), or hand the value in as an argument",
    check,
};

/// What each crate may import of ours. `bench` and `xtask` stand beside the house, `testkit` behind it.
const FLOORS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &["model"]),
    ("store", &["model"]),
    ("engine", &["model", "store"]),
    ("client", &["wire"]),
    ("server", &["engine", "model", "wire"]),
    ("agent", &["client", "wire"]),
    ("cli", &["agent", "client", "engine", "model", "server", "wire"]),
    ("testkit", &["agent", "client", "engine", "model", "server", "store", "wire"]),
    ("xtask", &["wire"]),
    ("bench", &["client", "model", "testkit", "wire"]),
];

/// Outside crates that belong to certain floors, and why nobody else may have them.
const HOMES: &[(&str, &[&str], &str)] = &[
    ("rusqlite", &["store", "bench"], "only the store knows which database it is"),
    ("axum", &["server"], "only the HTTP face knows its framework"),
    ("hyper", &["server", "bench"], "only the HTTP face knows its framework"),
    ("tower", &["server"], "only the HTTP face knows its framework"),
    (
        "reqwest",
        &["client", "server", "store"],
        "the client calls the API, the server what runs call; nobody else calls anybody",
    ),
    ("clap", &["cli", "bench"], "only the human face has flags"),
    (
        "anyhow",
        &["cli", "xtask", "testkit", "bench"],
        "floors below the faces return errors that can be matched on",
    ),
    (
        "tokio",
        &["store", "engine", "client", "server", "agent", "cli", "testkit", "bench"],
        "rules and sentences are not async; the store's driver of PostgreSQL is, behind blocking faces",
    ),
    ("tokio-postgres", &["store", "bench"], "only the store knows which database it is"),
];

/// Outside crates that a floor has only for what another one is built with: no line of it may name them.
const UNNAMED: &[(&str, &str, &str)] =
    &[("store", "reqwest", "object_store is built with its TLS; the client is the only caller of the API")];

fn check(house: &House) -> Vec<Finding> {
    let manifests = house.tree.under("", "Cargo.toml").filter(|file| file.path != "Cargo.toml");
    let mut findings: Vec<Finding> = manifests.flat_map(|file| manifest(&file.path, &file.text)).collect();
    findings.extend(house.rust.iter().flat_map(uses));
    findings
}

fn manifest(path: &str, text: &str) -> Vec<Finding> {
    let krate = krate_of(path);
    let Some(allowed) = allowed(krate) else {
        return vec![Finding::new(
            path,
            0,
            format!("crate `{krate}` has no floor yet: give it one in xtask/src/tidy/floors.rs"),
        )];
    };
    let Ok(table) = text.parse::<Table>() else {
        return vec![Finding::new(path, 0, "is not TOML")];
    };
    dependencies(&table).iter().filter_map(|name| judge(path, krate, allowed, name)).collect()
}

fn judge(path: &str, krate: &str, allowed: &[&str], name: &str) -> Option<Finding> {
    if let Some(ours) = name.strip_prefix("tiltyard-") {
        let fine = allowed.contains(&ours);
        return (!fine).then(|| Finding::new(path, 0, format!("`{krate}` may not depend on `{ours}`")));
    }
    let (_, homes, why) = HOMES.iter().find(|(outside, ..)| *outside == name)?;
    (!homes.contains(&krate))
        .then(|| Finding::new(path, 0, format!("`{krate}` may not depend on `{name}`: {why}")))
}

/// Names in `[dependencies]` and `[build-dependencies]`, also those of one target; dev-dependencies aside.
fn dependencies(table: &Table) -> Vec<String> {
    let targets = table.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
    let sections = std::iter::once(table).chain(tables).flat_map(|table| {
        ["dependencies", "build-dependencies"].into_iter().filter_map(|name| table.get(name)?.as_table())
    });
    sections.flat_map(|section| section.keys().cloned()).collect()
}

fn uses(rust: &RustText) -> Vec<Finding> {
    let Some(allowed) = allowed(rust.krate()) else { return Vec::new() };
    let mut findings = Vec::new();
    for (ours, _) in FLOORS.iter().filter(|(ours, _)| *ours != rust.krate() && !allowed.contains(ours)) {
        for line in rust.product_lines_with(&format!("tiltyard_{ours}")) {
            findings.push(Finding::new(
                &rust.path,
                line,
                format!("`{}` may not know `{ours}`", rust.krate()),
            ));
        }
    }
    for (_, name, why) in UNNAMED.iter().filter(|(krate, ..)| *krate == rust.krate()) {
        for line in rust.product_lines_with(name) {
            findings.push(Finding::new(&rust.path, line, format!("may not name `{name}`: {why}")));
        }
    }
    findings
}

fn allowed(krate: &str) -> Option<&'static [&'static str]> {
    FLOORS.iter().find(|(name, _)| *name == krate).map(|(_, allowed)| *allowed)
}

fn krate_of(path: &str) -> &str {
    let path = path.strip_prefix("crates/").unwrap_or(path);
    path.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(files: &[(&str, &str)]) -> usize {
        check(&House::of(files)).len()
    }

    #[test]
    fn manifests_point_downward() {
        let path = "crates/engine/Cargo.toml";
        assert_eq!(breaches(&[(path, "[dependencies]\ntiltyard-store.workspace = true")]), 0);
        assert_eq!(breaches(&[(path, "[dependencies]\ntiltyard-wire.workspace = true")]), 1);
        assert_eq!(breaches(&[(path, "[target.'cfg(unix)'.dependencies]\ntiltyard-wire = \"1\"")]), 1);
        assert_eq!(breaches(&[(path, "[dev-dependencies]\ntiltyard-wire.workspace = true")]), 0);
    }

    #[test]
    fn what_is_there_to_be_built_with_is_not_named() {
        let manifest = ("crates/store/Cargo.toml", "[dependencies]\nreqwest.workspace = true");
        assert_eq!(breaches(&[manifest, ("crates/store/src/a.rs", "fn a() { b::c() }")]), 0);
        assert_eq!(breaches(&[manifest, ("crates/store/src/a.rs", "fn a() { reqwest::get() }")]), 1);
        assert_eq!(breaches(&[("crates/engine/Cargo.toml", "[dependencies]\nreqwest.workspace = true")]), 1);
    }

    #[test]
    fn outside_crates_have_a_home() {
        assert_eq!(breaches(&[("crates/model/Cargo.toml", "[dependencies]\ntokio = \"1\"")]), 1);
        assert_eq!(breaches(&[("crates/store/Cargo.toml", "[dependencies]\nrusqlite = \"1\"")]), 0);
        assert_eq!(breaches(&[("crates/new/Cargo.toml", "")]), 1);
    }

    #[test]
    fn sources_point_downward() {
        let up = "use tiltyard_server::x;\n#[cfg(test)]\nmod tests { use tiltyard_client::y; }";
        assert_eq!(breaches(&[("crates/store/src/x.rs", up)]), 1);
        assert_eq!(breaches(&[("crates/store/tests/x.rs", up)]), 0);
        assert_eq!(breaches(&[("crates/cli/src/x.rs", up)]), 0);
    }
}
