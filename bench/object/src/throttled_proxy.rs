//! A proxy that limits each connection to a server to a number of bytes per second, in either direction.

use shared::Result;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime,
    time::{Instant, sleep_until},
};

const CHUNK: usize = 64 << 10;
/// How far a connection may catch up after a pause. Timers have a resolution of a millisecond, about the time of a chunk.
const CATCH_UP: Duration = Duration::from_millis(20);

/// A proxy on its own thread. It runs until the process ends.
pub struct ThrottledProxy {
    endpoint: String,
}

impl ThrottledProxy {
    /// Starts to forward connections from a free port to the server at `endpoint`, `http://ADDRESS`.
    pub fn start(endpoint: &str, bytes_per_second: u64) -> Result<Self> {
        let server: SocketAddr = endpoint.trim_start_matches("http://").parse()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("proxy".to_owned());
        thread.spawn(move || runtime.block_on(accept(listener, server, bytes_per_second)))?;
        Ok(Self { endpoint })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

async fn accept(listener: std::net::TcpListener, server: SocketAddr, bytes_per_second: u64) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(async move {
            let server = TcpStream::connect(server).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(forward(from_server, to_client, bytes_per_second));
            forward(from_client, to_server, bytes_per_second).await
        });
    }
}

/// Forwards one direction of a connection until it ends.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes_per_second: u64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut free = Instant::now();
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let now = Instant::now();
        let since = now.checked_sub(CATCH_UP).unwrap_or(now);
        free = free.max(since) + Duration::from_secs_f64(read as f64 / bytes_per_second as f64);
        sleep_until(free).await;
        to.write_all(&chunk[..read]).await?;
    }
}
