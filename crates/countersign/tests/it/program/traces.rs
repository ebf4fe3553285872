//! What a collector of traces receives: one is played here, and reads what arrives as OpenTelemetry's protocol.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{Installation, PASSWORD, Server};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector, and what has come.
pub struct Collector {
    pub address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

/// One batch: the head of its request, and the body.
struct Received {
    head: String,
    body: ExportTraceServiceRequest,
}

impl Collector {
    /// One that answers each batch with this status.
    pub fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = format!("http://{}", listener.local_addr().expect("it listens"));
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let store = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                take_batches(&stream.expect("somebody comes"), status, &store);
            }
        });
        Self { address, received }
    }

    pub fn start() -> Self {
        Self::answering("200 OK")
    }

    fn heads(&self) -> Vec<String> {
        self.received
            .lock()
            .expect("nobody panics with it")
            .iter()
            .map(|received| received.head.clone())
            .collect()
    }

    fn resources(&self) -> Vec<Resource> {
        let received = self.received.lock().expect("nobody panics with it");
        received.iter().flat_map(|it| &it.body.resource_spans).filter_map(|it| it.resource.clone()).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().expect("nobody panics with it");
        let of_resources = received.iter().flat_map(|it| &it.body.resource_spans);
        of_resources.flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans).cloned().collect()
    }

    /// Everything that has come, as text.
    pub fn text(&self) -> String {
        let received = self.received.lock().expect("nobody panics with it");
        let batches: Vec<_> = received.iter().map(|received| format!("{:?}", received.body)).collect();
        batches.join("\n")
    }
}

/// Requests of one connection, until it ends.
fn take_batches(stream: &TcpStream, status: &str, received: &Mutex<Vec<Received>>) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).expect("text") == 0 {
                return;
            }
        }
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let mut body = vec![0; length.expect("a length").parse().expect("a number")];
        reader.read_exact(&mut body).expect("all of it");
        let body = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
        received.lock().expect("nobody panics with it").push(Received { head, body });
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").expect("it reads");
    }
}

fn attributes(of: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{} is {other:?}", pair.key),
    };
    of.iter().map(|pair| (pair.key.as_str(), text(pair))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn traced_to(collector: &Collector) -> Installation {
    Installation::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.clone())
}

fn stop(server: Server) {
    server.signal("TERM");
    assert!(server.wait().1);
}

/// Asks for an account's own data with a `traceparent` that has these flags.
fn me_within(server: &Server, flags: &str) {
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-{flags}\r\ntracestate: a=secret-of-a-client\r\n");
    server.anon().exchange("GET", "me", &parent, "").expect("an answer");
}

/// The spans of requests, by their names.
fn requests(spans: &[Span]) -> BTreeMap<String, Span> {
    let of_requests = spans.iter().filter(|span| span.kind == 2);
    of_requests.map(|span| (span.name.clone(), span.clone())).collect()
}

#[test]
fn a_request_is_a_span_with_its_outcome_and_what_it_waited_for_is_below() {
    let collector = Collector::start();
    let here = traced_to(&collector)
        .with("OTEL_EXPORTER_OTLP_HEADERS", "api-key=for%20the%20collector")
        .with("OTEL_SERVICE_NAME", "accounts")
        // None of our settings: they are the library's.
        .with("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "of-another=1")
        .with("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1");
    let server = here.serve();
    let anon = server.anon();
    anon.register("ada", PASSWORD);
    let ada = anon.tokens("ada", PASSWORD);
    let headers = format!(
        "Authorization: Bearer {}\r\nX-Request-Id: from-a-proxy\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\n",
        ada.access
    );
    anon.exchange("GET", "me", &headers, "").expect("an answer");
    assert_eq!(anon.exchange("GET", "sessions/abc", "", "").expect("an answer").0, 401);
    stop(server);

    let head = collector.heads().swap_remove(0).to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    assert!(head.contains("api-key: for the collector\r\n") && !head.contains("of-another"), "{head}");
    let resource = collector.resources().swap_remove(0);
    assert_eq!(attributes(&resource.attributes)["service.name"], "accounts");

    let spans = collector.spans();
    let requests = requests(&spans);
    assert!(requests.contains_key("GET /user/api/me/"), "{spans:#?}");
    let me = &requests["GET /user/api/me/"];
    assert_eq!((hex(&me.trace_id).as_str(), hex(&me.parent_span_id).as_str()), (TRACE, PARENT));
    let told = attributes(&me.attributes);
    for (name, wanted) in [
        ("http.request.method", "GET"),
        ("http.route", "/user/api/me/"),
        ("http.response.status_code", "200"),
        ("user.id", "1"),
        ("request.id", "from-a-proxy"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(wanted), "{name} in {told:?}");
    }
    let refused = attributes(&requests["GET /user/api/sessions/{id}/"].attributes);
    assert_eq!(refused["error.type"], "not_authenticated");
    assert!(!refused.contains_key("user.id"), "{refused:?}");

    let below = |parent: &Span| {
        let children = spans.iter().filter(|span| span.parent_span_id == parent.span_id);
        children.map(|span| span.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(below(me), ["SELECT"]);
    let login = &requests["POST /user/api/login/"];
    for name in ["SELECT", "hashing wait", "hashing work", "transaction"] {
        assert!(below(login).contains(&name.to_owned()), "{name} in {:?}", below(login));
    }
    let transaction = spans.iter().find(|span| span.name == "transaction").expect("there is one");
    assert!(!below(transaction).is_empty(), "its statements");
    let statement = spans.iter().find(|span| span.name == "SELECT").expect("there is one");
    let told = attributes(&statement.attributes);
    assert_eq!(told["db.system.name"], "sqlite");
    assert!(told["db.query.text"].contains("$1") && !told["db.query.text"].contains("ada"), "{told:?}");
    let hashed = spans.iter().find(|span| span.name == "hashing work").expect("there is one");
    assert!(hashed.end_time_unix_nano > hashed.start_time_unix_nano);
    let roots = spans.iter().filter(|span| span.parent_span_id.is_empty());
    assert_eq!(roots.filter(|span| span.kind != 2).count(), 0, "only requests are told of");
    assert!(!here.log().contains("countersign::trace"), "spans are not for the log");
}

#[test]
fn a_share_of_requests_is_traced_unless_a_caller_has_decided() {
    let traced = |sampler: &str, share: &str| {
        let collector = Collector::start();
        let here =
            traced_to(&collector).with("OTEL_TRACES_SAMPLER", sampler).with("OTEL_TRACES_SAMPLER_ARG", share);
        let server = here.serve();
        server.anon().exchange("GET", "me", "", "").expect("an answer");
        me_within(&server, "01");
        me_within(&server, "00");
        stop(server);
        let requests = collector.spans().into_iter().filter(|span| span.kind == 2);
        assert!(!collector.text().contains("secret-of-a-client"), "tracestate is nobody's business");
        let parents = requests.map(|span| !span.parent_span_id.is_empty());
        let (of_callers, alone): (Vec<bool>, Vec<bool>) = parents.partition(|has_parent| *has_parent);
        (of_callers.len(), alone.len())
    };
    assert_eq!(traced("parentbased_traceidratio", "0"), (1, 0), "whom the caller traces");
    assert_eq!(traced("parentbased_traceidratio", "1"), (1, 1), "but not whom it does not");
    assert_eq!(traced("traceidratio", "0"), (0, 0));
    assert_eq!(traced("traceidratio", "1"), (2, 1), "whatever the caller says");
    assert_eq!(traced("always_off", "1"), (0, 0));
}

#[test]
fn lines_of_the_log_name_the_trace_that_a_request_began() {
    let collector = Collector::start();
    let here = traced_to(&collector).with("ACCESS_LOG", "on");
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    stop(server);
    let trace = hex(&requests(&collector.spans())["POST /user/api/register/"].trace_id);
    assert!(here.log().contains(&format!("\"trace.id\":\"{trace}\"")), "{trace} in {}", here.log());
}

#[test]
fn a_collector_that_is_away_or_refuses_is_told_once_and_keeps_nobody_waiting() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("it listens");
    // Who listens and takes nothing: connections wait in the backlog, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent_address = format!("http://{}", silent.local_addr().expect("it listens"));
    let refusing = Collector::answering("403 Forbidden");
    for (address, why) in [
        (format!("http://{nobody}"), "refused"),
        (silent_address, "timeout"),
        (refusing.address.clone(), "403"),
    ] {
        let here = Installation::new()
            .with("OTEL_EXPORTER_OTLP_ENDPOINT", address)
            .with("OTEL_EXPORTER_OTLP_TIMEOUT", if why == "timeout" { "500" } else { "10000" });
        let server = here.serve();
        let anon = server.anon();
        assert_eq!(anon.register("ada", PASSWORD).0, 201);
        for _ in 0..600 {
            anon.exchange("GET", "me", "", "").expect("an answer"); // more than one batch
        }
        let told = Instant::now();
        stop(server);
        assert!(told.elapsed().as_secs() < 30, "the end waits for a moment only");
        let lines = here.log();
        let told: Vec<_> = lines.lines().filter(|line| line.contains("traces cannot be sent")).collect();
        assert_eq!(told.len(), 1, "{lines}");
        assert!(told[0].to_lowercase().contains(why), "{}", told[0]);
    }
}

#[test]
fn what_traces_cannot_be_made_of_is_refused_by_name() {
    let refusal = |name: &'static str, value: &str| Installation::new().with(name, value).refusal(&["serve"]);
    for (name, value, wanted) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318", "must be the address of a collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:b@127.0.0.1:4318", "must hold no password"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "nonsense", "must be name=value"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "must be parentbased_always_on"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1", "set OTEL_TRACES_SAMPLER to parentbased_traceidratio"),
    ] {
        let sentence = refusal(name, value);
        assert!(sentence.starts_with(&format!("{name}: ")) && sentence.contains(wanted), "{sentence}");
    }
    let here =
        Installation::new().with("OTEL_TRACES_SAMPLER", "traceidratio").with("OTEL_TRACES_SAMPLER_ARG", "2");
    assert!(here.refusal(&["check"]).contains("must be a number from 0 to 1"));
}
