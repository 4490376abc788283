//! The HTTP server, on its own thread and runtime.

use crate::{
    api::Api,
    error::{Code, Error},
    request::Request,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{net::TcpListener, runtime, sync::oneshot, task::JoinError};

/// Serves on a free port until the sender of `stopped` is dropped. The thread ends when no request is served any more.
pub(crate) fn spawn(api: Arc<Api>, stopped: oneshot::Receiver<()>) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    // Bound here, so that clients can connect immediately. They wait in the backlog until the thread runs.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let thread = thread::Builder::new().name("gcs-server".to_owned()).spawn(move || {
        runtime.spawn(async move { accept(TcpListener::from_std(listener)?, api).await });
        let _ = runtime.block_on(stopped);
        // Ends all connections.
        runtime.shutdown_timeout(Duration::from_secs(5));
    })?;
    Ok((address, thread))
}

async fn accept(listener: TcpListener, api: Arc<Api>) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        // With Nagle's algorithm, small answers wait for acknowledgements, which takes longer than the request.
        socket.set_nodelay(true)?;
        let api = api.clone();
        let answer = service_fn(move |request| answer(api.clone(), request));
        // Without half-closed connections, a client that disconnects right after its request can make the server drop the body,
        // although it has arrived.
        tokio::spawn(http1::Builder::new().half_close(true).serve_connection(TokioIo::new(socket), answer));
    }
}

/// Receives the body before anything is locked, so a stalled client blocks no other.
async fn answer(api: Arc<Api>, request: hyper::Request<Incoming>) -> Result<Response<Full<Bytes>>, JoinError> {
    // A separate task continues when the client disconnects.
    tokio::spawn(async move {
        let (head, body) = request.into_parts();
        let answer = match body.collect().await {
            Ok(body) => Request::parse(head, body.to_bytes()).and_then(|request| api.answer(&request)),
            // The client ended the body early.
            Err(error) => Err(Error::new(Code::IncompleteBody, error)),
        };
        answer.unwrap_or_else(Error::into_response)
    })
    .await
}
