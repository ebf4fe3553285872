//! The wire of Countersign: routes, negotiation, bodies, answers.
//!
//! [`Service`] answers one request, in the order of checks of Django and Django REST Framework; [`serve`] answers those
//! that arrive at a socket. `routes` has every path on one page, each endpoint has a file of its own, `request` reads
//! what clients send, and `error` is the only place that knows statuses, codes and sentences.

// The future of a request is deep.
#![recursion_limit = "256"]

mod api_page;
mod bearer;
mod blacklist;
mod body;
mod caught;
mod client_address;
mod connection;
mod cookies;
mod cors;
mod csrf;
mod docs;
mod document;
mod endpoint;
mod error;
mod foreign_hosts;
mod forward_auth;
mod front_page;
mod head;
mod health;
mod http2;
mod jwks;
mod known_device;
mod large_bodies;
mod limits;
mod lingering;
mod login;
mod logout;
mod me;
mod metrics_server;
mod observing;
mod openapi;
mod opening;
mod operation;
mod origins;
mod places;
#[doc(hidden)] // public for the fuzz targets alone
pub mod proxy_protocol;
mod refresh;
mod register;
mod register_confirm;
#[doc(hidden)] // public for the tests alone, which hold the parsers to the recorded vectors
pub mod request;
mod response;
mod routes;
mod seats;
mod seen;
mod serve;
mod service;
mod sessions;
mod tls;
mod user_body;
mod verify;

pub use client_address::{ForwardedHeader, TrustedProxies};
pub use cookies::TokenCookies;
pub use cors::{Cors, UrlPattern};
pub use docs::document_text;
pub use error::{cause_of, page as errors_page, sentence};
pub use http::{HeaderName, HeaderValue};
pub use limits::Limits;
pub use metrics_server::serve_metrics;
pub use origins::{OriginError, Origins};
pub use request::accept::Renderer;
pub use request::host::AllowedHosts;
pub use routes::Served;
pub use serve::{Manners, serve};
pub use service::{Service, Settings};
pub use tls::{Tls, TlsError, exchange_encrypted};
