//! Why a database does not let anybody in, where it is somebody's to see to: who it is, who asks, and how privately.

use super::failure::{failure, reason};
use crate::error::Error;
use rustls::CertificateError;
use std::error::Error as Cause;
use std::io;

/// What the driver says when TLS is asked for and not there.
const NO_TLS: &str = "server does not support TLS";

/// The word of ours for a connection that did not come about.
pub(super) fn refused(error: &tokio_postgres::Error) -> Error {
    let own = reason(error);
    if let Some(mend) = mend_of_tls(error, &own) {
        return Error::Locked(format!("the database cannot be spoken to in private: {own}: {mend}"));
    }
    match error.code().map(|code| code.code()) {
        Some(code) if code.starts_with("28") || code == "3D000" => {
            let mend = "look at user, password, database and sslmode in the address of the store, and at pg_hba.conf";
            Error::Locked(format!("the database does not let this server in: {own}: {mend}"))
        }
        _ => failure("connect", error),
    }
}

fn mend_of_tls(error: &tokio_postgres::Error, own: &str) -> Option<&'static str> {
    if own.contains(NO_TLS) {
        return Some("switch it on there (`ssl = on`), or say sslmode=disable in the address of the store");
    }
    let io = Cause::source(error)?.downcast_ref::<io::Error>()?;
    match io.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Some("name the host in the address of the store as its certificate does"),
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Some("its certificate needs to be renewed"),
        rustls::Error::InvalidCertificate(_) => {
            Some("name the file of who vouches for it in the address of the store (sslrootcert=/path/ca.pem)")
        }
        _ => None,
    }
}
