//! What describes the server: the OpenAPI document, the pages to try it, and the files made of the same declarations.

use countersign_domain::LoginField;
use countersign_http::{Served, document_text, errors_page};
use http::header::AUTHORIZATION;
use http::{HeaderName, Method};
use serde_json::{Value, json};

use crate::actors::{Answer, World};

async fn get(path: &str, headers: &[(&str, &str)]) -> Answer {
    World::new().ask(Method::GET, path, headers).await
}

fn document() -> Value {
    serde_json::from_str(&document_text(Served::default())).unwrap()
}

/// Each file that is made of declarations has to be what they say now.
fn is_up_to_date(file: &str, text: &str) {
    let path = format!("{}/../../docs/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "run the tests once with UPDATE_DOCS=1 to write docs/{file} anew");
}

#[test]
fn the_files_in_docs_are_what_the_declarations_say() {
    is_up_to_date("openapi.json", &document_text(Served::default()));
    is_up_to_date("errors.md", &errors_page());
}

#[tokio::test]
async fn the_document_is_served_as_it_is_in_docs() {
    let response = get("/openapi.json", &[]).await;
    assert_eq!((response.status.as_u16(), response.header("content-type")), (200, "application/json"));
    assert_eq!(response.body, document_text(Served::default()));
}

#[test]
fn every_operation_has_an_example_and_says_what_it_can_refuse() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 18, "{:?}", paths.keys());
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    for (name, operation) in operations {
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name}");
        assert!(answers.contains_key("400") && answers.contains_key("431"), "{name}");
        let probes = ["get /healthz", "get /readyz"];
        assert!(probes.contains(&name.as_str()) || answers["503"].to_string().contains("no_place"), "{name}");
        if operation["security"][0]["bearer"].is_array() {
            assert!(answers["401"].to_string().contains("not_authenticated"), "{name}");
        }
        if let Some(sent) = operation.get("requestBody") {
            assert!(sent["content"]["application/json"]["example"].is_object(), "{name}");
        }
        for (status, answer) in answers {
            let json = answer["content"].get("application/json");
            let has_example = |json: &Value| {
                json["schema"] != json!({})
                    && (json.get("example").is_some() || json.get("examples").is_some())
            };
            assert!(json.is_none_or(has_example), "{name} {status}");
        }
    }
}

#[test]
fn what_a_proxy_is_answered_depends_on_no_wish_of_a_client() {
    let document = document();
    let answers = &document["paths"]["/auth/verify"]["get"]["responses"];
    assert!(answers["400"].is_object() && answers["404"].is_null() && answers["406"].is_null(), "{answers}");
}

#[test]
fn no_two_operations_have_one_name() {
    let document = document();
    let text = document.to_string();
    let mut names: Vec<&str> =
        text.split("\"operationId\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), names.contains(&"token_refresh")), (count, true), "{names:?}");
}

#[test]
fn where_users_log_in_with_their_address_the_document_says_so() {
    let document: Value =
        serde_json::from_str(&document_text(Served { login_field: LoginField::Email, ..Served::default() }))
            .unwrap();
    let login = &document["paths"]["/user/api/login/"]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(login["schema"]["required"], json!(["email", "password"]));
    assert!(document["paths"]["/user/api/me/"]["get"].is_object());
}

#[tokio::test]
async fn where_tokens_are_sent_otherwise_the_document_says_so() {
    let served = async |word: &str, name: HeaderName| {
        let world = World::set(|settings| {
            settings.auth_header_types = vec![word.to_owned(), "Bearer".to_owned()];
            settings.auth_header_name = name;
        });
        world.ask(Method::GET, "/openapi.json", &[]).await.body
    };
    let usual = served("Bearer", AUTHORIZATION).await;
    assert_eq!(usual, document_text(Served::default()));
    for (word, name) in [("JWT", AUTHORIZATION), ("Bearer", HeaderName::from_static("x-token"))] {
        let text = String::from_utf8(served(word, name.clone()).await.to_vec()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let scheme = &document["components"]["securitySchemes"]["bearer"];
        assert_eq!((&scheme["type"], &scheme["x-word"]), (&"apiKey".into(), &word.into()));
        assert_eq!(scheme["name"], name.as_str());
        assert!(
            text.contains(&format!("`{name}: {word} ACCESS`")) && !text.contains("Authorization: Bearer")
        );
    }
}

#[tokio::test]
async fn the_document_is_made_once() {
    let world = World::new();
    let ask = async || world.ask(Method::GET, "/openapi.json", &[]).await.body;
    let (first, second) = (ask().await, ask().await);
    assert_eq!(first.as_ptr(), second.as_ptr());
}

#[tokio::test]
async fn the_front_page_is_html_for_a_browser_and_json_for_a_program() {
    let page = get("/", &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]).await;
    assert_eq!((page.status.as_u16(), page.header("vary")), (200, "Accept"));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let html = page.text().to_owned();
    assert!(html.contains("Status: starting.") && html.contains("href=\"docs/\""), "{html}");
    let summary = get("/", &[("accept", "*/*")]).await;
    assert_eq!(summary.header("content-type"), "application/json");
    let summary: Value = serde_json::from_slice(&summary.body).unwrap();
    assert_eq!((&summary["name"], &summary["status"]), (&"Countersign".into(), &"starting".into()));
    assert_eq!(summary["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_pages_come_from_here_alone() {
    let page = get("/docs/", &[]).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let html = page.text().to_owned();
    let parts = html
        .split("src=\"")
        .chain(html.split("rel=\"stylesheet\" href=\""))
        .filter(|part| !part.starts_with('<'));
    let parts: Vec<&str> =
        parts.skip(1).filter_map(|part| part.split('"').next()).filter(|part| !part.contains(' ')).collect();
    assert!(parts.contains(&"docs.js") && parts.contains(&"swagger-ui.css"), "{parts:?}");
    for part in parts.iter().filter(|part| !part.starts_with('\n')) {
        let response = get(&format!("/docs/{part}"), &[]).await;
        assert_eq!(response.status, 200, "{part}");
        assert!(["text/javascript", "text/css"].contains(&response.header("content-type")), "{part}");
    }
}

#[tokio::test]
async fn what_is_packed_is_sent_as_gzip_and_not_sent_again() {
    let path = "/docs/swagger-ui-bundle.js";
    let first = get(path, &[]).await;
    assert_eq!(first.header("content-encoding"), "gzip");
    let tag = first.header("etag").to_owned();
    let bytes = first.body;
    assert_eq!(bytes[..3], [0x1f, 0x8b, 8]);
    let again = get(path, &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
}

#[tokio::test]
async fn a_document_without_its_slash_redirects_and_one_with_a_slash_too_much_is_not_there() {
    let response = get("/docs", &[]).await;
    assert_eq!((response.status.as_u16(), response.header("location")), (301, "/docs/"));
    for path in ["/docs/docs", "/openapi.json/", "/openapi", "/docs/swagger-ui.css.gz"] {
        assert_eq!(get(path, &[]).await.status, 404, "{path}");
    }
    let posted = World::new().ask(Method::POST, "/openapi.json", &[]).await;
    assert_eq!((posted.status.as_u16(), posted.header("allow")), (405, "GET, HEAD"));
}
