//! The servers behind the proxy: one in this process, or one that a script started.

use minisnap_s3_server::{Conditions, S3Server};

/// A server with a bucket `minisnap`.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) endpoint: String,
    /// The access key and the secret key, unless they are those of `minisnap_s3_server`.
    keys: Option<[&'static str; 2]>,
    /// The least size of a part.
    pub(super) part_size: usize,
    /// Runs until it is dropped.
    _in_process: Option<S3Server>,
}

impl Server {
    /// A server in this process.
    pub(super) fn start(conditions: Conditions) -> Self {
        let server = S3Server::start(conditions);
        Self { endpoint: server.endpoint().to_owned(), keys: None, part_size: 100, _in_process: Some(server) }
    }

    /// The `SeaweedFS` that `scripts/with-seaweedfs` started; `None` if the test wasn't run with it.
    pub(super) fn seaweedfs() -> Self {
        let endpoint = std::env::var("MINISNAP_TEST_SEAWEEDFS");
        Self {
            endpoint: endpoint.expect("MINISNAP_TEST_SEAWEEDFS is set: run the test with scripts/with-seaweedfs"),
            keys: Some(["test", "test-secret"]),
            // Like S3, it refuses smaller parts, except the last.
            part_size: 5 << 20,
            _in_process: None,
        }
    }

    /// The options for a client that reaches this server through `proxy`.
    pub(super) fn options(&self, proxy: &str) -> Vec<(&'static str, String)> {
        let mut options = minisnap_s3_server::options(proxy);
        if let Some([access_key, secret_key]) = self.keys {
            // Of two values of an option, the client takes the last.
            options.push(("aws_access_key_id", access_key.to_owned()));
            options.push(("aws_secret_access_key", secret_key.to_owned()));
        }
        options
    }
}
