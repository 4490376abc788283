//! A reverse proxy before an S3 server: it answers or changes some requests, and counts all of them.

use minisnap_s3_server::S3Server;
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// A request as the proxy received it.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path and the query.
    pub(crate) target: String,
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn is_bulk_delete(&self) -> bool {
        self.method == "POST" && self.target.ends_with("?delete")
    }

    pub(crate) fn is_listing(&self) -> bool {
        self.method == "GET" && self.target.contains("list-type=2")
    }
}

/// What the proxy does with a request.
pub(crate) enum Action {
    Forward,
    /// Answers in place of the server.
    Answer(&'static str, String),
    /// Closes the connection without an answer.
    Close,
    /// Forwards the request, and changes the body of the answer.
    Edit(Box<dyn FnOnce(String) -> String>),
}

/// A running proxy. Its threads end with the test's process.
pub(crate) struct S3Proxy {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl S3Proxy {
    /// Starts a proxy before `server`. `rule` decides on each request.
    pub(crate) fn start(server: &S3Server, rule: impl Fn(&Request) -> Action + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let server = server.endpoint().strip_prefix("http://").expect("an HTTP server").to_owned();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (rule, log) = (Arc::new(rule), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (server, rule, log) = (server.clone(), rule.clone(), log.clone());
                // A client that closes its connection ends the thread.
                std::thread::spawn(move || serve(&stream, &server, &*rule, &log));
            }
        });
        Self { endpoint, requests }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The requests since the last call: each its method, a space, and its target.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().expect("no thread panicked"))
    }
}

fn serve(
    stream: &TcpStream,
    server: &str,
    rule: &dyn Fn(&Request) -> Action,
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        log.lock().expect("no thread panicked").push(format!("{} {}", request.method, request.target));
        let answer = match rule(&request) {
            Action::Answer(status, body) => Answer::new(vec![format!("HTTP/1.1 {status}")], body.into()),
            Action::Close => return Ok(()),
            Action::Forward => forward(&request, server)?,
            Action::Edit(edit) => {
                let Answer { head, body } = forward(&request, server)?;
                Answer::new(head, edit(String::from_utf8(body).map_err(io::Error::other)?).into())
            }
        };
        let mut stream = stream;
        stream.write_all(&[(answer.head.join("\r\n") + "\r\n\r\n").into_bytes(), answer.body].concat())?;
    }
    Ok(())
}

struct Answer {
    head: Vec<String>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer with the length of this body.
    fn new(mut head: Vec<String>, body: Vec<u8>) -> Self {
        head.retain(|line| ["content-length", "transfer-encoding"].iter().all(|name| value(line, name).is_none()));
        head.push(format!("Content-Length: {}", body.len()));
        Self { head, body }
    }
}

/// `None` if the client closed the connection.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let head = read_head(reader)?;
    let Some(first) = head.first() else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = read_body(reader, &head)?;
    Ok(Some(Request { method, target, head, body }))
}

/// Sends the request to the server, byte for byte: it is signed.
fn forward(request: &Request, server: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(&[(request.head.join("\r\n") + "\r\n\r\n").into_bytes(), request.body.clone()].concat())?;
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader)?;
    let has_body = request.method != "HEAD" && !head[0].contains(" 204 ") && !head[0].contains(" 304 ");
    if !has_body {
        return Ok(Answer { head, body: Vec::new() });
    }
    let body = read_body(&mut reader, &head)?;
    Ok(Answer::new(head, body))
}

/// The lines of a head, without the empty one.
fn read_head(reader: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

fn read_body(reader: &mut impl BufRead, head: &[String]) -> io::Result<Vec<u8>> {
    let find = |name| head.iter().find_map(|line| value(line, name));
    if find("transfer-encoding").is_none() {
        let length = find("content-length").map_or(Ok(0), str::parse).map_err(io::Error::other)?;
        return read_bytes(reader, length);
    }
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
        body.extend(read_bytes(reader, size)?);
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_bytes(reader: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The value of a header line, if it has this name.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then_some(value.trim())
}
