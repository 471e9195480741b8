//! `/docs`: the endpoints, and a page for each code of a refusal. Plain pages without scripts; nothing comes from
//! elsewhere.

use crate::ask::Ask;
use crate::problem::status;
use crate::reply::Answer;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use std::fmt::Write;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Right, Role};
use tiltyard_wire::endpoint::{Endpoint, Form};

include!(concat!(env!("OUT_DIR"), "/problem_pages.rs"));

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd;vertical-align:top}
code,pre{font:14px/1.5 ui-monospace,monospace}pre{white-space:pre-wrap}
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}td,th{border-color:#444}a{color:#8ab4f8}}
";

const FRONT: &str = "<h1>Tiltyard is running here</h1>
<p>The web console is not part of this version, so there is nothing to sign in to yet; a sign-in link that brought you here
stays good until it is used or its time is up. Everything works from the command line:</p>
<pre>tiltyard tasks
tiltyard changes
tiltyard submit \"Fix it\" --repo NAME -- PROGRAM
tiltyard events --follow</pre>
<p>The API has its pages at <a href=\"/docs\">/docs</a>, every refusal has <a href=\"/docs/problem\">a page</a>, and
<a href=\"/api/v1/health\">/api/v1/health</a> says how this server is.</p>
";

/// `GET /docs` and what lies below it.
pub(crate) async fn page(ask: Ask) -> Answer {
    match ask.place("page") {
        "" => Ok(html("Tiltyard API", &endpoints())),
        "style.css" => Ok(response("text/css; charset=utf-8", STYLE.to_owned())),
        "problem" => Ok(html("Problems", &problems())),
        other => match other.strip_prefix("problem/").and_then(problem) {
            Some(text) => Ok(text),
            None => Err(Refusal::missing("page", other.chars().take(64).collect::<String>())),
        },
    }
}

/// `GET /`: the place of the console, which this version does not have. Who opens the address is told what there is.
pub(crate) async fn front() -> Answer {
    Ok(html("Tiltyard", FRONT))
}

fn response(media_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn html(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body>\n{body}</body></html>\n"
    );
    response("text/html; charset=utf-8", page)
}

/// Every row of the table.
fn endpoints() -> String {
    let mut page = String::from(
        "<h1>Tiltyard API</h1>\n<p>The whole contract is <a href=\"/api/v1/openapi.json\">openapi.json</a>; its shapes \
         stand in <a href=\"/api/v1/schemas\">schemas</a>, and every refusal has <a href=\"/docs/problem\">a page</a>.</p>\n\
         <table><thead><tr><th>Call</th><th>What it does</th><th>Who may</th></tr></thead><tbody>\n",
    );
    for endpoint in Endpoint::ALL {
        let row = endpoint.row();
        let method = if row.answer == Form::Socket { "WS" } else { row.method.as_str() };
        let (path, doc, who) = (escaped(&endpoint.full_path()), escaped(row.doc), who(row.right));
        // Writing into a string cannot fail.
        let _ = writeln!(page, "<tr><td><code>{method} {path}</code></td><td>{doc}</td><td>{who}</td></tr>");
    }
    page.push_str("</tbody></table>\n");
    page
}

fn who(right: Right) -> String {
    if right == Right::Open {
        return "anybody".to_owned();
    }
    let roles = Role::ALL.into_iter().filter(|role| role.may(right)).map(Role::as_str);
    let every = if right.is_server_wide() { " of every scope" } else { "" };
    format!("{}{every}", roles.collect::<Vec<_>>().join(", "))
}

/// Every code with its status.
fn problems() -> String {
    let mut page = String::from("<h1>Problems</h1>\n<table><tbody>\n");
    for code in Code::ALL {
        let (word, status, title) = (code.as_str(), status(code.kind()).as_u16(), escaped(code.title()));
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "<tr><td><a href=\"/docs/problem/{word}\"><code>{word}</code></a></td><td>{status}</td><td>{title}</td></tr>"
        );
    }
    page.push_str("</tbody></table>\n");
    page
}

fn problem(code: &str) -> Option<Response> {
    let (_, text) = PROBLEM_PAGES.iter().find(|(own, _)| *own == code)?;
    Some(html(
        &escaped(code),
        &format!("<p><a href=\"/docs/problem\">All problems</a></p>\n<pre>{}</pre>\n", escaped(text)),
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api2_every_code_has_its_page() {
        for code in Code::ALL {
            assert!(problem(code.as_str()).is_some(), "{}", code.as_str());
        }
        assert!(problem("no_such_code").is_none());
    }

    // SEC12: a page brings nothing in from elsewhere and runs nothing.
    #[test]
    fn sec12_a_page_is_text() {
        let page = endpoints() + &problems();
        for foreign in ["<script", "http://", "https://", "style=", "onclick"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("WS /api/v1/agents/connect") && page.contains("POST /api/v1/tasks"));
    }
}
