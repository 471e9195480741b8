//! `tiltyard ui`

use crate::context::Context;
use crate::exit::Failure;
use clap::Args;
use serde::Serialize;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::time::Time;

/// Print a link that opens the console, signed in
///
/// The link signs one browser in, once, as the owner of the token that this command line uses; it is good for fifteen
/// minutes. The browser then stays signed in for seven days, or until the token ends.
#[derive(Debug, Args)]
pub struct Ui {}

/// A way into the console.
#[derive(Debug, Serialize)]
pub(super) struct Link {
    /// What a browser opens.
    pub(super) url: String,
    /// Until when it signs in; none where nobody has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Time>,
}

impl Link {
    /// Asks for a new one. What stands behind `#` is not sent to anybody by the browser: no log holds it.
    pub(super) async fn ask(client: &Client, url: &str) -> Result<Self, Error> {
        match client.call(Request::<call::SignInCode>::new()).await {
            Ok(made) => Ok(Self { url: with_code(url, &made.code), expires: Some(made.expires) }),
            // No tokens are asked for there.
            Err(error) if error.code() == Some("wrong_state") => {
                Ok(Self { url: url.to_owned(), expires: None })
            }
            Err(error) => Err(error),
        }
    }
}

/// The console's address with a code.
pub(super) fn with_code(url: &str, code: &str) -> String {
    format!("{}/#code={code}", url.trim_end_matches('/'))
}

impl Ui {
    /// Prints it, alone on its line.
    ///
    /// # Errors
    /// Those of the call.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        context.block_on(async {
            let (client, url) = (context.client()?, context.destination()?.url);
            let link = Link::ask(&client, &url).await?;
            if context.output.is_json() {
                return context.output.json(&link);
            }
            context.output.line(&visible::line(&link.url))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::with_code;

    // SEC2: the console's one-time link.
    #[test]
    fn sec2_a_link_holds_its_code_behind_the_hash() {
        assert_eq!(with_code("http://127.0.0.1:8470", "jsc_1"), "http://127.0.0.1:8470/#code=jsc_1");
        assert_eq!(with_code("https://x.example/", "jsc_1"), "https://x.example/#code=jsc_1");
    }
}
