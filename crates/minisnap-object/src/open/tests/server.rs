//! A small HTTP server.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

/// A server on this machine, and the heads of the requests that it got.
pub(super) struct Server {
    pub(super) url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with the status and the body that `answer` returns for its first line.
    pub(super) fn start(answer: impl Fn(&str) -> (&'static str, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut head) = (stream.unwrap(), Vec::new());
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    match stream.read(&mut byte) {
                        Ok(1) => head.push(byte[0]),
                        _ => break,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let (status, body) = answer(head.lines().next().unwrap_or_default());
                seen.lock().unwrap().push(head);
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
                // The client may have ended.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, heads }
    }

    /// A store without objects, for S3 and Google.
    pub(super) fn empty_store() -> Self {
        Self::start(|line| match line.contains("?list-type=2") {
            true => ("200 OK", "<ListBucketResult></ListBucketResult>".into()),
            false => ("404 Not Found", String::new()),
        })
    }

    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The value of a header in the last request.
    pub(super) fn last_header(&self, name: &str) -> Option<String> {
        let heads = self.heads();
        let lines = heads.last()?.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    }
}
