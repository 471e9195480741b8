use crate::body::{Body, NOW, each};
use tiltyard_model::id::Noun;
use tiltyard_model::role::{Reach, Role};
use tiltyard_model::token::Token;
use tiltyard_store::token::{Window, any, count, end, get, insert, live, page, used};

const ALL: Window = Window { below: i64::MAX, offset: 0, limit: 100 };

fn token(body: &Body, n: u16, scopes: &[&str]) -> Token {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Token {
        id: body.id(Noun::Token, n),
        label: format!("token {n}"),
        owner: "ada".into(),
        groups: vec!["security".into()],
        role: Role::Worker,
        reach: Reach::from_list(&scopes),
        queues: Some(vec!["builds".into()]),
        agent: None,
        expires: Some(NOW + 1),
        last_used: None,
        revoked: None,
    }
}

// SEC1: a token is kept with all but its text.
#[test]
fn sec1_a_token_is_kept_by_its_digest() {
    each(|body| {
        assert!(!any(body.rows()).unwrap());
        let own = token(body, 1, &["a", "b"]);
        body.write(|tx| insert(tx, &own, &[7; 32]));
        assert!(any(body.rows()).unwrap());
        assert_eq!(live(body.rows()).unwrap(), [(own.clone(), [7; 32])]);
        assert_eq!(get(body.rows(), own.id.key()).unwrap(), Some(own));
        assert_eq!(get(body.rows(), 1).unwrap(), None);
    });
}

// SEC19: an end is recorded once, and a revocation says when.
#[test]
fn sec19_a_token_ends_once() {
    each(|body| {
        let (one, two) = (token(body, 1, &["*"]), token(body, 2, &["*"]));
        body.write(|tx| insert(tx, &one, &[1; 32]).and_then(|()| insert(tx, &two, &[2; 32])));
        assert!(body.write(|tx| end(tx, one.id.key(), NOW, Some(NOW))));
        assert!(!body.write(|tx| end(tx, one.id.key(), NOW + 5, Some(NOW + 5))));
        assert!(body.write(|tx| end(tx, two.id.key(), NOW, None)));
        assert_eq!(live(body.rows()).unwrap(), []);
        assert_eq!(get(body.rows(), one.id.key()).unwrap().unwrap().revoked, Some(NOW));
        assert_eq!(get(body.rows(), two.id.key()).unwrap().unwrap().revoked, None);
        assert!(any(body.rows()).unwrap(), "a store whose tokens have ended is no new one");
    });
}

// SEC1: the last use only moves on.
#[test]
fn sec1_the_last_use_never_goes_back() {
    each(|body| {
        let own = token(body, 1, &["*"]);
        body.write(|tx| insert(tx, &own, &[1; 32]));
        for at in [NOW, NOW - 60_000] {
            body.write(|tx| used(tx, own.id.key(), at));
        }
        assert_eq!(get(body.rows(), own.id.key()).unwrap().unwrap().last_used, Some(NOW));
    });
}

// SEC4: a list shows tokens all of whose scopes are among the asker's, newest first.
#[test]
fn sec4_tokens_are_listed_by_all_of_their_scopes() {
    each(|body| {
        for (n, scopes) in [(1, vec!["a"]), (2, vec!["a", "b"]), (3, vec!["*"]), (4, vec!["a"])] {
            let own = token(body, n, &scopes);
            body.write(|tx| insert(tx, &own, &[n as u8; 32]));
        }
        let listed = |scopes: Option<&[String]>, window| {
            let found = page(body.rows(), scopes, window).unwrap();
            found.into_iter().map(|token| token.label).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, ALL), ["token 4", "token 3", "token 2", "token 1"]);
        let of_a = ["a".to_owned()];
        assert_eq!(listed(Some(&of_a), ALL), ["token 4", "token 1"]);
        assert_eq!(listed(Some(&of_a), Window { offset: 1, ..ALL }), ["token 1"]);
        assert_eq!(
            listed(None, Window { below: body.id(Noun::Token, 3).key(), limit: 1, ..ALL }),
            ["token 2"]
        );
        let both = ["b".to_owned(), "a".to_owned()];
        assert_eq!(
            (count(body.rows(), Some(&both), 10).unwrap(), count(body.rows(), None, 3).unwrap()),
            (3, 3)
        );
        assert_eq!(count(body.rows(), Some(&[]), 10).unwrap(), 0);
    });
}
