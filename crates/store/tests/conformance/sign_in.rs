use crate::body::{NOW, each};
use tiltyard_model::sign_in::{Kind, SignIn};
use tiltyard_store::sign_in::{all, delete, insert};

// SEC1, SEC2: a sign-in and a code are kept by their digests, until they end.
#[test]
fn sec2_sign_ins_are_kept_by_their_digests() {
    each(|body| {
        let code = SignIn { key: 1, kind: Kind::Code, token: None, expires: NOW };
        let sign_in = SignIn { key: 2, kind: Kind::SignIn, token: None, expires: NOW + 1 };
        body.write(|tx| insert(tx, &sign_in, &[2; 32]).and_then(|()| insert(tx, &code, &[1; 32])));
        assert_eq!(all(body.rows()).unwrap(), [(code, [1; 32]), (sign_in, [2; 32])]);
        assert!(body.write(|tx| delete(tx, 1)));
        assert!(!body.write(|tx| delete(tx, 1)), "a code is used once");
        assert_eq!(all(body.rows()).unwrap(), [(sign_in, [2; 32])]);
    });
}
