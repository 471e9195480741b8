//! Names of machines, looked up once a connection: what is refused is left out, and the rest is all that can be
//! connected to.

use super::guard::Guard;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// Most addresses of a name that are looked at.
const MAX_ADDRESSES: usize = 64;
/// Addresses of a name that are named in a refusal.
const SHOWN: usize = 3;

/// A look-up under way.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Knows the addresses of names.
pub trait Names: Send + Sync + 'static {
    /// The addresses of a name, at this moment.
    fn look_up(&self, name: &str) -> Looking;
}

/// What the system knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name that leads nowhere but to addresses that are not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    host: String,
    addresses: String,
}

impl Refused {
    pub(super) fn new(host: &str, addresses: &[IpAddr]) -> Self {
        let shown: Vec<String> = addresses.iter().take(SHOWN).map(IpAddr::to_string).collect();
        Self { host: host.to_owned(), addresses: shown.join(", ") }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.host == self.addresses {
            self.host.clone()
        } else {
            format!("{} ({})", self.host, self.addresses)
        };
        write!(
            f,
            "{place} is not called: it is an address of this machine or of a private network. If it is to be, name it in \
             the setting `outgoing.allow`"
        )
    }
}

impl std::error::Error for Refused {}

/// Looks names up and leaves out what is refused.
pub(super) struct Checked {
    guard: Guard,
    names: Arc<dyn Names>,
}

impl Checked {
    pub(super) fn new(guard: Guard, names: Arc<dyn Names>) -> Self {
        Self { guard, names }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, host) = (self.guard.clone(), name.as_str().to_owned());
        let looking = self.names.look_up(&host);
        Box::pin(async move {
            let mut found = looking.await?;
            found.truncate(MAX_ADDRESSES);
            let admitted: Vec<SocketAddr> = found
                .iter()
                .filter(|address| guard.admits(**address))
                // The port is that of the url.
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if admitted.is_empty() && !found.is_empty() {
                return Err(Refused::new(&host, &found).into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}
