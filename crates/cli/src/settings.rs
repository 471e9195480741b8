//! Every setting, in one documented struct (O1). Keys, help, types, defaults and the names of the
//! environment variables are all read from it: a field added here needs nothing else.
//!
//! Sources, each overriding the one before: the default, the file, the environment, the flags.

pub mod edge;
pub mod environment;
pub mod file;
pub mod key;
pub mod load;
pub mod name;
pub mod origin;
pub mod reload;
pub mod rule;
pub mod serve;
pub mod store;
pub mod template;
pub mod view;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use store::Store;
use tiltyard_model::secret::Secret;

/// The port of the default address.
pub const DEFAULT_PORT: u16 = 8470;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen on. Port 0 takes a free one, which `--ready-file` tells.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Folder of the store, the artifacts and the logs, as far as `store` and `shared.blobs` do not put them elsewhere. Made
    /// with mode 0700.
    /// Default: `$XDG_DATA_HOME/tiltyard`.
    pub data: PathBuf,
    /// Where the data lives: `embedded` keeps it in the data folder; `postgres://user:password@host:5432/database` in a
    /// database that any number of servers share. Several hosts may be named, `host1:5432,host2:5432`.
    #[schemars(with = "String")]
    pub store: Store,
    /// `full` acknowledges what is on disk. `relaxed` acknowledges before the disk has it: a power cut may
    /// lose the last moments.
    pub durability: Durability,
    /// Allow an address other than loopback in `listen`. Needs `tls` or `behind_proxy` besides.
    pub allow_external_bind: bool,
    /// The server stands behind a reverse proxy, which ends TLS. Needs `proxies`.
    pub behind_proxy: bool,
    /// Addresses (`10.0.0.7`) or blocks (`10.0.0.0/8`) of the reverse proxies whose forwarding headers are
    /// believed.
    pub proxies: Vec<String>,
    /// Names under which the server may be addressed (the `Host` header), without the port.
    pub hosts: Vec<String>,
    /// Origins of web pages that may call the API besides the console's own (`https://host:port`).
    pub origins: Vec<String>,
    /// Where `?token=` may carry a raw token on WebSocket and SSE upgrades.
    pub query_tokens: QueryTokens,
    /// Let everybody in as an admin. Only on loopback, never behind a proxy; for experiments.
    pub no_auth: bool,
    /// TLS of the server's own port.
    pub tls: Tls,
    /// Upper bounds.
    pub limits: Limits,
    /// What only a server whose store is shared needs to know.
    pub shared: Shared,
    /// Leases that do not say how long.
    pub leases: Leases,
    /// Dead letters.
    pub dead_letters: DeadLetters,
    /// What the program writes about itself.
    pub log: Log,
    /// Calls of runs to other places.
    pub outgoing: Outgoing,
    /// The built-in agent.
    pub agent: Agent,
}

/// When a change counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Once it is on disk.
    #[default]
    Full,
    /// Once the database has it; the disk follows.
    Relaxed,
}

/// Where `?token=` may carry a raw token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueryTokens {
    /// Nowhere; tickets only.
    Off,
    /// From the same machine.
    #[default]
    Loopback,
    /// From anywhere.
    On,
}

/// TLS of the server's own port.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, PEM. Needs `tls.key`.
    pub cert: Option<PathBuf>,
    /// Private key of the certificate, PEM. Needs `tls.cert`.
    pub key: Option<PathBuf>,
}

/// Upper bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests that wait for the writer; new work beyond it is refused with 503.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-live" = true))]
    pub queued_intents: u32,
    /// Connections in all.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Connections of one address outside loopback.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_address: u32,
    /// Bytes of a request body.
    #[schemars(range(min = 1_024, max = 67_108_864))]
    pub body_bytes: u64,
    /// Bytes of the body of `tasks/batch` and `tasks/settle`.
    #[schemars(range(min = 1_024, max = 268_435_456))]
    pub batch_body_bytes: u64,
    /// Bytes of one artifact.
    #[schemars(range(min = 1, max = 1_099_511_627_776_u64))]
    pub artifact_bytes: u64,
}

/// What only a server whose store is shared needs to know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shared {
    /// This server's name among those that share the store. Default: the host name with the number of the process.
    pub name: Option<String>,
    /// Where artifacts and logs lie, which every server of the store must reach: `file:/path`, a folder that all of them
    /// see, or `s3://bucket/prefix`, with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` and, for other
    /// makers' servers, `AWS_ENDPOINT_URL` in the environment. Default: in the data folder, which is enough for one
    /// server.
    pub blobs: Option<String>,
    /// Ask the database often instead of listening to it: where a pool of connections that hands out single transactions stands
    /// between (PgBouncer), or the database has no LISTEN.
    pub poll_only: bool,
}

/// Leases that do not say how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Leases {
    /// Milliseconds of a lease whose claim names none.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub default_ms: u64,
}

/// Dead letters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetters {
    /// Letters kept for each scope; the oldest dismissed and resolved ones go first, pending ones stay.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-live" = true))]
    pub max: u32,
}

/// Calls of runs to other places.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outgoing {
    /// Addresses (`10.0.0.7`) or blocks (`10.0.0.0/8`) that `http` stages may call though they are this machine's or a
    /// private network's; public ones they may call anyway.
    pub allow: Vec<String>,
}

/// What the program writes about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least severe level that is written.
    #[schemars(extend("x-live" = true))]
    pub level: LogLevel,
    /// `json` is one object a line, `pretty` is for people, `auto` is pretty on a terminal.
    pub format: LogFormat,
    /// A file that gets the same lines as JSON, rotated at 10 MB, five kept.
    pub file: Option<PathBuf>,
}

/// How severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something broke.
    Error,
    /// Something needs a look.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Why it happens.
    Debug,
    /// Every step.
    Trace,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// The built-in agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// Its name, a slug, unique in the store. Default: the machine's host name.
    pub name: Option<String>,
    /// Tasks that it runs at once.
    #[schemars(range(min = 1, max = 1_000))]
    pub slots: u32,
    /// What it can do: tasks that ask for more go elsewhere.
    pub capabilities: Vec<String>,
    /// Address of the server (`http://…` or `https://…`). Default: the client file that `up` wrote.
    pub server: Option<String>,
    /// Its token, of the role `agent`.
    pub token: Option<Secret<String>>,
    /// Folder of its clones, mirrors and outbox. Default: `agent` in the data folder.
    pub work: PathBuf,
    /// Folders in which repositories may be registered by path. Default: the home folder.
    pub roots: Vec<PathBuf>,
    /// Another user of this machine, as whom programs run.
    pub user: Option<String>,
    /// Folder with one TOML file a known agent program. Default: the ones built in.
    pub programs: Option<PathBuf>,
    /// Milliseconds between asking a process group to end and ending it.
    #[schemars(range(min = 0, max = 600_000))]
    pub grace_ms: u64,
    /// What gives git its passwords for `https://`, as git's own `credential.helper` takes it. Default: only `~/.netrc`.
    pub git_credential_helper: Option<String>,
    /// The command by which git reaches `ssh://`. Default: `ssh`, which never asks anybody.
    pub git_ssh_command: Option<String>,
    /// Milliseconds that one git command may take.
    #[schemars(range(min = 1_000, max = 86_400_000))]
    pub git_timeout_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            data: PathBuf::new(),
            store: Store::default(),
            durability: Durability::default(),
            allow_external_bind: false,
            behind_proxy: false,
            proxies: Vec::new(),
            hosts: ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec(),
            origins: Vec::new(),
            query_tokens: QueryTokens::default(),
            no_auth: false,
            tls: Tls::default(),
            limits: Limits::default(),
            shared: Shared::default(),
            leases: Leases::default(),
            dead_letters: DeadLetters::default(),
            log: Log::default(),
            outgoing: Outgoing::default(),
            agent: Agent::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queued_intents: 65_536,
            connections: 12_000,
            connections_per_address: 256,
            body_bytes: 1 << 20,
            batch_body_bytes: 16 << 20,
            artifact_bytes: 1 << 30,
        }
    }
}

impl Default for Leases {
    fn default() -> Self {
        Self { default_ms: 30_000 }
    }
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self { max: 500 }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            name: None,
            slots: 4,
            capabilities: Vec::new(),
            server: None,
            token: None,
            work: PathBuf::new(),
            roots: Vec::new(),
            user: None,
            programs: None,
            grace_ms: 10_000,
            git_credential_helper: None,
            git_ssh_command: None,
            git_timeout_ms: 600_000,
        }
    }
}
