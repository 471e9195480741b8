//! Sign-ins of browsers and the codes that give them: only digests are kept (SEC1).

use crate::backend::sql;
use crate::error::Result;
use crate::rows::{Rows, Tx};
use tiltyard_model::sign_in::{Kind, SignIn};
use tiltyard_model::token::Digest;

const CODE: i64 = 0;
const SIGN_IN: i64 = 1;

/// Writes a new one.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn insert(tx: &Tx, sign_in: &SignIn, digest: &Digest) -> Result<()> {
    let kind = match sign_in.kind {
        Kind::Code => CODE,
        Kind::SignIn => SIGN_IN,
    };
    let parameters = [
        sign_in.key.into(),
        digest.as_slice().into(),
        kind.into(),
        sign_in.token.into(),
        sign_in.expires.into(),
    ];
    tx.put(sql!("sign_in/insert"), &parameters)
}

/// Removes one; false when it was gone before.
///
/// # Errors
/// When the store is broken or the disk is full.
pub fn delete(tx: &Tx, key: i64) -> Result<bool> {
    Ok(tx.run(sql!("sign_in/delete"), &[key.into()])? == 1)
}

/// All of them, with their digests, oldest first.
///
/// # Errors
/// When the store is broken.
pub fn all(rows: &Rows) -> Result<Vec<(SignIn, Digest)>> {
    rows.all(sql!("sign_in/all"), &[], |row| {
        let kind = match row.int(1)? {
            CODE => Kind::Code,
            SIGN_IN => Kind::SignIn,
            other => return Err(row.unreadable(format!("no sign-in is of kind {other}"))),
        };
        let digest = row.bytes(4)?.try_into().map_err(|_| row.unreadable("a digest has not 32 bytes"))?;
        let sign_in = SignIn { key: row.int(0)?, kind, token: row.opt_int(2)?, expires: row.int(3)? };
        Ok((sign_in, digest))
    })
}
