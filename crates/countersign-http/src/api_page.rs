//! An answer for people who open an endpoint in a browser: the same status and body as JSON, on a small page.

use countersign_token::json::to_response;

use crate::endpoint::{Answer, Endpoint};

/// The page. It has neither script nor form, so that nothing can be done by looking at it.
pub(crate) fn api_page(endpoint: &Endpoint, answer: &Answer) -> String {
    let name = endpoint.name;
    let description = escaped(endpoint.description);
    let status = answer.status;
    let body = escaped(&to_response(&answer.body, Some(4)));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>{name} – Countersign</title>\n\
         </head>\n<body>\n  <h1>{name}</h1>\n  <p>{description}</p>\n  <p>HTTP {status}</p>\n  <pre>{body}</pre>\n\
         </body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
