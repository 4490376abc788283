//! A slow link to a server: a forwarder on loopback.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::Duration,
};
use tokio::net::TcpSocket;

/// How a link treats what a client sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Link {
    /// This many bytes each tenth of a second.
    Slow(usize),
    /// Nothing more after this many bytes of one connection.
    StopsAfter(usize),
}

/// Forwards connections to `server` until the test's process ends. Returns the address to connect to. Call it in a runtime.
pub(crate) fn link_to(server: SocketAddr, link: Link) -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    // A small buffer, so that the client notices the link's speed. Connections inherit it.
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(64).unwrap().into_std().unwrap();
    listener.set_nonblocking(false).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
            let answers = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || forward(client, server, link));
            thread::spawn(move || forward(answers.0, answers.1, Link::Slow(usize::MAX)));
        }
    });
    address
}

fn forward(mut from: TcpStream, mut to: TcpStream, link: Link) {
    let mut buffer = vec![0; 64 << 10];
    let (mut total, mut in_tenth) = (0, 0);
    loop {
        match link {
            Link::StopsAfter(limit) if total > limit => thread::sleep(Duration::from_secs(3600)),
            Link::Slow(limit) if in_tenth >= limit => {
                thread::sleep(Duration::from_millis(100));
                in_tenth = 0;
            }
            _ => {}
        }
        let space = match link {
            Link::Slow(limit) => buffer.len().min(limit - in_tenth),
            Link::StopsAfter(_) => buffer.len(),
        };
        let read = match from.read(&mut buffer[..space]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        (total, in_tenth) = (total + read, in_tenth + read);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // The other direction ends by itself, or it has ended.
    let _ = to.shutdown(Shutdown::Write);
}
