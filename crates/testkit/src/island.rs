//! A network of its own (Linux name spaces) for a server, with one cable to this machine's. Cut in the middle, the cable swallows
//! what is sent, both ways: nobody is told, as when a switch dies. A proxy cannot do that.

use anyhow::{Context, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Takes the networks away when the other end of its input is closed.
const GUARD: &str = r#"read -r _
ip netns del "$1"
ip netns del "$2""#;
/// Addresses that nobody has: for measurements (RFC 2544). Networks of four, two of which can be used.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// How many such networks there are.
const NETWORKS: u32 = 32_768;

/// The network. It goes with this value, or with this process.
pub struct Island {
    own: String,
    switch: String,
    host: Ipv4Addr,
    guard: Child,
    /// Where ferries go; they end with it.
    quay: watch::Sender<Option<SocketAddr>>,
}

impl Island {
    /// One with a whole cable; nothing where this user may not make networks.
    ///
    /// # Errors
    /// When it is begun and cannot be finished.
    pub fn rise() -> anyhow::Result<Option<Self>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (own, switch) = (format!("tilt-{process}-{number}"), format!("tilt-{process}-{number}-switch"));
        if ip(&format!("netns add {own}")).is_err() {
            return Ok(None);
        }
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard", &own, &switch]);
        let guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let network = (process.wrapping_mul(7) + number) % NETWORKS;
        let host = Ipv4Addr::from(u32::from(FIRST_ADDRESS) + network * 4 + 1);
        let island = Self { own, switch, host, guard, quay: watch::Sender::new(None) };
        island.wire(&format!("tl{process}x{number}"))?;
        Ok(Some(island))
    }

    /// This machine ── switch ── island.
    fn wire(&self, plug: &str) -> anyhow::Result<()> {
        let Self { own, switch, host, .. } = self;
        let there = Ipv4Addr::from(u32::from(*host) + 1);
        for words in [
            format!("netns add {switch}"),
            format!("link add {plug} type veth peer name host netns {switch}"),
            format!("-n {switch} link add cable type veth peer name cable netns {own}"),
            format!("-n {switch} link add bridge type bridge"),
            format!("-n {switch} link set host master bridge"),
            format!("-n {switch} link set cable master bridge"),
            format!("-n {switch} link set host up"),
            format!("-n {switch} link set cable up"),
            format!("-n {switch} link set bridge up"),
            format!("addr add {host}/30 dev {plug}"),
            format!("link set {plug} up"),
            format!("-n {own} addr add {there}/30 dev cable"),
            format!("-n {own} link set cable up"),
            format!("-n {own} link set lo up"),
        ] {
            ip(&words)?;
        }
        Ok(())
    }

    /// Where this machine is, as seen from there.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// What a command begins with that is to run there.
    pub fn inside(&self) -> [String; 4] {
        ["ip", "netns", "exec", &self.own].map(str::to_owned)
    }

    /// From now on the cable swallows everything.
    ///
    /// # Errors
    /// When it cannot be unplugged.
    pub fn cut(&self) -> anyhow::Result<()> {
        ip(&format!("-n {} link set cable nomaster", self.switch))
    }

    /// Makes the cable whole again.
    ///
    /// # Errors
    /// When it cannot be plugged in.
    pub fn mend(&self) -> anyhow::Result<()> {
        ip(&format!("-n {} link set cable master bridge", self.switch))
    }

    /// An address of this machine behind which what listens on the loopback there answers, whatever happens to the cable, once
    /// [`Island::lands_at`] has said where.
    ///
    /// # Errors
    /// When no port is free, or the network is gone.
    pub fn ferry(&self) -> anyhow::Result<SocketAddr> {
        // A socket belongs to the network that it was made in, whoever uses it.
        let listener = TcpListener::bind("127.0.0.1:0").context("a port for the ferry")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let island = File::open(format!("/run/netns/{}", self.own)).context("the network's file")?;
        let quay = self.quay.subscribe();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let moved = move_into_link_name_space(island.as_fd(), Some(LinkNameSpaceType::Network));
            let there = moved.is_ok();
            // Whoever asked may be gone.
            let _ = tell.send(moved);
            if there {
                carry(listener, quay);
            }
        });
        told.recv().context("the ferry has sunk")?.context("going there")?;
        Ok(address)
    }

    /// Where ferries go from now on.
    pub fn lands_at(&self, to: SocketAddr) {
        self.quay.send_replace(Some(to));
    }
}

fn carry(listener: TcpListener, mut quay: watch::Receiver<Option<SocketAddr>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a thread can have a runtime");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
        let lands = quay.clone();
        let accept = async {
            while let Ok((mut near, _)) = listener.accept().await {
                let to = *lands.borrow();
                tokio::spawn(async move {
                    let Some(to) = to else { return };
                    let Ok(mut far) = TcpStream::connect(to).await else { return };
                    let quick = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
                    if quick.is_ok() {
                        // Either end may break off.
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        };
        tokio::select! {
            () = accept => {}
            () = async { while quay.changed().await.is_ok() {} } => {}
        }
    });
}

impl Drop for Island {
    #[expect(clippy::print_stderr, reason = "a test's output is where its reader looks")]
    fn drop(&mut self) {
        // Closes the guard's input: it takes the networks away.
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            eprintln!("the network {} may still be there: {error}", self.own);
        }
    }
}

fn ip(words: &str) -> anyhow::Result<()> {
    let done = Command::new("ip").args(words.split(' ')).output().context("starting ip")?;
    if !done.status.success() {
        bail!("ip {words}: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}
