//! The order of checks: of two faults in one request, the earlier one decides the answer.

use http::Method;
use serde_json::{Value, json};

use crate::actors::{Answer, Draft, LOGIN, ME, PASSWORD, REFRESH, REGISTER, World};

/// Something wrong with a request; what they are done to is still in pieces, so that any of them can be combined.
type Fault = (&'static str, fn(&mut Pieces));

struct Pieces {
    draft: Draft,
    fields: Value,
    /// Whether the JSON begins with a bracket too many.
    is_broken: bool,
}

const HEAD_TOO_LONG: Fault = ("head", |it| it.set("x-padding", &"x".repeat(8190)));
const HOST: Fault = ("host", |it| it.set("host", "elsewhere.example"));
const PATH: Fault = ("path", |it| it.draft.uri = "/user/api/nowhere/".parse().unwrap());
const NO_SLASH: Fault =
    ("slash", |it| it.draft.uri = it.draft.uri.path().trim_end_matches('/').parse().unwrap());
const ACCEPT: Fault = ("negotiation", |it| it.set("accept", "image/png"));
const BEARER: Fault = ("authentication", |it| it.set("authorization", "Bearer nonsense"));
const METHOD: Fault = ("method", |it| it.draft.method = Method::PUT);
const MEDIA_TYPE: Fault = ("media type", |it| it.set("content-type", "text/plain"));
const BODY: Fault = ("body", |it| it.is_broken = true);
const FIELDS: Fault = ("fields", |it| {
    it.fields.as_object_mut().unwrap().remove("username");
});
const CREDENTIALS: Fault = ("credentials", |it| it.fields["password"] = json!("password"));

impl Pieces {
    fn set(&mut self, name: &'static str, value: &str) {
        self.draft = self.draft.clone().header(name, value);
    }
}

async fn with_faults(world: &World, draft: &Draft, fields: &Value, faults: &[Fault]) -> Answer {
    let mut pieces = Pieces { draft: draft.clone(), fields: fields.clone(), is_broken: false };
    for (_, inflict) in faults {
        inflict(&mut pieces);
    }
    if pieces.draft.headers.contains_key("content-type") {
        let bracket = if pieces.is_broken { "{" } else { "" };
        pieces.draft.body = format!("{bracket}{}", pieces.fields).into_bytes();
    }
    world.send(pieces.draft).await
}

/// Every pair of faults, and each fault with all later ones, is answered as its earliest fault alone.
async fn earlier_wins(world: &World, draft: &Draft, fields: &Value, faults: &[Fault]) {
    let mut alone = Vec::new();
    for fault in faults {
        let answer = with_faults(world, draft, fields, &[*fault]).await;
        assert!(!alone.contains(&answer), "{} cannot be told from an earlier fault", fault.0);
        alone.push(answer);
    }
    for (at, early) in faults.iter().enumerate() {
        let later = &faults[at + 1..];
        for late in later {
            let both = with_faults(world, draft, fields, &[*early, *late]).await;
            assert_eq!(both, alone[at], "{} before {}", early.0, late.0);
        }
        let all = with_faults(world, draft, fields, &faults[at..]).await;
        assert_eq!(all, alone[at], "{} before all later ones", early.0);
    }
}

#[tokio::test]
async fn registration_reports_the_earliest_of_its_faults() {
    let world = World::new();
    let fields = json!({"username": "ada", "password": PASSWORD});
    let draft = Draft::post(REGISTER).json(&fields);
    let faults = [HEAD_TOO_LONG, HOST, PATH, ACCEPT, BEARER, METHOD, MEDIA_TYPE, BODY, FIELDS, CREDENTIALS];
    earlier_wins(&world, &draft, &fields, &faults).await;
    world.send(draft).await.is(201);
}

#[tokio::test]
async fn login_reports_the_earliest_of_its_faults_and_never_looks_at_a_bearer_token() {
    let world = World::new();
    world.user("ada").await;
    let fields = json!({"username": "ada", "password": PASSWORD});
    let draft = Draft::post(LOGIN).json(&fields).bearer("nonsense");
    let faults = [HEAD_TOO_LONG, HOST, NO_SLASH, ACCEPT, METHOD, MEDIA_TYPE, BODY, FIELDS, CREDENTIALS];
    earlier_wins(&world, &draft, &fields, &faults).await;
    world.send(draft).await.is(200);
}

#[tokio::test]
async fn a_protected_endpoint_asks_who_is_calling_before_it_looks_at_the_method() {
    let world = World::new();
    let ada = world.user("ada").await;
    let draft = Draft::get(ME).bearer(&ada.access);
    earlier_wins(&world, &draft, &json!({}), &[HEAD_TOO_LONG, HOST, NO_SLASH, ACCEPT, BEARER, METHOD]).await;
    world.send(draft).await.is(200);
    for method in [Method::OPTIONS, Method::DELETE, Method::from_bytes(b"PROPFIND").unwrap()] {
        world.send(Draft::new(method, ME)).await.is(401);
    }
}

#[tokio::test]
async fn an_unknown_format_is_reported_before_an_accept_header_and_after_the_path() {
    let world = World::new();
    let neither = Draft::post(&format!("{LOGIN}?format=xml")).header("accept", "image/png");
    assert_eq!(world.send(neither.clone()).await.is(404).detail(), "Not found.");
    let nowhere = Draft { uri: "/nowhere/?format=xml".parse().unwrap(), ..neither };
    assert!(world.send(nowhere).await.is(404).text().contains("<h1>Not Found</h1>"));
}

#[tokio::test]
async fn all_wrong_fields_are_reported_together_each_with_all_its_reasons() {
    let world = World::new();
    let body = json!({
        "password": format!("{}\0", "p".repeat(129)),
        "email": format!("{}\0", "e".repeat(255)),
        "username": format!("{}\0", "u u".repeat(60)),
    });
    let answer = world.anon().post(REGISTER, &body).await.is(400);
    let no_null = "Null characters are not allowed.";
    let expected = json!({
        "username": [
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
            "Ensure this field has no more than 150 characters.",
            no_null,
        ],
        "email": ["Ensure this field has no more than 254 characters.", no_null, "Enter a valid email address."],
        "password": ["Ensure this field has no more than 128 characters.", no_null],
    });
    assert_eq!(answer.text(), expected.to_string(), "in the order of the form, whatever that of the body");
}

#[tokio::test]
async fn the_policy_judges_a_password_only_when_every_field_is_right() {
    let world = World::new();
    let anon = world.anon();
    let without_name = anon.post(REGISTER, &json!({"password": "1"})).await.is(400);
    assert_eq!(without_name.json(), json!({"username": ["This field is required."]}));
    assert_eq!(anon.register("ada", "1").await.is(400).json()["password"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn no_refused_request_leaves_a_trace() {
    let world = World::new();
    let anon = world.anon();
    anon.register("ada", "password").await.is(400);
    anon.register("a b", PASSWORD).await.is(400);
    anon.post(REFRESH, &json!({"refresh": "nonsense"})).await.is(401);
    anon.log_in("ada", PASSWORD).await.is(401);
    assert_eq!(world.store.count_tokens().await.unwrap(), 0);
    let first = anon.register("ada", PASSWORD).await.is(201);
    assert_eq!(first.json()["id"], 1, "refusals use up no id");
}
