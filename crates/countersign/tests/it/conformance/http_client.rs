//! A client that sends exactly the bytes a scenario asks for and reads the answer strictly.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::clock::unix_now;
use super::scenario::{Generated, Request};
use super::variables::Variables;

const TIMEOUT: Duration = Duration::from_secs(60);

/// An answer and the times around it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case; repeated ones joined by `, `.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Unix seconds before the request.
    pub sent: f64,
    /// Unix seconds after the answer.
    pub received: f64,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, bad UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request on a connection of its own and reads the answer.
pub fn exchange(address: SocketAddr, request: &Request, variables: &Variables) -> Result<Answer, String> {
    let bytes = request_bytes(address, request, variables)?;
    let sent = unix_now();
    let stream =
        TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| format!("connect: {error}"))?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(|error| error.to_string())?;
    // The server may answer and close before it has read everything: what it said is still to be read.
    let _ = (&stream).write_all(&bytes);
    let stream = &mut BufReader::new(stream);
    let mut answer = read_answer(stream, request.method == "HEAD")
        .map_err(|error| format!("no complete answer: {error}"))?;
    if !request.headers.keys().any(|name| name.eq_ignore_ascii_case("connection")) {
        expect_end(stream).map_err(|error| format!("after the answer: {error}"))?;
    }
    answer.sent = sent;
    answer.received = unix_now();
    Ok(answer)
}

fn request_bytes(address: SocketAddr, request: &Request, variables: &Variables) -> Result<Vec<u8>, String> {
    let path = request.path_gen.as_ref().map_or_else(|| variables.fill(&request.path), Generated::text);
    let version = request.version.as_deref().unwrap_or("HTTP/1.1");
    let body = request_body(request, variables)?;
    let mut headers =
        vec![("Host".to_owned(), address.to_string()), ("Connection".to_owned(), "close".to_owned())];
    for (name, value) in &request.headers {
        headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if value.is_null() {
            continue;
        }
        let text = match value.as_str() {
            Some(text) => text.to_owned(),
            None => Generated::deserialize(value).map_err(|error| format!("header {name}: {error}"))?.text(),
        };
        headers.push((name.clone(), variables.fill(&text)));
    }
    let payload = if request.chunked {
        headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
        chunked(body.as_deref().unwrap_or_default())
    } else {
        let has_length = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let wants_length = body.is_some() || ["POST", "PUT", "PATCH"].contains(&request.method.as_str());
        let payload = body.unwrap_or_default();
        if wants_length && !has_length {
            headers.push(("Content-Length".to_owned(), payload.len().to_string()));
        }
        payload
    };
    let mut head = format!("{} {path} {version}\r\n", request.method);
    for (name, value) in headers {
        head.extend([&name, ": ", &value, "\r\n"]);
    }
    head.push_str("\r\n");
    let latin_1: Result<Vec<u8>, _> = head.chars().map(u8::try_from).collect();
    let mut bytes = latin_1.map_err(|_| "a header cannot be written in Latin-1".to_owned())?;
    bytes.extend(payload);
    Ok(bytes)
}

fn request_body(request: &Request, variables: &Variables) -> Result<Option<Vec<u8>>, String> {
    if let Some(text) = &request.body {
        return Ok(Some(variables.fill(text).into_bytes()));
    }
    if let Some(text) = &request.body_b64 {
        return BASE64_STANDARD.decode(text).map(Some).map_err(|error| format!("body_b64: {error}"));
    }
    Ok(request.body_gen.as_ref().map(|body| body.text().into_bytes()))
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    if !body.is_empty() {
        framed.extend(format!("{:x}\r\n", body.len()).into_bytes());
        framed.extend(body);
        framed.extend(b"\r\n");
    }
    framed.extend(b"0\r\n\r\n");
    framed
}

fn read_answer(stream: &mut impl BufRead, to_head: bool) -> std::io::Result<Answer> {
    loop {
        let status_line = read_line(stream)?;
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| bad(format!("status line {status_line:?}")))?;
        let headers = read_headers(stream)?;
        if (100..200).contains(&status) {
            continue;
        }
        let mut answer = Answer { status, headers, body: Vec::new(), sent: 0.0, received: 0.0 };
        if !(to_head || status == 204 || status == 304) {
            answer.body = read_body(stream, &answer)?;
        }
        return Ok(answer);
    }
}

fn read_headers(stream: &mut impl BufRead) -> std::io::Result<Vec<(String, String)>> {
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad(format!("header line {line:?}")))?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']));
        match headers.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => values.extend([", ", value]),
            None => headers.push((name, value.to_owned())),
        }
    }
}

fn read_body(stream: &mut impl BufRead, answer: &Answer) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let line = read_line(stream)?;
            let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
                .map_err(|_| bad(format!("chunk length {line:?}")))?;
            if length == 0 {
                read_headers(stream)?;
                return Ok(body);
            }
            read_exactly(stream, length, &mut body)?;
            read_line(stream)?;
        }
    }
    match answer.header("content-length") {
        Some(length) => {
            let length = length.parse().map_err(|_| bad(format!("content-length {length:?}")))?;
            read_exactly(stream, length, &mut body)?;
        }
        None => {
            stream.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn read_exactly(stream: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> std::io::Result<()> {
    let wanted = body.len() + length;
    stream.take(length as u64).read_to_end(body)?;
    if body.len() < wanted { Err(bad(format!("{} bytes are missing", wanted - body.len()))) } else { Ok(()) }
}

/// A line without its end, each byte one character (Latin-1).
fn read_line(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line.into_iter().map(char::from).collect())
}

/// Bytes behind an answer, which another client would take for the next one, and a connection left open although
/// the request asked to close it.
fn expect_end(stream: &mut impl BufRead) -> std::io::Result<()> {
    let mut more = Vec::new();
    match stream.read_to_end(&mut more) {
        Ok(0) => Ok(()),
        Ok(_) => Err(bad(format!("bytes behind the answer: {:?}", String::from_utf8_lossy(&more)))),
        // A server that did not read the whole request resets the connection.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error),
    }
}

fn bad(message: String) -> std::io::Error {
    std::io::Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::{expect_end, read_answer};

    fn body_of(wire: &str) -> Result<String, String> {
        let mut stream = wire.as_bytes();
        let answer = read_answer(&mut stream, false).map_err(|error| error.to_string())?;
        expect_end(&mut stream).map_err(|error| error.to_string())?;
        Ok(answer.text())
    }

    #[test]
    fn bodies_are_read_by_length_by_chunks_and_to_the_end() {
        assert_eq!(body_of("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").as_deref(), Ok("abc"));
        let chunks =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nt: u\r\n\r\n";
        assert_eq!(body_of(chunks).as_deref(), Ok("abc"));
        assert_eq!(body_of("HTTP/1.0 200 OK\r\n\r\nabc").as_deref(), Ok("abc"));
        assert_eq!(body_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 X\r\n\r\n").as_deref(), Ok(""));
    }

    #[test]
    fn a_short_body_and_bytes_behind_it_are_refused() {
        assert!(body_of("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc").is_err());
        assert!(body_of("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc").is_err());
        assert!(body_of("HTTP/1.1 204 No Content\r\n\r\nabc").is_err());
    }

    #[test]
    fn repeated_headers_are_joined() {
        let wire = "HTTP/1.1 200 OK\r\nVary: A\r\nvary:  B\t\r\ncontent-length: 0\r\n\r\n";
        let answer = read_answer(&mut wire.as_bytes(), false).unwrap();
        assert_eq!(answer.header("vary"), Some("A, B"));
    }
}
