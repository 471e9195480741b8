//! A database that is spoken to in private: a real one, with certificates of the test's own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tiltyard_store::Error;
use tiltyard_store::postgres::{Options, Store};
use tiltyard_testkit::postgres::{Cluster, Sync};

/// Days for which a certificate is good: the test takes seconds.
const DAYS: &str = "2";

fn openssl(folder: &Path, words: &[&str]) {
    let done =
        Command::new("openssl").args(words).current_dir(folder).output().expect("openssl is installed");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// An authority: its certificate is `NAME.pem`.
fn authority(folder: &Path, name: &str) {
    let (key, own, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            DAYS,
            "-subj",
            &subject,
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-keyout",
            &key,
            "-out",
            &own,
        ],
    );
}

/// A server's certificate for `localhost`, by the authority `by`.
fn certificate(folder: &Path, by: &str) {
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").expect("writes");
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
        ],
    );
    let (own, key) = (format!("{by}.pem"), format!("{by}.key"));
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            &own,
            "-CAkey",
            &key,
            "-CAcreateserial",
            "-days",
            DAYS,
            "-extfile",
            "names",
            "-out",
            "server.pem",
        ],
    );
}

/// A server that speaks TLS, and nothing else by TCP.
fn private(folder: &Path) -> Cluster {
    let cluster = Cluster::start(Sync::Off, &[]).expect("PostgreSQL starts");
    cluster.ask("postgres", "CREATE DATABASE d").expect("a database");
    for name in ["server.key", "server.pem"] {
        let (from, to) = (folder.join(name), cluster.data().join(name));
        std::fs::copy(from, &to).expect("copies");
        cluster.give(&to).expect("is the server's");
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).expect("is private");
    }
    let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
    std::fs::write(cluster.data().join("pg_hba.conf"), rules).expect("writes");
    for sql in [
        "ALTER SYSTEM SET ssl_cert_file = 'server.pem'",
        "ALTER SYSTEM SET ssl = on",
        "SELECT pg_reload_conf()",
    ] {
        cluster.ask("postgres", sql).expect("is set");
    }
    cluster
}

struct Scene {
    folder: TempDir,
    cluster: Cluster,
}

impl Scene {
    fn set() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        authority(folder.path(), "ours");
        authority(folder.path(), "others");
        certificate(folder.path(), "ours");
        Self { cluster: private(folder.path()), folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, host: &str, rest: &str) -> Result<(), Error> {
        let url = format!("postgres://tiltyard@{host}:{}/d?{rest}", self.cluster.port());
        Store::open(&Options::new(url, [7; 16])).map(drop)
    }

    fn refused(&self, host: &str, rest: &str) -> String {
        let error = self.open(host, rest).expect_err("is refused");
        // Nothing that passes by itself: somebody must see to it.
        assert!(matches!(error, Error::Locked(_)), "{error:?}");
        error.to_string()
    }
}

// O16, SEC: `verify-full` speaks only to the name that was called, vouched for by who was named; a refusal says what to do.
#[test]
fn o16_a_database_must_prove_its_name() {
    let scene = Scene::set();
    let root = |name: &str| format!("sslmode=verify-full&sslrootcert={}", scene.file(name).display());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    // The server reads its settings again soon after it was told to.
    while scene.open("localhost", &root("ours.pem")).is_err() && std::time::Instant::now() < until {}
    scene.open("localhost", &root("ours.pem")).expect("its certificate is right");
    scene.open("127.0.0.1", "sslmode=prefer").expect("whoever asks for less gets it");
    let named = format!("{}&application_name=seen", root("ours.pem"));
    let url = format!("postgres://tiltyard@localhost:{}/d?{named}", scene.cluster.port());
    let _open = Store::open(&Options::new(url, [7; 16])).expect("opens");
    let told = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'seen'";
    assert_eq!(scene.cluster.ask("d", told).expect("answers"), "t", "it is private");
    let name = scene.refused("127.0.0.1", &root("ours.pem"));
    assert!(name.contains("localhost") && name.contains("name"), "{name}");
    let other = scene.refused("localhost", &root("others.pem"));
    assert!(other.contains("sslrootcert"), "{other}");
    let system = scene.refused("localhost", "sslmode=verify-full");
    assert!(system.contains("sslrootcert"), "{system}");
    let none = scene.refused("localhost", &root("absent.pem"));
    assert!(none.contains("absent.pem"), "{none}");
    let plain = scene.refused("localhost", "sslmode=disable");
    assert!(plain.contains("sslmode"), "{plain}");
}
