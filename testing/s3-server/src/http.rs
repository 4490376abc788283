//! The HTTP server, on its own thread and runtime.

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::{Body, HttpResponse, StdError, service::S3Service};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{net::TcpListener, runtime, sync::oneshot, time::sleep};

/// Serves on a free port until the sender of `stopped` is dropped. The thread ends when no request is served any more.
pub(crate) fn spawn(
    service: S3Service,
    latency: Duration,
    stopped: oneshot::Receiver<()>,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    // Bound here, so that clients can connect immediately. They wait in the backlog until the thread runs.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let thread = thread::Builder::new().name("s3-server".to_owned()).spawn(move || {
        runtime.spawn(async move { accept(TcpListener::from_std(listener)?, &service, latency).await });
        let _ = runtime.block_on(stopped);
        // Ends all connections. Waits only for file operations that are running.
        runtime.shutdown_timeout(Duration::from_secs(5));
    })?;
    Ok((address, thread))
}

async fn accept(listener: TcpListener, service: &S3Service, latency: Duration) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        // With Nagle's algorithm, small answers wait for acknowledgements, which takes longer than the request.
        socket.set_nodelay(true)?;
        let service = service.clone();
        let answer =
            service_fn(move |request: Request<Incoming>| answer(service.clone(), request.map(Body::from), latency));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}

async fn answer(service: S3Service, request: Request<Body>, latency: Duration) -> Result<HttpResponse, StdError> {
    // A separate task continues when the client disconnects. Otherwise an object could have the ETag of the previous object.
    let answer = tokio::spawn(async move {
        if !latency.is_zero() {
            sleep(latency).await;
        }
        service.call(request).await
    });
    Ok(answer.await??)
}
