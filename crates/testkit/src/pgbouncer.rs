//! A pool of connections before a server of PostgreSQL: a real PgBouncer.

use crate::daemon::Daemon;
use crate::postgres::{Cluster, USER};
use std::fs;

/// What the pool hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// Whole sessions.
    Session,
    /// Single transactions.
    Transaction,
}

/// A running pool. It ends with this value.
pub struct Pool {
    daemon: Daemon,
}

impl Pool {
    /// Puts one before a server, with so many connections to it at most.
    ///
    /// # Errors
    /// When PgBouncer is not installed, or does not start.
    pub fn before(cluster: &Cluster, mode: PoolMode, size: usize) -> anyhow::Result<Self> {
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let behind = cluster.port();
        let daemon = Daemon::start("pgbouncer", |folder, port| {
            let (users, settings) = (folder.join("users.txt"), folder.join("pgbouncer.ini"));
            fs::write(&users, format!("\"{USER}\" \"\"\n"))?;
            let text = format!(
                "[databases]\n* = host=127.0.0.1 port={behind}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
                 pool_mode = {mode}\ndefault_pool_size = {size}\nmax_client_conn = 200\n",
                users.display()
            );
            fs::write(&settings, text)?;
            Ok(vec![settings.display().to_string()])
        })?;
        Ok(Self { daemon })
    }

    /// The address of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@{}/{database}", self.daemon.address())
    }

    /// What it has said.
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}
