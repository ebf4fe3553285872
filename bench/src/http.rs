//! Bare axum: reads the request, and answers with a constant. The ceiling for whatever speaks HTTP.

use std::error::Error;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;

/// Serves until it is killed. The constants are of these sizes, each at the path that is named by its size.
pub fn serve(port: u16, sizes: &[&str]) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut router = Router::new();
    for size in sizes {
        let constant = Bytes::from("x".repeat(size.parse()?));
        let answer = move |_body: Bytes| {
            let constant = constant.clone();
            async move { ([(CONTENT_TYPE, "application/json")], constant) }
        };
        router = router.route(&format!("/{size}"), get(answer.clone()).post(answer));
    }
    runtime.block_on(async {
        use axum::serve::ListenerExt;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        // As Countersign does; the answer to a failure is a slower connection.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, router).await?;
        Ok(())
    })
}
