//! Reading the parameters of a request, strictly: a name that is not known is refused, as in bodies (API7).

use crate::edge::words;
use axum::extract::Query;
use http::Uri;
use serde::de::DeserializeOwned;
use std::error::Error;
use tiltyard_model::refusal::{Code, Refusal};

/// The parameters behind the `?`.
///
/// # Errors
/// 400 `bad_parameter`, which names the parameter.
pub fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let query = Query::try_from_uri(uri).map_err(|rejection| {
        let cause = rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string);
        Refusal::new(Code::BadParameter, format!("a parameter cannot be read: {}", words::of(&cause)))
    })?;
    Ok(query.0)
}

/// The same where a token may stand among the parameters (API1): it has been looked at, and is none of them.
///
/// # Errors
/// As [`read`].
pub fn read_beside_token<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let Some(query) = uri.query().filter(|query| query.contains("token=")) else { return read(uri) };
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("token=")).collect();
    let without = Uri::try_from(format!("{}?{}", uri.path(), rest.join("&")));
    read(&without.map_err(|_| Refusal::new(Code::BadParameter, "the parameters cannot be read"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_wire::page::PageQuery;

    fn read_page(query: &str) -> Result<PageQuery, Refusal> {
        read(&format!("/api/v1/tasks{query}").parse().unwrap())
    }

    #[test]
    fn parameters_are_read() {
        let page = read_page("?limit=7&scope=a%2Db").unwrap();
        assert_eq!((page.limit, page.scope.as_deref()), (Some(7), Some("a-b")));
        assert_eq!(read_page("").unwrap(), PageQuery::default());
    }

    #[test]
    fn api1_a_token_among_the_parameters_is_none_of_them() {
        let read = |query: &str| {
            read_beside_token::<PageQuery>(&format!("/api/v1/events/stream{query}").parse().unwrap())
        };
        let expected = PageQuery { limit: Some(7), scope: Some("a".into()), ..PageQuery::default() };
        assert_eq!(read("?token=jst_1&limit=7&scope=a").unwrap(), expected);
        assert_eq!(read("?limit=7&token=x&scope=a").unwrap(), expected);
        assert_eq!(read("?token=x").unwrap(), PageQuery::default());
        assert_eq!(read("").unwrap(), PageQuery::default());
        assert_eq!(read("?tokens=x").unwrap_err().code, Code::BadParameter);
    }

    #[test]
    fn api2_a_bad_parameter_is_named() {
        for (query, named) in [("?limit=many", "limit"), ("?limti=7", "limti"), ("?limit=1&limit=2", "limit")]
        {
            let refusal = read_page(query).unwrap_err();
            assert_eq!(refusal.code, Code::BadParameter);
            assert!(refusal.message.contains(named), "{}", refusal.message);
        }
    }
}
