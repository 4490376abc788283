//! A server that answers each request as a test says.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A server on loopback, until the test's process ends. A connection ends after its first answer.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl ScriptedServer {
    /// Calls `answer` with the head of each request. The body of a request isn't read.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, requests) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let counter = requests.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (mut connection, answer, requests) = (connection.unwrap(), answer.clone(), counter.clone());
                thread::spawn(move || {
                    if let Some(head) = read_head(&mut connection) {
                        requests.fetch_add(1, Ordering::SeqCst);
                        answer(&head, &mut connection);
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// Answers each request with these status, headers and body.
    pub(crate) fn that_answers(status: &str, headers: &str, body: &str) -> Self {
        let answer = answer(status, headers, body);
        Self::start(move |_, connection| connection.write_all(answer.as_bytes()).unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// An answer as it is sent.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// The head of a request; `None` if the connection ends, or if it isn't HTTP.
fn read_head(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}
