//! A client of HTTP/2 without TLS, by prior knowledge.

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use serde_json::Value;
use tokio::net::TcpStream;

/// A request: method, path, headers and body.
pub type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

/// Asks one after the other on one connection; returns status and body of each.
pub fn ask_all<const N: usize>(address: &str, requests: [Asked<'_>; N]) -> [(u16, Value); N] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("it starts");
    runtime.block_on(async {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (mut client, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
        let asking = async {
            let mut answers = Vec::new();
            for (method, path, headers, body) in requests {
                let uri = format!("http://{address}{path}");
                let request = Request::builder().method(method).uri(uri);
                let request =
                    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
                answers.push(ask(&mut client, request.body(()).expect("a request"), body).await);
            }
            answers
        };
        tokio::select! {
            answers = asking => answers.try_into().expect("one for each"),
            ended = connection => panic!("the connection has ended: {ended:?}"),
        }
    })
}

async fn ask(client: &mut SendRequest<Bytes>, request: Request<()>, body: &str) -> (u16, Value) {
    let mut ready = client.clone().ready().await.expect("it takes another");
    let (answer, mut sending) = ready.send_request(request, false).expect("it is sent");
    sending.send_data(Bytes::from(body.to_owned()), true).expect("it is sent");
    let (head, mut receiving) = answer.await.expect("an answer").into_parts();
    let mut body = Vec::new();
    while let Some(part) = receiving.data().await {
        let part = part.expect("all of it");
        receiving.flow_control().release_capacity(part.len()).expect("it was taken");
        body.extend_from_slice(&part);
    }
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}
