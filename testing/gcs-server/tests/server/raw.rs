//! Requests as text.

use minisnap_gcs_server::GcsServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The status, the head and the body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) async fn connect(server: &GcsServer) -> TcpStream {
    TcpStream::connect(&server.endpoint()["http://".len()..]).await.expect("a connection")
}

/// The head of a request with the server's token, without the empty line at its end.
pub(crate) fn head(server: &GcsServer, line: &str, headers: &[(&str, &str)]) -> String {
    let options = server.options();
    let token = options.iter().find(|(name, _)| *name == "google_bearer_token").map_or("", |(_, token)| token);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{headers}")
}

/// Sends a request, such as `GET /minisnap/a`, with the server's token.
pub(crate) async fn send(server: &GcsServer, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let head = head(server, line, headers);
    let length = body.len();
    exchange(server, &format!("{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}")).await
}

/// Sends this text, and receives until the server closes the connection.
pub(crate) async fn exchange(server: &GcsServer, text: &str) -> Answer {
    let mut socket = connect(server).await;
    socket.write_all(text.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an empty line after the head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

impl Answer {
    /// Google's code of an error.
    pub(crate) fn code(&self) -> &str {
        let code = self.body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        code.map_or("", |(code, _)| code)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
