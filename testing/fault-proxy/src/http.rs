//! The proxy's HTTP server, on its own thread and runtime.

use crate::{
    message::{AnswerBody, CompleteRequest},
    serve,
    shared::Shared,
};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{net::TcpListener, runtime, sync::oneshot};

/// Serves on a free port until the sender of `stopped` is dropped.
pub(crate) fn spawn(shared: Arc<Shared>, stopped: oneshot::Receiver<()>) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    // Bound here, so that clients can connect immediately. They wait in the backlog until the thread runs.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let thread = thread::Builder::new().name("fault-proxy".to_owned()).spawn(move || {
        runtime.spawn(async move { accept(TcpListener::from_std(listener)?, &shared).await });
        let _ = runtime.block_on(stopped);
        runtime.shutdown_timeout(Duration::from_secs(1));
    })?;
    Ok((address, thread))
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let shared = shared.clone();
        let answer = service_fn(move |request| answer(shared.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}

/// An error closes the connection.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<AnswerBody>> {
    let request = CompleteRequest::receive(request).await.map_err(io::Error::other)?;
    // A separate task continues when the client has given up: its request arrives nevertheless.
    let served = tokio::spawn(async move { serve::serve(&shared, request).await });
    let answer = served.await.map_err(io::Error::other)?;
    answer.map(|answer| answer.into_response()).ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
}
