//! Trusting a certificate that the system doesn't trust.
//!
//! `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=minisnap tests" -addext
//! subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out certificate.pem` made the files.

use minisnap_core::SnapshotBackend;
use minisnap_object::ObjectBackend;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
};

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/open/tls/certificate.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/open/tls/key.pem");

/// The URL of a server with TLS that answers each request with 404.
fn server() -> String {
    let certificates = CertificateDer::pem_file_iter(CERTIFICATE).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(KEY).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
    let (listener, config) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(config));
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
            // Fails if the client doesn't trust the certificate.
            if stream.read(&mut [0; 8192]).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    url
}

#[tokio::test]
async fn ca_bundle_adds_a_trusted_certificate() {
    let url = server();
    let anonymous = [("skip_signature", "true"), ("max_retries", "0")];
    for (location, endpoint, rest) in [
        ("s3://bucket/app", "endpoint_url", &[("region", "eu")][..]),
        ("az://container/app", "endpoint", &[("account_name", "acme")]),
        ("gs://bucket/app", "base_url", &[]),
    ] {
        let options = [&anonymous[..], rest, &[(endpoint, url.as_str())]].concat();
        let answered = async |options: Vec<_>| {
            let error = ObjectBackend::open(location, options).unwrap().current().await.unwrap_err();
            crate::support::causes(&error).contains("404")
        };
        assert!(!answered(options.clone()).await, "{location}");
        assert!(answered([&options[..], &[("ca_bundle", CERTIFICATE)]].concat()).await, "{location}");
    }
}
