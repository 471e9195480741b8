//! Settings from every source, and every way in which they can be wrong (O1).

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tiltyard_cli::settings::environment::Environment;
use tiltyard_cli::settings::load::{Given, Loaded, Override, load};
use tiltyard_cli::settings::origin::Origin;
use tiltyard_cli::settings::reload::reload;
use tiltyard_cli::settings::{Durability, LogLevel, Settings, edge};
use tiltyard_server::edge::host::Scheme;

/// A folder to stand in, with a home and nothing else around it.
struct World {
    folder: TempDir,
    environment: Environment,
    given: Given,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut environment = Environment { folder: folder.path().join("here"), ..Environment::default() };
        std::fs::create_dir(&environment.folder).expect("a folder");
        environment.variables.insert("HOME".into(), folder.path().join("home").display().to_string());
        Self { folder, environment, given: Given::default() }
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("a folder");
        std::fs::write(path, text).expect("writes");
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.variables.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, path: &str, value: &str) -> Self {
        let flag = format!("--{path}");
        self.given.overrides.push(Override { flag, path: path.into(), value: value.into() });
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn load(&self) -> Loaded {
        load(&self.given, &self.environment).expect("the settings are right")
    }

    /// The complaint, with the folder of this test taken out.
    fn complaint(&self) -> String {
        let text = load(&self.given, &self.environment).expect_err("the settings are wrong").to_string();
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn file_origin(path: &Path, line: usize) -> Origin {
    Origin::File { path: path.to_owned(), line }
}

#[test]
fn o1_without_any_source_everything_has_its_default() {
    let world = World::new();
    let loaded = world.load();
    let mut expected = Settings { data: world.path("home/.local/share/tiltyard"), ..Settings::default() };
    expected.agent.work = expected.data.join("agent");
    expected.agent.roots = vec![world.path("home")];
    assert_eq!(loaded.settings, expected);
    assert_eq!((loaded.file.clone(), loaded.origin("listen")), (None, Origin::Default));
}

#[test]
fn o1_flags_beat_variables_and_those_beat_the_file() {
    let world = World::new()
        .file("here/tiltyard.toml", "[limits]\nconnections = 1\nqueued_intents = 1\nbody_bytes = 4096\n")
        .variable("TILTYARD_LIMITS_QUEUED_INTENTS", "2")
        .variable("TILTYARD_LIMITS_CONNECTIONS", "2")
        .flag("limits.connections", "3");
    let loaded = world.load();
    let limits = &loaded.settings.limits;
    assert_eq!((limits.connections, limits.queued_intents, limits.body_bytes), (3, 2, 4096));
    assert_eq!(loaded.origin("limits.connections"), Origin::Flag { flag: "--limits.connections".into() });
    let variable = "TILTYARD_LIMITS_QUEUED_INTENTS".to_owned();
    assert_eq!(loaded.origin("limits.queued_intents"), Origin::Environment { variable });
    assert_eq!(loaded.origin("limits.body_bytes"), file_origin(&world.path("here/tiltyard.toml"), 4));
}

#[test]
fn o1_the_named_file_comes_before_the_one_here_and_that_before_the_one_at_home() {
    let home = "home/.config/tiltyard/tiltyard.toml";
    let mut world = World::new().file(home, "log.level = \"trace\"");
    assert_eq!(world.load().settings.log.level, LogLevel::Trace);
    world = world.file("here/tiltyard.toml", "log.level = \"debug\"");
    assert_eq!(world.load().settings.log.level, LogLevel::Debug);
    world = world.file("named.toml", "log.level = \"warn\"");
    world.given.config = Some(world.path("named.toml"));
    assert_eq!(world.load().settings.log.level, LogLevel::Warn);
}

#[test]
fn o1_xdg_folders_are_followed() {
    let world = World::new().file("etc/tiltyard/tiltyard.toml", "durability = \"relaxed\"");
    let config = world.path("etc").display().to_string();
    let data = world.path("data").display().to_string();
    let world = world.variable("XDG_CONFIG_HOME", &config).variable("XDG_DATA_HOME", &data);
    let settings = world.load().settings;
    assert_eq!(settings.durability, Durability::Relaxed);
    assert_eq!(settings.data, world.path("data/tiltyard"));
}

#[test]
fn o1_lists_are_separated_by_commas_or_json() {
    let world =
        World::new().variable("TILTYARD_HOSTS", "a.example, b.example").flag("proxies", "[\"10.0.0.1\"]");
    let settings = world.load().settings;
    assert_eq!(settings.hosts, ["a.example", "b.example"]);
    assert_eq!(settings.proxies, ["10.0.0.1"]);
}

#[test]
fn o1_relative_folders_are_seen_from_the_current_one() {
    let settings = World::new().flag("data", "d").load().settings;
    assert!(settings.data.is_absolute() && settings.data.ends_with("here/d"));
    assert!(settings.agent.work.ends_with("here/d/agent"));
}

#[test]
fn o1_an_empty_variable_sets_nothing() {
    let loaded = World::new().variable("TILTYARD_LISTEN", "").load();
    assert_eq!(loaded.origin("listen"), Origin::Default);
}

// An unknown key or bad value is an error that names file, line and the nearest right name.
#[test]
fn o1_every_mistake_is_told_with_its_place_and_the_nearest_name() {
    let cases = [
        ("lisen = \"x\"", "here/tiltyard.toml:1: there is no setting `lisen`; the nearest is `listen`"),
        (
            "\n[limit]\nqueued_intent = 3",
            "here/tiltyard.toml:3: there is no setting `limit.queued_intent`; the nearest is `limits.queued_intents`",
        ),
        (
            "limits = 3",
            "here/tiltyard.toml:1: `limits` is a group of settings, not a value: write it as [limits]",
        ),
        (
            "[listen]\nport = 1",
            "here/tiltyard.toml:2: there is no setting `listen.port`; the nearest is `listen`",
        ),
        (
            "[log]\n\nlevel = \"inf\"",
            "here/tiltyard.toml:3: `log.level` must be one of error, warn, info, debug, trace; the nearest to \"inf\" is info",
        ),
        (
            "limits.connections = 0",
            "here/tiltyard.toml:1: `limits.connections` must be a whole number from 1 to 1000000, not 0",
        ),
        (
            "no_auth = 1",
            "here/tiltyard.toml:1: `no_auth` has a wrong value: invalid type: integer `1`, expected a boolean",
        ),
        (
            "listen = \"localhost\"",
            "here/tiltyard.toml:1: `listen` has a wrong value: invalid socket address syntax",
        ),
        ("hosts = []", "here/tiltyard.toml:1: `hosts` must name at least one host, or nobody gets in"),
        (
            "origins = [\"*\"]",
            "here/tiltyard.toml:1: `origins` takes origins such as https://example.org:8470, never `*`: \"*\"",
        ),
        ("[tls]\ncert = \"c.pem\"", "here/tiltyard.toml:2: `tls.cert` needs `tls.key` beside it"),
        (
            "agent.name = \"My Agent\"",
            "here/tiltyard.toml:1: `agent.name` must be a slug, [a-z0-9][a-z0-9_-]{0,63}, not \"My Agent\"",
        ),
        ("agent.token = 5", "here/tiltyard.toml:1: `agent.token` must be a text"),
        ("a = 1\nb = = 2", "here/tiltyard.toml:2: is not TOML: extra `=`, expected nothing"),
    ];
    for (text, complaint) in cases {
        let world = World::new().file("here/tiltyard.toml", text);
        assert_eq!(world.complaint().lines().next(), Some(complaint));
    }
}

#[test]
fn o1_all_mistakes_are_told_at_once() {
    let world = World::new()
        .file("here/tiltyard.toml", "lisen = 1\n\nport = 2")
        .variable("TILTYARD_LIMITS_CONNECTION", "5")
        .variable("TILTYARD_NO_AUTH", "yes")
        .flag("log.levels", "info");
    assert_eq!(
        world.complaint(),
        "here/tiltyard.toml:1: there is no setting `lisen`; the nearest is `listen`\n\
         here/tiltyard.toml:3: there is no setting `port`; the nearest is `hosts`\n\
         TILTYARD_LIMITS_CONNECTION: no setting has this variable; the nearest is TILTYARD_LIMITS_CONNECTIONS. \
         Unset it or correct the name\n\
         TILTYARD_NO_AUTH: `no_auth` must be true or false, not \"yes\"\n\
         --log.levels: there is no setting `log.levels`; the nearest is `log.level`"
    );
}

#[test]
fn o1_a_named_file_must_be_there() {
    let mut world = World::new();
    world.given.config = Some("none.toml".into());
    assert!(world.complaint().starts_with("here/none.toml:1: cannot be read: "), "{}", world.complaint());
}

#[test]
fn o1_variables_that_are_no_settings_are_let_be() {
    let world = World::new().variable("TILTYARD_URL", "http://x").variable("TILTYARD_TOKEN", "jst_x");
    assert_eq!(world.load().settings.listen, Settings::default().listen);
}

#[test]
fn o20_no_error_and_no_listing_shows_a_secret() {
    let loaded = World::new().variable("TILTYARD_AGENT_TOKEN", "jst_hush").load();
    let key = tiltyard_cli::settings::key::find("agent.token").expect("is a key");
    assert_eq!(loaded.value(key), "[redacted]");
    assert!(!format!("{loaded:?}").contains("jst_hush"));
    let shown = tiltyard_cli::settings::view::view(&loaded).settings;
    let token = &shown["agent.token"];
    assert_eq!((&token.value, token.origin.as_str()), (&"[redacted]".into(), "environment"));
    assert_eq!(loaded.settings.agent.token.expect("is set").expose(), "jst_hush");
}

// Reload on SIGHUP for what can change live.
#[test]
fn o1_a_reload_applies_what_is_live_and_tells_what_waits() {
    let world = World::new().file("here/tiltyard.toml", "log.level = \"info\"\nlimits.connections = 5");
    let old = world.load();
    let world = world.file(
        "here/tiltyard.toml",
        "log.level = \"debug\"\nlimits = { connections = 6, queued_intents = 7 }\ndead_letters.max = 8\nagent.token = \"t\"",
    );
    let reload = reload(&old, &world.given, &world.environment).expect("the settings are right");
    let names = |changes: &[tiltyard_cli::settings::reload::Change]| {
        changes.iter().map(|change| change.path).collect::<Vec<_>>()
    };
    assert_eq!(names(&reload.live), ["dead_letters.max", "limits.queued_intents", "log.level"]);
    assert_eq!(names(&reload.waiting), ["agent.token", "limits.connections"]);
    let settings = &reload.loaded.settings;
    assert_eq!((settings.limits.queued_intents, settings.dead_letters.max), (7, 8));
    assert_eq!((settings.log.level, settings.limits.connections), (LogLevel::Debug, 5));
}

#[test]
fn o1_a_reload_with_a_mistake_changes_nothing() {
    let world = World::new();
    let old = world.load();
    let world = world.file("here/tiltyard.toml", "log.levle = \"debug\"");
    assert!(reload(&old, &world.given, &world.environment).is_err());
}

// SEC10: another address needs allow_external_bind and TLS or a named proxy; SEC2: --no-auth only on loopback.
#[test]
fn sec10_the_server_is_closed_by_default() {
    let external = || World::new().flag("listen", "0.0.0.0:1");
    let allowed = || external().flag("allow_external_bind", "true");
    let proxied = || allowed().flag("behind_proxy", "true").flag("proxies", "10.0.0.0/8");
    let start = |world: World| edge::edge(&world.load()).map_err(|bad| bad.to_string());
    assert!(start(World::new()).is_ok());
    assert!(
        start(external())
            .is_err_and(|text| text.starts_with("--listen: ") && text.contains("allow_external_bind"))
    );
    assert!(start(allowed()).is_err_and(|text| text.contains("tls.cert")));
    assert_eq!(start(proxied()).map(|edge| (edge.scheme, edge.proxies.len())), Ok((Scheme::Proxied, 1)));
    let secured = start(allowed().flag("tls.cert", "c").flag("tls.key", "k"));
    assert_eq!(secured.map(|edge| edge.scheme), Ok(Scheme::Https));
    assert!(
        World::new()
            .flag("behind_proxy", "true")
            .complaint()
            .contains("`behind_proxy` needs the proxies named")
    );
    assert!(World::new().flag("proxies", "10.0.0.300").complaint().contains("is no network"));
}

#[test]
fn sec2_no_auth_works_only_on_loopback_and_never_behind_a_proxy() {
    let open = || World::new().flag("no_auth", "true");
    let refused =
        |world: World| edge::edge(&world.load()).is_err_and(|bad| bad.to_string().starts_with("--no_auth: "));
    assert!(edge::edge(&open().load()).is_ok());
    assert!(refused(open().flag("behind_proxy", "true").flag("proxies", "127.0.0.1")));
    let external = open().flag("listen", "0.0.0.0:1").flag("allow_external_bind", "true");
    assert!(refused(external.flag("tls.cert", "c").flag("tls.key", "k")));
}

#[test]
fn sec13_limits_reach_the_edge() {
    let edge = edge::edge(&World::new().flag("limits.connections", "7").load()).expect("may start");
    assert_eq!((edge.max_connections, edge.max_connections_per_address), (7, 256));
}

// O1, O16: the settings in the page about several servers are ones.
#[test]
fn o1_o16_the_settings_of_the_guide_are_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/scale-out.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "the page has settings");
    for block in blocks {
        let settings = World::new().file("home/.config/tiltyard/tiltyard.toml", block).load().settings;
        assert!(settings.behind_proxy && settings.shared.blobs.is_some(), "{block}");
    }
}
