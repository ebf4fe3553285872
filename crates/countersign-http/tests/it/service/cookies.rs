//! Tokens in cookies: who gets them, what they are good for, and who cannot use them.

use countersign_auth::Throttles;
use http::Method;
use serde_json::{Value, json};

use crate::actors::{
    Answer, Draft, LOGIN, LOGOUT, LOGOUT_ALL, ME, PASSWORD, REFRESH, REGISTER, SESSIONS, World,
};
use crate::browser::{Browser, OUR_ORIGIN, TRUSTED, csrf_token, members, world, world_slowing_down};

const ACCESS: &str = "__Host-access_token";
const REFRESH_COOKIE: &str = "__Secure-refresh_token";
const CSRF: &str = "__Host-csrftoken";
const EVIL: &str = "https://evil.example";
const FAILED: &str = "CSRF Failed: ";

fn login(name: &str) -> Draft {
    Draft::post(LOGIN).json(&json!({"username": name, "password": PASSWORD}))
}

/// A refusal for CSRF, which says why.
fn is_refused(answer: Answer, why: &str) {
    let detail = answer.is(403).detail();
    assert!(detail.starts_with(FAILED) && detail.contains(why), "{detail}");
}

#[tokio::test]
async fn a_browser_gets_its_tokens_where_no_script_can_read_them() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    let answer = browser.log_in("ada").await.is(200);
    assert_eq!(members(&answer), ["csrf_token"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    let [access, refresh, csrf] = answer.all("set-cookie").try_into().unwrap();
    let attributes = |line: &str| line.split_once("; ").unwrap().1.to_owned();
    assert_eq!(attributes(access), "Max-Age=300; Path=/; HttpOnly; Secure; SameSite=Lax");
    let narrow = "Max-Age=86400; Path=/user/api/token/refresh/; HttpOnly; Secure; SameSite=Strict";
    assert_eq!(attributes(refresh), narrow);
    assert_eq!(attributes(csrf), "Max-Age=86400; Path=/; Secure; SameSite=Strict", "its page reads this one");
    assert_eq!(browser.names(), [ACCESS, CSRF, REFRESH_COOKIE]);
    assert_eq!(csrf_token(&answer), browser.cookie(CSRF).unwrap().as_str());
    let body = answer.text();
    assert!(!body.contains(&browser.cookie(ACCESS).unwrap()) && !body.contains("refresh"));
}

#[tokio::test]
async fn me_and_all_protected_endpoints_take_the_cookie_and_a_header_goes_before_it() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    let bob = world.anon().register("bob", PASSWORD).await.is(201).json();
    assert_eq!(browser.get(ME).await.is(200).json()["username"], "ada");
    assert_eq!(browser.get(SESSIONS).await.is(200).json()[0]["current"], true);
    assert_eq!(browser.get("/auth/verify").await.is(200).all("x-user-name"), ["ada"]);
    assert_eq!(
        browser.get(ME).await.all("vary"),
        ["Accept, Cookie"],
        "no cache may give it to somebody else"
    );
    let tokens = Browser::new(&world).send(login("bob")).await.is(200).json();
    let as_bob = Draft::get(ME).bearer(tokens["access"].as_str().unwrap());
    assert_eq!(browser.send(as_bob).await.is(200).json()["id"], bob["id"]);
    browser.send(Draft::get(ME).bearer("nonsense")).await.is(401);
    // A token for something else is no token of ours.
    browser.send(Draft::get(ME).header("authorization", "Basic YTpi")).await.is(200);
    assert_eq!(
        Browser::new(&world).get(ME).await.is(401).detail(),
        "Authentication credentials were not provided."
    );
}

#[tokio::test]
async fn where_it_is_off_no_cookie_is_set_or_looked_at() {
    let on = world();
    let browser = Browser::of(&on, "ada").await;
    let (access, refresh) = (browser.cookie(ACCESS).unwrap(), browser.cookie(REFRESH_COOKIE).unwrap());
    // The same keys, so that the tokens themselves are good.
    let off = World::new();
    off.anon().register("ada", PASSWORD).await.is(201);
    let from_page = |draft: Draft| draft.header("origin", OUR_ORIGIN).header("sec-fetch-site", "same-origin");
    let tokens = off.send(from_page(login("ada"))).await.is(200).json();
    assert!(tokens["access"].is_string() && tokens["refresh"].is_string());
    off.send(login("ada").header("origin", EVIL)).await.is(200);
    let cookies = format!("{ACCESS}={access}; {REFRESH_COOKIE}={refresh}");
    off.send(Draft::get(ME).header("cookie", &cookies)).await.is(401);
    let refused = off.send(from_page(Draft::post(REFRESH).header("cookie", &cookies))).await.is(400);
    assert_eq!(refused.json(), json!({"refresh": ["This field is required."]}));
}

#[tokio::test]
async fn whoever_is_no_browser_and_whoever_asks_gets_tokens_in_the_body_as_ever() {
    let world = world();
    Browser::of(&world, "ada").await;
    for draft in [
        login("ada"),
        Draft { uri: format!("{LOGIN}?bearer").parse().unwrap(), ..login("ada").header("origin", TRUSTED) },
        Draft { uri: format!("{LOGIN}?bearer=1").parse().unwrap(), ..login("ada").header("origin", EVIL) },
    ] {
        let client = Browser::new(&world);
        let answer = client.send(draft).await.is(200);
        assert_eq!(members(&answer), ["refresh", "access"]);
        assert_eq!(client.names(), [""; 0], "no cookies, so that there is nothing to forge");
        let body = json!({"refresh": answer.json()["refresh"]});
        let refreshed = client.send(Draft::post(REFRESH).json(&body).header("origin", EVIL)).await.is(200);
        assert_eq!(members(&refreshed), ["access"]);
        assert!(refreshed.all("set-cookie").is_empty());
    }
    let no =
        Draft { uri: format!("{LOGIN}?bearer=0").parse().unwrap(), ..login("ada").header("origin", EVIL) };
    is_refused(Browser::new(&world).send(no).await, EVIL);
}

#[tokio::test]
async fn a_refresh_takes_the_cookie_when_the_body_has_none_and_sets_the_next() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    let before = browser.cookie(ACCESS).unwrap();
    world.clock.advance_secs(60);
    let answer = browser.refresh().await.is(200);
    assert_eq!(members(&answer), ["csrf_token"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert_eq!(answer.all("set-cookie").len(), 1, "the refresh token stays as it is");
    assert_ne!(browser.cookie(ACCESS).unwrap(), before);
    assert_eq!(csrf_token(&answer), browser.cookie(CSRF).unwrap().as_str());
    let empty = browser.as_our_page(Draft::post(REFRESH).json(&json!({})));
    browser.send(empty).await.is(200);
    // Whatever the body has counts, be it wrong.
    let wrong = browser.as_our_page(Draft::post(REFRESH).json(&json!({"refresh": "nonsense"})));
    browser.send(wrong).await.is(401);
    assert_eq!(browser.names().len(), 3, "a wrong token in a body says nothing of the cookies");
    let null = browser.as_our_page(Draft::post(REFRESH).json(&json!({"refresh": null})));
    browser.send(null).await.is(400);
}

#[tokio::test]
async fn a_session_that_has_ended_is_forgotten_by_the_browser() {
    let world = world();
    let one = Browser::of(&world, "ada").await;
    for path in [LOGOUT.to_owned(), LOGOUT_ALL.to_owned(), own_session(&one).await] {
        one.log_in("ada").await.is(200);
        let path = if path.starts_with(SESSIONS) { own_session(&one).await } else { path };
        let method = if path.starts_with(SESSIONS) { Method::DELETE } else { Method::POST };
        let stolen = one.cookie(REFRESH_COOKIE).unwrap();
        let ended = one.send(one.as_our_page(Draft::new(method, &path))).await;
        assert!(ended.status.is_success(), "{path}: {ended:?}");
        assert_eq!(one.names(), [""; 0], "{path}");
        let refused = world.anon().post(REFRESH, &json!({"refresh": stolen})).await;
        refused.is(401);
    }
}

async fn own_session(browser: &Browser<'_>) -> String {
    let list = browser.get(SESSIONS).await.is(200).json();
    let is_own = |session: &&Value| session["current"] == true;
    let id = list.as_array().unwrap().iter().find(is_own).unwrap()["id"].as_str().unwrap().to_owned();
    format!("{SESSIONS}{id}/")
}

#[tokio::test]
async fn the_end_of_another_session_leaves_the_cookies_of_this_one() {
    let world = world();
    let one = Browser::of(&world, "ada").await;
    let other = Browser::new(&world);
    other.log_in("ada").await.is(200);
    let path = own_session(&other).await;
    one.send(one.as_our_page(Draft::new(Method::DELETE, &path))).await.is(204);
    one.post(&format!("{LOGOUT_ALL}?except_current")).await.is(200);
    one.get(ME).await.is(200);
    // The other browser learns it from its next refresh, and forgets.
    other.get(ME).await.is(401);
    assert_eq!(other.names().len(), 3, "an access token may merely have expired");
    let from_elsewhere = other.as_our_page(Draft::post(REFRESH)).header("origin", EVIL);
    is_refused(other.send(from_elsewhere.header("sec-fetch-site", "cross-site")).await, EVIL);
    assert_eq!(other.names().len(), 3, "another page cannot make it forget anything");
    other.refresh().await.is(401);
    assert_eq!(other.names(), [""; 0]);
    // Who logs out with a header has no cookies of that session.
    let bearer = one.cookie(ACCESS).unwrap();
    let answer = one.send(Draft::post(LOGOUT).bearer(&bearer)).await.is(200);
    assert!(answer.all("set-cookie").is_empty());
}

#[tokio::test]
async fn what_changes_something_needs_a_page_of_ours_and_the_token_of_its_session() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    let stranger = Browser::of(&world, "eve").await;
    let session = own_session(&browser).await;
    let acts = [
        (Method::POST, LOGOUT.to_owned()),
        (Method::POST, LOGOUT_ALL.to_owned()),
        (Method::DELETE, session),
        (Method::POST, REFRESH.to_owned()),
    ];
    for (method, path) in acts {
        let act = || browser.as_our_page(Draft::new(method.clone(), &path));
        let without = |name: &str| {
            let mut draft = act();
            draft.headers.remove(name);
            draft
        };
        is_refused(browser.send(without("x-csrftoken")).await, "CSRF token missing.");
        for token in ["", "x", &stranger.cookie(CSRF).unwrap()] {
            is_refused(
                browser.send(act().header("x-csrftoken", token)).await,
                "'X-Csrftoken' HTTP header incorrect.",
            );
        }
        // Even where both are changed alike: the token is made for the session, and not only sent twice.
        let own = browser.cookie(CSRF).unwrap();
        browser.plant(CSRF, &stranger.cookie(CSRF).unwrap(), "/");
        is_refused(browser.send(act()).await, "incorrect.");
        browser.plant(CSRF, &own, "/");
        let from = |origin: &str, site: &str| act().header("origin", origin).header("sec-fetch-site", site);
        is_refused(browser.send(from(EVIL, "cross-site")).await, EVIL);
        is_refused(browser.send(from("https://other.auth.example", "same-site")).await, "other.auth.example");
        is_refused(browser.send(from("null", "cross-site")).await, "null");
        let mut silent = without("origin");
        silent.headers.remove("sec-fetch-site");
        is_refused(browser.send(silent).await, "does not say where it comes from");
    }
    browser.get(ME).await.is(200);
    browser.post(LOGOUT).await.is(200);
}

#[tokio::test]
async fn where_a_request_comes_from_is_what_the_browser_says_of_it() {
    let world = world();
    world.anon().register("ada", PASSWORD).await.is(201);
    let from = |origin: Option<&str>, site: Option<&str>| {
        let mut draft = login("ada");
        if let Some(origin) = origin {
            draft = draft.header("origin", origin);
        }
        if let Some(site) = site {
            draft = draft.header("sec-fetch-site", site);
        }
        draft
    };
    let browser = Browser::new(&world);
    for (origin, site) in [
        (Some(OUR_ORIGIN), Some("same-origin")),
        (Some("http://127.0.0.1:8000"), Some("same-origin")), // behind a proxy that does not hand on `Host`
        (None, Some("same-origin")),
        (Some("https://AUTH.example"), None), // an old browser
        (Some(TRUSTED), Some("cross-site")),
        (Some(TRUSTED), None),
    ] {
        let answer = browser.send(from(origin, site)).await.is(200);
        assert_eq!(members(&answer), ["csrf_token"], "{origin:?} {site:?}");
    }
    for (origin, site) in [
        (Some(EVIL), None),
        (Some(EVIL), Some("cross-site")),
        (Some(OUR_ORIGIN), Some("cross-site")),
        (Some(OUR_ORIGIN), Some("same-site")),
        (Some(OUR_ORIGIN), Some("none")),
        (Some(OUR_ORIGIN), Some("")),
        (None, Some("cross-site")),
        (None, Some("none")),
        (Some("http://auth.example"), None), // whoever is on the way can be that
        (Some("https://auth.example:8443"), None),
        (Some("https://auth.example.evil.example"), None),
        (Some("https://auth.example/evil"), None),
        (Some(&format!("{TRUSTED}/evil")), None),
        (Some(&format!("{TRUSTED}?")), Some("cross-site")),
        (Some("null"), None), // though CORS_ALLOWED_ORIGINS has it
        (Some(""), None),
    ] {
        is_refused(browser.send(from(origin, site)).await, "Origin checking failed");
    }
}

#[tokio::test]
async fn another_page_cannot_make_a_browser_log_in() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    world.anon().register("eve", PASSWORD).await.is(201);
    let form = Draft::post(LOGIN)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("username=eve&password={PASSWORD}"))
        .header("origin", EVIL)
        .header("sec-fetch-site", "cross-site");
    is_refused(browser.send(form).await, EVIL);
    assert_eq!(browser.get(ME).await.json()["username"], "ada");
}

#[tokio::test]
async fn a_refresh_cookie_that_somebody_else_planted_does_not_change_whose_session_it_is() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    let attacker = Browser::of(&world, "eve").await;
    let planted = attacker.cookie(REFRESH_COOKIE).unwrap();
    browser.plant(REFRESH_COOKIE, &planted, "/user/api/token/refresh/");
    is_refused(browser.refresh().await, "incorrect.");
    assert_eq!(browser.get(ME).await.json()["username"], "ada");
}

#[tokio::test]
async fn bad_tokens_in_cookies_are_counted_like_those_in_bodies() {
    let token_address = Some("4/hour".parse().unwrap());
    let world = world_slowing_down(Throttles { is_on: true, token_address, ..Throttles::default() });
    let browser = Browser::of(&world, "ada").await;
    let good = browser.cookie(REFRESH_COOKIE).unwrap();
    let present = async |token: &str| {
        browser.plant(REFRESH_COOKIE, token, "/user/api/token/refresh/");
        browser.refresh().await.status.as_u16()
    };
    assert_eq!(present("nonsense").await, 401);
    browser.log_in("ada").await.is(200); // it was told to forget its cookies
    assert_eq!(world.anon().post(REFRESH, &json!({"refresh": "nonsense"})).await.status, 401);
    assert_eq!(present("nonsense").await, 429, "the budget is the same");
    assert_eq!(present(&good).await, 403, "that of another session than the page's");
    browser.log_in("ada").await.is(200);
    browser.refresh().await.is(200);
}

#[tokio::test]
async fn who_sends_a_header_needs_no_csrf_token_wherever_it_comes_from() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    let access = browser.cookie(ACCESS).unwrap();
    browser.send(Draft::post(LOGOUT_ALL).bearer(&access).header("origin", EVIL)).await.is(200);
}

#[tokio::test]
async fn registering_looks_at_no_cookie() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    browser.plant(ACCESS, "nonsense", "/");
    let new =
        Draft::post(REGISTER).json(&json!({"username": "bob", "password": PASSWORD})).header("origin", EVIL);
    browser.send(new).await.is(201);
}

#[tokio::test]
async fn only_cookies_of_exactly_these_names_are_ours() {
    let world = world();
    let browser = Browser::of(&world, "ada").await;
    let access = browser.cookie(ACCESS).unwrap();
    let me = |cookie: &str| Draft::get(ME).header("cookie", cookie);
    let ask = async |cookie: &str| world.service.answer(me(cookie).request(), None).await.status().as_u16();
    assert_eq!(ask(&format!("a=b;{ACCESS}={access} ; c")).await, 200);
    for cookie in [
        format!("access_token={access}"),
        format!("{}={access}", ACCESS.to_lowercase()),
        format!("{ACCESS}x={access}"),
        format!("a={ACCESS}={access}"),
        format!("{ACCESS}="),
        format!("{ACCESS}=\"{access}\""),
    ] {
        assert_eq!(ask(&cookie).await, 401, "{cookie}");
    }
    let lines = me("a=b").another("cookie", &format!("{ACCESS}={access}"));
    assert_eq!(world.service.answer(lines.request(), None).await.status(), 200, "HTTP/2 parts them");
}
