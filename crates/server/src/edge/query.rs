//! Reading the parameters of a request, strictly: a name that is not known is refused, as in bodies (API7).

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
        Refusal::new(Code::BadParameter, format!("a parameter cannot be read: {cause}"))
    })?;
    Ok(query.0)
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
    fn api2_a_bad_parameter_is_named() {
        for (query, named) in [("?limit=many", "limit"), ("?limti=7", "limti"), ("?limit=1&limit=2", "limit")]
        {
            let refusal = read_page(query).unwrap_err();
            assert_eq!(refusal.code, Code::BadParameter);
            assert!(refusal.message.contains(named), "{}", refusal.message);
        }
    }
}
