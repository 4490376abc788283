//! Connections that don't come about.

use super::{Failed, closed_port, failure, failure_of, open};
use crate::support::scripted_server::ScriptedServer;
use minisnap_core::SnapshotBackend;
use rustls::{
    ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::net::TcpSocket;

/// The limit of an error that comes "in seconds".
const SECONDS: Duration = Duration::from_secs(5);

#[tokio::test]
async fn refused_connection_is_an_error_in_seconds() {
    let address = closed_port();
    let failed = failure(&format!("http://{address}"), &[("max_retries", "3")]).await;
    failed.assert_is(&format!("the server {address} refuses connections"), "check that the server runs", true);
    // The client's causes follow.
    assert!(failed.causes.len() > 1 && failed.causes.last().unwrap().contains("os error"), "{failed:#?}");
    assert!(failed.elapsed < SECONDS, "{failed:#?}");
}

#[tokio::test]
async fn first_create_fails_in_seconds_when_no_server_listens() {
    let address = closed_port();
    let endpoint = format!("http://{address}");
    let backend = open("s3://bucket/app", &[("endpoint_url", &endpoint), ("max_retries", "3")]);
    let start = Instant::now();
    let failed = Failed::new(&backend.stage(1).await.unwrap_err(), start.elapsed());
    failed.assert_is(&format!("the server {address} refuses connections"), "check that the server runs", true);
    assert!(failed.elapsed < SECONDS, "{failed:#?}");
}

/// A resolver may take long to find out that it reaches no server of names.
const PATIENT: [(&str, &str); 2] = [("max_retries", "0"), ("connect_timeout", "60s")];

#[tokio::test]
async fn unknown_host_is_named() {
    let failed = failure("http://minisnap-tests.invalid:9000", &PATIENT).await;
    failed.assert_is(
        "no address is found for the server minisnap-tests.invalid:9000",
        "check the host in the endpoint and the region",
        true,
    );
    assert!(failed.causes.len() > 1, "{failed:#?}");
}

/// The queue of connections that the server hasn't accepted is full, so the system drops the client's packets.
#[tokio::test]
async fn connect_timeout_limits_the_connection() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting: Vec<_> =
        (0..8).map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100))).collect();
    let failed = failure(&format!("http://{address}"), &[("connect_timeout", "1s")]).await;
    let cause = format!("the server {address} accepts no connection in time");
    failed.assert_is(&cause, "check the network and its firewall", true);
    assert!(failed.elapsed >= Duration::from_millis(900) && failed.elapsed < SECONDS, "{failed:#?}");
    drop((listener, waiting));
}

/// A server with one of the certificates of `tests/data`. It closes a connection when the handshake has failed.
fn tls_server(certificate: &str) -> SocketAddr {
    let file = |name: &str| fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(file("key.der")));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(file(certificate))], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut tls = ServerConnection::new(config.clone()).unwrap();
            // The client ends the handshake, or rustls sends an alert.
            while tls.complete_io(&mut connection).is_ok_and(|(read, _)| read > 0) {}
            let _ = connection.shutdown(std::net::Shutdown::Write);
            let _ = connection.read_to_end(&mut Vec::new());
        }
    });
    address
}

#[tokio::test]
async fn problem_of_a_certificate_is_reported() {
    for (certificate, problem, help) in [
        ("unknown.der", "its issuer is unknown", "`ca_bundle` (AWS_CA_BUNDLE)"),
        ("expired.der", "it has expired", "renew the server's certificate"),
        ("future.der", "it isn't valid yet", "this machine's clock"),
    ] {
        let address = tls_server(certificate);
        let failed = failure(&format!("https://{address}"), &[]).await;
        failed.assert_is(&format!("the certificate of the server {address} isn't valid: {problem}"), help, false);
        assert!(failed.causes.len() > 1 && failed.elapsed < SECONDS, "{failed:#?}");
    }
}

#[tokio::test]
async fn plain_http_to_a_port_of_https_is_reported() {
    let address = tls_server("unknown.der");
    let failed = failure(&format!("http://{address}"), &[]).await;
    failed.assert_is(&format!("the answer of the server {address} isn't HTTP"), "begins with https://", false);
    assert!(failed.elapsed < SECONDS, "{failed:#?}");
}

#[tokio::test]
async fn https_to_a_port_of_plain_http_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 8192]);
            connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let failed = failure(&format!("https://{address}"), &[]).await;
    failed.assert_is(
        &format!("the server {address} doesn't speak TLS, but the URL begins with https:"),
        "an endpoint that begins with http://",
        false,
    );
    assert!(failed.elapsed < SECONDS, "{failed:#?}");
}

#[tokio::test]
async fn dead_proxy_is_named_without_its_password() {
    let address = closed_port();
    let proxy = format!("http://me:s3cr3t@{address}");
    for endpoint in ["http://store.example:9000", "https://store.example"] {
        let failed = failure(endpoint, &[("proxy_url", &proxy)]).await;
        let cause = format!("the proxy {address} (set by `proxy_url`) refuses connections");
        failed.assert_is(&cause, "check the proxy", true);
        assert!(!format!("{failed:?}").contains("s3cr3t") && failed.elapsed < SECONDS, "{failed:#?}");
    }
}

#[tokio::test]
async fn proxy_that_opens_no_tunnel_is_named() {
    let proxy = ScriptedServer::that_answers("502 Bad Gateway", "", "");
    let failed = failure("https://store.example", &[("proxy_url", &proxy.endpoint())]).await;
    let address = proxy.address();
    failed.assert_is(
        &format!("the proxy {address} (set by `proxy_url`) doesn't connect to the server store.example:443"),
        "check the proxy",
        true,
    );
}

#[tokio::test]
async fn proxy_that_asks_for_credentials_is_named() {
    let proxy = ScriptedServer::that_answers("407 Proxy Authentication Required", "", "");
    let failed = failure("http://store.example", &[("proxy_url", &proxy.endpoint())]).await;
    let address = proxy.address();
    failed.assert_is(
        &format!("the proxy {address} (set by `proxy_url`) asks for a user and a password"),
        "give the user and the password",
        false,
    );
}

/// The test starts itself with the variable, because a process can't safely change its own.
#[tokio::test]
async fn proxy_of_the_environment_is_named_by_its_variable() {
    const NAME: &str = "failures::connections::proxy_of_the_environment_is_named_by_its_variable";
    const PROXY: &str = "MINISNAP_TEST_PROXY";
    let Ok(proxy) = env::var(PROXY) else {
        let proxy = format!("http://{}", closed_port());
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env(PROXY, &proxy)
            .env("HTTPS_PROXY", &proxy)
            .env("NO_PROXY", "direct.invalid")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && output.contains("1 passed"), "{output}");
        return;
    };
    let failed = failure("https://store.example", &[]).await;
    let address = proxy.trim_start_matches("http://");
    failed.assert_is(&format!("the proxy {address} (set by `HTTPS_PROXY`) refuses connections"), "NO_PROXY", true);
    // Other URLs are not for this proxy.
    let direct = failure("https://direct.invalid", &PATIENT).await;
    direct.assert_is("no address is found for the server direct.invalid:443", "check the host", true);
}

/// Without credentials, the client asks a service of the cloud, which exists only there.
#[tokio::test]
async fn missing_credentials_are_reported() {
    let closed = closed_port();
    let no_role = ScriptedServer::that_answers("404 Not Found", "", "");
    for (service, address, cause) in [
        (closed, closed, format!("the server {closed} refuses connections")),
        (no_role.address(), no_role.address(), format!("the server {} answered with status 404", no_role.address())),
    ] {
        let metadata = format!("http://{service}");
        let backend = open(
            "s3://bucket/app",
            &[("skip_signature", "false"), ("aws_metadata_endpoint", &metadata), ("max_retries", "3")],
        );
        let failed = failure_of(&backend).await;
        failed.assert_is(
            &format!("no credentials are set, and the metadata service of AWS ({address}) gives none"),
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            false,
        );
        assert_eq!(failed.causes.get(1), Some(&cause), "{failed:#?}");
        assert!(failed.elapsed < SECONDS, "{failed:#?}");
    }
    assert_eq!(no_role.requests(), 1);
}
