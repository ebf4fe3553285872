//! A browser that keeps our tokens in cookies: it does with them what RFC 6265bis has browsers do.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use countersign_auth::Throttles;
use countersign_http::{Origins, Settings, TokenCookies};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::actors::{ADDRESS, Answer, Draft, LOGIN, PASSWORD, REFRESH, World};

pub const OUR_ORIGIN: &str = "https://auth.example";
pub const TRUSTED: &str = "https://app.example";

/// A service that gives browsers cookies.
pub fn world() -> World {
    World::set(give_cookies)
}

/// One that also slows guessing down.
pub fn world_slowing_down(throttles: Throttles) -> World {
    World::slowing_down_and(throttles, give_cookies)
}

fn give_cookies(settings: &mut Settings) {
    settings.token_cookies = Some(TokenCookies {
        trusted_origins: Origins::named(&[TRUSTED.to_owned(), "null".to_owned()]).unwrap(),
        access_lifetime: SignedDuration::from_mins(5),
        refresh_lifetime: SignedDuration::from_hours(24),
    });
}

/// One with a page of ours open.
pub struct Browser<'a> {
    world: &'a World,
    /// Values and paths, by name.
    jar: Mutex<BTreeMap<String, (String, String)>>,
}

impl<'a> Browser<'a> {
    pub fn new(world: &'a World) -> Self {
        Self { world, jar: Mutex::default() }
    }

    /// One in which `name` has an account and is logged in.
    pub async fn of(world: &'a World, name: &str) -> Self {
        world.anon().register(name, PASSWORD).await.is(201);
        let browser = Self::new(world);
        browser.log_in(name).await.is(200);
        browser
    }

    pub async fn log_in(&self, name: &str) -> Answer {
        let login = json!({"username": name, "password": PASSWORD});
        self.send(self.as_our_page(Draft::post(LOGIN).json(&login))).await
    }

    pub async fn refresh(&self) -> Answer {
        self.post(REFRESH).await
    }

    /// What a careful script of our page sends.
    pub async fn post(&self, path: &str) -> Answer {
        self.send(self.as_our_page(Draft::post(path))).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Draft::get(path).header("sec-fetch-site", "same-origin")).await
    }

    /// With what our pages say of themselves, and the CSRF token that they can read.
    pub fn as_our_page(&self, draft: Draft) -> Draft {
        let draft = draft.header("origin", OUR_ORIGIN).header("sec-fetch-site", "same-origin");
        match self.cookie("__Host-csrftoken") {
            Some(token) => draft.header("x-csrftoken", &token),
            None => draft,
        }
    }

    /// Sends a request with the cookies that are for its path, and keeps those that the answer sets.
    pub async fn send(&self, draft: Draft) -> Answer {
        let path = draft.uri.path().to_owned();
        let cookies = self.cookies_for(&path);
        let draft = if cookies.is_empty() { draft } else { draft.header("cookie", &cookies) };
        let (head, body) = self.world.service.answer(draft.request(), Some(ADDRESS)).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer { status: head.status, headers: head.headers, body };
        answer.all("set-cookie").into_iter().for_each(|line| self.keep(line));
        answer
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().get(name).map(|(value, _)| value.clone())
    }

    /// As somebody does who can write cookies for our name: another name of the domain, or whoever is on the way.
    pub fn plant(&self, name: &str, value: &str, path: &str) {
        self.jar().insert(name.to_owned(), (value.to_owned(), path.to_owned()));
    }

    pub fn names(&self) -> Vec<String> {
        self.jar().keys().cloned().collect()
    }

    fn cookies_for(&self, path: &str) -> String {
        let jar = self.jar();
        let sent = jar.iter().filter(|(_, (_, of))| path.starts_with(of.as_str()));
        sent.map(|(name, (value, _))| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&self, line: &str) {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<&str> = parts.collect();
        assert!(attributes.contains(&"Secure"), "the prefix of its name demands it: {line}");
        let path = attributes.iter().find_map(|attribute| attribute.strip_prefix("Path=")).unwrap();
        assert!(path == "/" || !name.starts_with("__Host-"), "the prefix of its name demands it: {line}");
        if attributes.contains(&"Max-Age=0") {
            self.jar().remove(name);
        } else {
            self.plant(name, value, path);
        }
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (String, String)>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The members of a body.
pub fn members(answer: &Answer) -> Vec<String> {
    answer.json().as_object().map(|body| body.keys().cloned().collect()).unwrap_or_default()
}

/// What a body says of a CSRF token.
pub fn csrf_token(answer: &Answer) -> Value {
    answer.json()["csrf_token"].clone()
}
