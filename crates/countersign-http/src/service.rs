//! One request from its head to its answer, in the order of checks that Django and Django REST Framework have:
//! size, host, path, slash, negotiation, authentication, permission, method, body, handler.

use std::borrow::Cow;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use countersign_auth::{Auth, Caller, Health, Origin};
use countersign_domain::Client;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Body;
use tracing::Instrument;

use crate::body::{self, Form};
use crate::caught::caught;
use crate::client_address::TrustedProxies;
use crate::cookies::{Cookies, TokenCookies};
use crate::cors::{self, Cors};
use crate::document::Prepared;
use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, metadata};
use crate::error::{Code, Error};
use crate::foreign_hosts::ForeignHosts;
use crate::head::{name_host, refused_by_server};
use crate::health::Readiness;
use crate::large_bodies::LargeBodies;
use crate::observing::Observer;
use crate::request::accept::{Negotiated, Renderer, negotiate};
use crate::request::host::AllowedHosts;
use crate::request::{BodyError, Fields, header_text, parse_query, percent};
use crate::routes::{DOCUMENTS, Route, Served, find};
use crate::seen::Seen;
use crate::{bearer, response};

/// What stands for the header `Host` when a client sends none, whatever its version of HTTP: the name that a WSGI
/// server would give.
const SERVER_NAME: &[u8] = b"127.0.0.1";

/// What settings decide about the wire.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ALLOWED_HOSTS`.
    pub allowed_hosts: AllowedHosts,
    /// `AUTH_HEADER_TYPES`: the words that may stand before a bearer token; the first is named in challenges.
    pub auth_header_types: Vec<String>,
    /// The header that carries the bearer token, by default `Authorization`.
    pub auth_header_name: HeaderName,
    /// The forms in which answers can be given, in order of preference.
    pub renderers: Vec<Renderer>,
    /// What pages of other origins may do; `None` for nothing.
    pub cors: Option<Cors>,
    /// How browsers keep tokens in cookies; `None` if they do not.
    pub token_cookies: Option<TokenCookies>,
    /// `TRUSTED_PROXIES`: whose word is taken for where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// Whether cookies are for encrypted connections alone.
    pub secure_cookies: bool,
    /// `ACCESS_LOG`: whether the log has a line for each request.
    pub access_log: bool,
}

/// The wire on top of the use-cases.
pub struct Service {
    auth: Auth,
    settings: Settings,
    served: Served,
    documents: [Prepared; DOCUMENTS.len()],
    foreign_hosts: ForeignHosts,
    large_bodies: LargeBodies,
    readiness: Readiness,
    observer: Observer,
    /// Whether it was said that there seems to be a proxy which is not named.
    has_missed_a_proxy: AtomicBool,
}

impl Service {
    /// Puts the wire on top of `auth`.
    #[must_use]
    pub fn new(auth: Auth, settings: Settings) -> Self {
        let observer = Observer::new(auth.metrics(), settings.access_log);
        let (foreign_hosts, large_bodies) = (ForeignHosts::default(), LargeBodies::new());
        let (readiness, has_missed_a_proxy) = (Readiness::default(), AtomicBool::default());
        let served = Served { login_field: auth.login_field(), registers_by_mail: auth.registers_by_mail() };
        let documents = DOCUMENTS.map(|document| document.prepared(served, &settings));
        Self {
            auth,
            settings,
            served,
            documents,
            foreign_hosts,
            large_bodies,
            readiness,
            observer,
            has_missed_a_proxy,
        }
    }

    /// Has `/readyz` answer with what a check has come to; it says for some seconds only that this is so.
    pub fn found(&self, health: Health) {
        self.observer.found(health);
        self.readiness.found(health);
    }

    /// Has `/readyz` answer that nobody new is to come. Everything else is answered as before.
    pub fn drain(&self) {
        self.readiness.drain();
    }

    /// The use-cases below, for what is to be done beside answering.
    #[must_use]
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Answers one request that came from the address `peer`. Never fails: what goes wrong is an answer too.
    pub async fn answer<B>(&self, request: Request<B>, peer: Option<IpAddr>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (mut head, body) = request.into_parts();
        name_host(&mut head);
        let seen = self.observer.see(&head.headers, || self.may_name(peer));
        let path = percent::decode_path(head.uri.path().as_bytes());
        let answering = async {
            if let Some(code) = refused_by_server(&head) {
                return self.answered(&seen, &Route::NotFound, &head.method, response::page(code));
            }
            let route = find(&path, self.served);
            let cors = self.settings.cors.as_ref().filter(|cors| cors.covers(&route, &path));
            let mut answer = if cors.is_some() && cors::is_preflight(&head) {
                cors::preflight()
            } else {
                let work = pin!(self.answer_at(&route, &head, body, peer, &seen));
                caught(work).await.unwrap_or_else(|| self.failed(&seen, &head))
            };
            if let Some(cors) = cors {
                cors.dress(&head, answer.headers_mut());
            }
            self.answered(&seen, &route, &head.method, answer)
        };
        // The log's outside: what is below the request is below its own span for the collector.
        answering.instrument(seen.span.clone()).instrument(self.observer.span(&seen, &head)).await
    }

    /// The answer to a request over which we panicked.
    fn failed(&self, seen: &Seen, head: &Parts) -> Response<Full<Bytes>> {
        let say =
            || tracing::error!("answering a request panicked: an error in Countersign; please report it");
        self.observer.tell(seen, head, say);
        response::page(Code::ServerError)
    }

    async fn answer_at<B>(
        &self,
        route: &Route<'_>,
        head: &Parts,
        body: B,
        peer: Option<IpAddr>,
        seen: &Seen,
    ) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let host = joined(&head.headers, &HOST);
        let host = host.as_deref().unwrap_or(SERVER_NAME);
        if !is_asked_by_address(route) && !self.settings.allowed_hosts.permits(host) {
            self.foreign_hosts.refused(host);
            return response::bad_host();
        }
        match route {
            Route::Endpoint(_, endpoint, argument) => {
                let pages = self.settings.cors.as_ref().map(|cors| &cors.allowed_origins);
                let cookies = Cookies::of(self.settings.token_cookies.as_ref(), pages, &head.headers);
                let name = head.headers.get(USER_AGENT).map(|value| header_text(value.as_bytes()));
                let address = peer.map(|peer| self.client_address(peer, head).to_string());
                let client = Client::new(address, name.as_deref().unwrap_or_default());
                let origin = &Origin::new(client, seen.id());
                let asked = Asked { endpoint, argument, head, origin, seen, cookies: &cookies };
                let mut answer = self.answer_endpoint(&asked, body).await;
                if self.settings.token_cookies.is_some()
                    && endpoint.authentication == Authentication::Required
                {
                    response::vary_on(answer.headers_mut(), "Cookie");
                }
                cookies.write_to(answer.headers_mut());
                answer
            }
            Route::Document(number) => match self.documents.get(*number) {
                Some(document) => document.answer(self, head),
                None => response::page(Code::NotFound),
            },
            Route::AppendSlash(path) => response::redirect(path, head.uri.query()),
            Route::Probe(probe) => self.readiness.answer(*probe, &head.method),
            Route::NotFound => response::page(Code::NotFound),
        }
    }

    /// Answers a request for which there is no place: a probe as always, anything else is asked to come back.
    pub(crate) fn turn_away<B>(&self, request: &Request<B>, peer: Option<IpAddr>) -> Response<Full<Bytes>> {
        let seen = self.observer.see(request.headers(), || self.may_name(peer));
        let path = percent::decode_path(request.uri().path().as_bytes());
        let route = find(&path, self.served);
        let answer = match &route {
            Route::Probe(probe) => self.readiness.answer(*probe, request.method()),
            _ => response::full(),
        };
        self.answered(&seen, &route, request.method(), answer)
    }

    /// Counts, logs and notes what is to be known of a request that is answered.
    fn answered(
        &self,
        seen: &Seen,
        route: &Route<'_>,
        method: &Method,
        answer: Response<Full<Bytes>>,
    ) -> Response<Full<Bytes>> {
        debug_assert!(
            route.lists(method, &answer),
            "an operation refuses with what it does not list: {answer:?}"
        );
        // Who looks for what there is not, is told so, and there is no more to it.
        if let Some(code) = answer.extensions().get::<Code>().filter(|code| **code != Code::NotFound) {
            self.auth.note_refusal(seen.id(), || {
                let (route, status) = (self.observer.name_of(route), code.status().as_str().to_owned());
                let told =
                    [("route", route.to_owned()), ("status", status), ("code", code.name().to_owned())];
                let told = told.map(|(name, value)| (name.to_owned(), value));
                told.into_iter().chain(seen.why().iter().cloned()).collect()
            });
        }
        self.observer.answered(seen, route, method, answer)
    }

    async fn answer_endpoint<B>(&self, asked: &Asked<'_>, body: B) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (negotiated, outcome) = match self.negotiate(asked.endpoint, asked.head) {
            Ok((negotiated, query)) => {
                let outcome = self.call(asked, &query, body).await;
                (negotiated, outcome)
            }
            Err(error) => (Negotiated::compact_json(), Err(error)),
        };
        let render = |answer| response::render(asked.endpoint, &negotiated, &self.settings, &answer);
        let error = match outcome {
            Ok(answer) => return render(answer),
            Err(error) => error,
        };
        self.observer.tell(asked.seen, asked.head, || error.log());
        asked.seen.is_refused(error.why(&asked.origin.evidence()));
        let code = error.code();
        let Some(body) = error.body() else { return response::page(code) };
        let headers = error.headers();
        let mut response = render(Answer { headers, ..Answer::with(code.status(), body.into()) });
        response.extensions_mut().insert(code);
        response
    }

    /// The form of the answer, and the query string, which may name it.
    fn negotiate(&self, endpoint: &Endpoint, head: &Parts) -> Result<(Negotiated, Fields), Error> {
        // A proxy's own query is not read in the charset of the client's body.
        let content_type = head.headers.get(CONTENT_TYPE).filter(|_| endpoint.negotiates());
        let content_type = content_type.map(|value| header_text(value.as_bytes()));
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let fields = parse_query(content_type.as_deref(), query).map_err(BodyError::from)?;
        if !endpoint.negotiates() {
            return Ok((Negotiated::compact_json(), fields));
        }
        let accept = joined(&head.headers, &ACCEPT).map(|value| header_text(&value));
        let negotiated = negotiate(accept.as_deref(), fields.find_text("format"), &self.settings.renderers)?;
        Ok((negotiated, fields))
    }

    async fn call<B>(&self, asked: &Asked<'_>, query: &Fields, body: B) -> Result<Answer, Error>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Asked { endpoint, argument, head, origin, seen, cookies } = *asked;
        let (caller, came_by_cookie) = self.authenticate(endpoint, head, cookies, origin).await?;
        if let Some(caller) = &caller {
            seen.is_of(caller.user.id);
        }
        if head.method == Method::OPTIONS && endpoint.negotiates() {
            let renders: Vec<_> =
                self.settings.renderers.iter().map(|renderer| renderer.media_type()).collect();
            return Ok(Answer::ok(metadata(endpoint, &renders)));
        }
        if !endpoint.method.is(&head.method) {
            return Err(Error::MethodNotAllowed(head.method.to_string()));
        }
        let form = match endpoint.method {
            // Who logs out may send whatever their client always sends.
            EndpointMethod::Post if endpoint.fields.is_empty() => {
                body::discard(body).await;
                Form::default()
            }
            EndpointMethod::Post => {
                body::read(&head.headers, body, endpoint.fields, &self.large_bodies).await?
            }
            EndpointMethod::Get | EndpointMethod::Delete => Form::default(),
        };
        let has_secure_cookies = self.settings.secure_cookies;
        let call = Call {
            auth: &self.auth,
            caller,
            came_by_cookie,
            argument,
            query,
            form,
            origin,
            has_secure_cookies,
            seen,
            cookies,
        };
        (endpoint.handle)(call).await
    }

    /// Whether this peer may say what a request is called.
    fn may_name(&self, peer: Option<IpAddr>) -> bool {
        peer.is_some_and(|peer| self.settings.trusted_proxies.may_be_many(peer))
    }

    /// The peer, unless it speaks for many clients.
    pub(crate) fn one_client(&self, peer: IpAddr) -> Option<IpAddr> {
        Some(peer).filter(|peer| !self.settings.trusted_proxies.may_be_many(*peer))
    }

    /// Whether this peer begins its connections with who has connected to it.
    pub(crate) fn is_announced_by(&self, peer: IpAddr) -> bool {
        self.settings.trusted_proxies.announces(peer)
    }

    /// Where a request comes from. That a proxy seems to have been forgotten is said once.
    fn client_address(&self, peer: IpAddr, head: &Parts) -> IpAddr {
        let proxies = &self.settings.trusted_proxies;
        if proxies.is_missing(peer, &head.headers) && !self.has_missed_a_proxy.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "requests come through a proxy, but TRUSTED_PROXIES is not set: all clients seem to have its address; name it"
            );
        }
        proxies.client_of(peer, &head.headers)
    }

    /// Who calls, and whether a cookie says so.
    async fn authenticate(
        &self,
        endpoint: &Endpoint,
        head: &Parts,
        cookies: &Cookies<'_>,
        origin: &Origin<'_>,
    ) -> Result<(Option<Caller>, bool), Error> {
        if endpoint.authentication == Authentication::Ignored {
            return Ok((None, false));
        }
        let header = joined(&head.headers, &self.settings.auth_header_name);
        let token = bearer::token(header.as_deref().unwrap_or_default(), &self.settings.auth_header_types)?;
        match token {
            Some(token) => {
                let caller = self.auth.authenticate(&bearer::text(token), origin).await?;
                Ok((Some(caller), false))
            }
            None if endpoint.authentication == Authentication::Required => {
                let token = cookies.access().ok_or(Error::NotAuthenticated)?;
                let caller = self.auth.authenticate(token, origin).await?;
                if !head.method.is_safe() {
                    cookies.check_page(&self.auth, caller.session.as_ref())?;
                }
                Ok((Some(caller), true))
            }
            None => Ok((None, false)),
        }
    }
}

/// An endpoint that was found for a request.
struct Asked<'a> {
    endpoint: &'static Endpoint,
    argument: &'a str,
    head: &'a Parts,
    origin: &'a Origin<'a>,
    seen: &'a Seen,
    cookies: &'a Cookies<'a>,
}

/// Whether it is asked by a program, which knows our address and sends any host: a proxy hands on the client's.
fn is_asked_by_address(route: &Route<'_>) -> bool {
    match route {
        Route::Probe(_) => true,
        Route::Endpoint(_, endpoint, _) => endpoint.asked_by == AskedBy::Proxy,
        _ => false,
    }
}

/// The value of a header; several lines of the same name are joined by commas, as WSGI servers do.
pub(crate) fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    let rest: Vec<&[u8]> = values.map(http::HeaderValue::as_bytes).collect();
    if rest.is_empty() {
        return Some(Cow::Borrowed(first));
    }
    let all: Vec<&[u8]> = std::iter::once(first).chain(rest).collect();
    Some(Cow::Owned(all.join(&b","[..])))
}
