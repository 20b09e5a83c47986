//! The floor: hyper reads the request, body included, and answers with bytes that it was given.

use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// Serves until it is killed.
pub async fn serve(address: &str, reply: Vec<u8>) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    let reply = Bytes::from(reply);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let reply = reply.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let reply = reply.clone();
            async move {
                let _ = request.into_body().collect().await;
                let mut response = Response::new(Full::new(reply));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
