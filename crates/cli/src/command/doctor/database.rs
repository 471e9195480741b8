//! Checks of the database that a shared store lies in.

use super::finding::Finding;
use super::host::now;
use crate::settings::Settings;
use crate::settings::store::Store;
use std::time::Instant;
use tiltyard_engine::examine::{self, Facts, OLDEST_VERSION};
use tiltyard_model::time::TimeMs;

/// Connections of one server: one writes, four read, one follows the events, one carries wake-ups.
const SERVER_CONNECTIONS: i64 = 7;
/// Where no wake-ups are carried.
const POLLING_CONNECTIONS: i64 = 6;
/// A restart overlaps with its predecessor, and people look at things: so many servers' worth should be free.
const ROOM_FOR_SERVERS: i64 = 2;
/// What `max_connections` should be at least, where there are too few.
const GOOD_CONNECTIONS: i64 = 100;

/// Everything about the database; nothing where the store is a file.
pub async fn examine(settings: &Settings) -> Vec<Finding> {
    let Store::Shared(url) = &settings.store else { return Vec::new() };
    let shown = settings.store.shown();
    let began = Instant::now();
    match examine::examine(url.expose()).await {
        Ok(facts) => {
            let own = now() - began.elapsed().as_millis() as TimeMs / 2;
            let mut findings = vec![Finding::ok("database", shown)];
            findings.extend(judge(&facts, settings.shared.poll_only, own));
            findings
        }
        Err(error) => {
            let mend = format!("pg_isready -d '{shown}'");
            vec![Finding::fail("database", format!("{shown}: {error}")).mend(mend)]
        }
    }
}

fn judge(facts: &Facts, poll_only: bool, own: TimeMs) -> Vec<Finding> {
    let mut findings = vec![
        version(facts),
        encoding(facts),
        rights(facts),
        connections(facts, poll_only),
        commits(facts),
        idle(facts),
        pool(facts, poll_only),
        wakes(facts, poll_only),
        clock(facts, own),
    ];
    findings.retain(|finding| !finding.said.is_empty());
    findings
}

/// A statement as one types it.
fn psql(statement: &str) -> String {
    format!("psql -c \"{}\"", statement.replace('"', "\\\""))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn version(facts: &Facts) -> Finding {
    let check = "database version";
    if facts.version_number >= OLDEST_VERSION {
        return Finding::ok(check, &facts.version);
    }
    Finding::fail(check, format!("{} is too old: 14 or later is needed", facts.version))
        .mend("pg_upgrade --help")
}

fn encoding(facts: &Facts) -> Finding {
    if facts.encoding == "UTF8" {
        return Finding::ok("database encoding", "UTF8");
    }
    Finding::fail("database encoding", format!("{} cannot hold every text", facts.encoding))
        .mend("createdb -E UTF8 -T template0 tiltyard")
}

fn rights(facts: &Facts) -> Finding {
    let check = "database rights";
    let Facts { user, schema, .. } = facts;
    if schema.is_empty() {
        return Finding::fail(check, format!("{user} has no schema to make tables in"))
            .mend(psql(&format!("CREATE SCHEMA AUTHORIZATION {}", quoted(user))));
    }
    if facts.may_create {
        return Finding::ok(check, format!("{user} may make tables in {schema}"));
    }
    let mend = psql(&format!("GRANT USAGE, CREATE ON SCHEMA {} TO {}", quoted(schema), quoted(user)));
    let said = format!("{user} may not make tables in {schema}");
    if facts.holds_store {
        return Finding::warn(check, format!("{said}: the next step of the schema will fail")).mend(mend);
    }
    Finding::fail(check, said).mend(mend)
}

fn connections(facts: &Facts, poll_only: bool) -> Finding {
    let check = "database slots";
    let need = if poll_only { POLLING_CONNECTIONS } else { SERVER_CONNECTIONS };
    let free = (facts.max_connections - facts.reserved_connections - facts.used_connections).max(0);
    let said = format!("{free} of {} connections are free, a server needs {need}", facts.max_connections);
    if free >= need * ROOM_FOR_SERVERS {
        return Finding::ok(check, said);
    }
    let finding = if free >= need { Finding::warn } else { Finding::fail };
    let wanted = GOOD_CONNECTIONS.max(facts.max_connections * 2);
    finding(check, format!("{said} (the change needs a restart of the database)"))
        .mend(psql(&format!("ALTER SYSTEM SET max_connections = {wanted}")))
}

fn commits(facts: &Facts) -> Finding {
    let check = "database commits";
    if facts.fsync == "off" {
        let said = "fsync is off: a power cut loses what was acknowledged, or the database";
        return Finding::fail(check, said).mend(psql("ALTER SYSTEM SET fsync = on"));
    }
    let own = &facts.synchronous_commit;
    let servers = format!("synchronous_commit is {own}; servers set it themselves, by `durability`");
    if facts.synchronous_standbys.is_empty() {
        let said =
            format!("{servers}; no synchronous standby: who loses this machine loses what only it had");
        return Finding::ok(check, said);
    }
    Finding::ok(check, format!("{servers}; synchronous standbys: {}", facts.synchronous_standbys))
}

/// Servers set limits of their own for transactions; what ends their resting connections, or long transactions, is not in their
/// hands.
fn idle(facts: &Facts) -> Finding {
    let check = "database idle";
    let is_set = |value: &str| !value.is_empty() && value != "0";
    let role = quoted(&facts.user);
    if is_set(&facts.idle_session) {
        let said = format!("idle_session_timeout is {}: it ends connections that rest", facts.idle_session);
        return Finding::warn(check, said)
            .mend(psql(&format!("ALTER ROLE {role} SET idle_session_timeout = 0")));
    }
    if is_set(&facts.transaction_timeout) {
        let said =
            format!("transaction_timeout is {}: it ends a copy or a long read", facts.transaction_timeout);
        return Finding::warn(check, said)
            .mend(psql(&format!("ALTER ROLE {role} SET transaction_timeout = 0")));
    }
    if is_set(&facts.idle_in_transaction) {
        let said = format!(
            "idle_in_transaction_session_timeout is {}; servers set their own",
            facts.idle_in_transaction
        );
        return Finding::ok(check, said);
    }
    Finding::ok(
        check,
        "idle_in_transaction_session_timeout is not set: somebody else's forgotten transaction keeps dead rows (servers set their own)",
    )
}

fn pool(facts: &Facts, poll_only: bool) -> Finding {
    let check = "database pool";
    match (facts.mixes_sessions, poll_only) {
        (false, _) => Finding::ok(check, "each connection is a session of its own"),
        (true, true) => Finding::ok(check, "a pool hands out single transactions, and shared.poll_only is set"),
        (true, false) => Finding::fail(
            check,
            "a pool that hands out single transactions stands between (PgBouncer, pool_mode = transaction): no server starts",
        )
        .mend("tiltyard server --set shared.poll_only=true"),
    }
}

fn wakes(facts: &Facts, poll_only: bool) -> Finding {
    let check = "database wakes";
    match (&facts.wakes, poll_only) {
        (_, true) => Finding::ok(check, "not needed: shared.poll_only is set"),
        (Ok(()), false) => Finding::ok(check, "LISTEN and NOTIFY work"),
        (Err(reason), false) => {
            let said = format!(
                "wake-ups do not arrive ({reason}): a pool that hands out single transactions stands between, or the database has none"
            );
            Finding::warn(check, said).mend("tiltyard server --set shared.poll_only=true")
        }
    }
}

/// For information: the database's time is everybody's.
fn clock(facts: &Facts, own: TimeMs) -> Finding {
    let apart = facts.now - own;
    Finding::ok("database clock", format!("{apart} ms from this machine's; servers go by the database's"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn good() -> Facts {
        let word = str::to_owned;
        Facts {
            version: word("16.4"),
            version_number: 160_004,
            encoding: word("UTF8"),
            user: word("tilt"),
            database: word("d"),
            schema: word("public"),
            may_create: true,
            holds_store: false,
            synchronous_commit: word("on"),
            synchronous_standbys: String::new(),
            fsync: word("on"),
            max_connections: 100,
            reserved_connections: 3,
            used_connections: 5,
            idle_in_transaction: word("0"),
            idle_session: word("0"),
            transaction_timeout: String::new(),
            now: 1_000,
            mixes_sessions: false,
            wakes: Ok(()),
        }
    }

    fn worst(facts: &Facts, poll_only: bool) -> (Verdict, String, Option<String>) {
        let worst = judge(facts, poll_only, 900).into_iter().max_by_key(|finding| finding.verdict);
        let worst = worst.expect("something is checked");
        (worst.verdict, worst.check, worst.mend)
    }

    // O23: doctor looks at the database, and prints the command that mends what is wrong.
    #[test]
    fn o23_a_database_is_judged_and_mended() {
        assert_eq!(worst(&good(), false).0, Verdict::Ok);
        assert!(judge(&good(), false, 900).iter().any(|finding| finding.said.starts_with("100 ms")));
        type Case = (fn(&mut Facts), Verdict, &'static str, &'static str);
        let cases: [Case; 11] = [
            (|facts| facts.version_number = 130_000, Verdict::Fail, "database version", "pg_upgrade"),
            (
                |facts| facts.encoding = "LATIN1".into(),
                Verdict::Fail,
                "database encoding",
                "createdb -E UTF8",
            ),
            (|facts| facts.schema.clear(), Verdict::Fail, "database rights", "CREATE SCHEMA AUTHORIZATION"),
            (|facts| facts.may_create = false, Verdict::Fail, "database rights", "GRANT USAGE, CREATE"),
            (|facts| facts.used_connections = 86, Verdict::Warn, "database slots", "max_connections = 200"),
            (|facts| facts.used_connections = 91, Verdict::Fail, "database slots", "max_connections = 200"),
            (|facts| facts.fsync = "off".into(), Verdict::Fail, "database commits", "fsync = on"),
            (
                |facts| facts.idle_session = "5s".into(),
                Verdict::Warn,
                "database idle",
                "idle_session_timeout = 0",
            ),
            (
                |facts| facts.transaction_timeout = "5s".into(),
                Verdict::Warn,
                "database idle",
                "transaction_timeout",
            ),
            (|facts| facts.mixes_sessions = true, Verdict::Fail, "database pool", "shared.poll_only=true"),
            (|facts| facts.wakes = Err("x".into()), Verdict::Warn, "database wakes", "shared.poll_only=true"),
        ];
        for (change, verdict, check, mend) in cases {
            let mut facts = good();
            change(&mut facts);
            let (found, of, command) = worst(&facts, false);
            assert_eq!((found, of.as_str()), (verdict, check));
            assert!(command.as_deref().unwrap_or_default().contains(mend), "{command:?}");
        }
        // 97 are for others than superusers: two servers that poll still fit.
        let silent = Facts { wakes: Err("x".into()), mixes_sessions: true, used_connections: 85, ..good() };
        assert_eq!(worst(&silent, true).0, Verdict::Ok);
        let there = Facts { may_create: false, holds_store: true, ..good() };
        assert_eq!(worst(&there, false).0, Verdict::Warn, "it works as it is");
    }
}
