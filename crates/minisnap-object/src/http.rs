//! The HTTP layer of the clients that `open` makes: between the crate `object_store` and the network.
//!
//! 1. Note what explains a failure or completes an answer: the server, the proxy, the purpose of the request, its keys.
//! 2. Ask caches to revalidate.
//! 3. Observe the progress of the upload.
//! 4. Send the request, within the limits of time.
//! 5. Explain a failure: replace its cause by a [`Failure`](crate::failure::Failure).
//! 6. Limit the time of the answer's body.
//! 7. Reject an answer that no object store gives, or that needs a repair of the configuration.
//! 8. Leave out the keys of other programs in a listing, and add the missing results of a bulk deletion: the client can read
//!    neither.

mod answer;
mod cause_of;
mod deletion;
mod limits;
mod listing;
mod peek;
mod proxies;
mod resolver;
mod target;
mod upload;
mod xml;

use hyper::{Method, header};
use limits::Limits;
use object_store::{
    ClientConfigKey, ClientOptions, Result,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
    },
};
use proxies::Proxies;
use resolver::Resolver;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use target::Target;
use tokio::time::Instant;
use upload::Upload;

/// Makes the HTTP client of a store, and those of the services that have its credentials. Clones make the same client from the
/// same options, so two clients of a store share their connections.
#[derive(Clone, Default)]
pub(crate) struct Connector {
    network: Arc<ReqwestConnector>,
    is_timeout_set: bool,
    /// Each with the options that it was made from, as text.
    clients: Arc<Mutex<Vec<(String, HttpClient)>>>,
}

impl Connector {
    /// A clone that knows whether the user set the option `timeout`. The client has a default for it.
    pub(crate) fn with_timeout_set(&self, is_timeout_set: bool) -> Self {
        Self { is_timeout_set, ..self.clone() }
    }

    fn make_client(&self, options: &ClientOptions) -> Result<HttpClient> {
        let limits = Limits::new(options, self.is_timeout_set)?;
        // The client's limit without progress counts while an upload is under way, so it would limit the whole upload.
        let mut network = options.clone().with_timeout_disabled().with_read_timeout_disabled();
        // The client rejects an invalid value.
        if let (None, Some(shuffles)) = (options.dns_resolver(), shuffles_addresses(options)) {
            network = network.with_dns_resolver(Arc::new(Resolver { shuffles }));
        }
        let network = self.network.connect(&network)?;
        Ok(HttpClient::new(Requests { network, limits, proxies: Proxies::new(options) }))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        let options_text = format!("{options:?}");
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(made_from, _)| *made_from == options_text) {
            return Ok(client.clone());
        }
        let client = self.make_client(options)?;
        clients.push((options_text, client.clone()));
        Ok(client)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options are left out: a header may be secret.
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// The option `randomize_addresses`, in the forms that the client accepts.
fn shuffles_addresses(options: &ClientOptions) -> Option<bool> {
    let value = options.get_config_value(&ClientConfigKey::RandomizeAddresses)?.to_ascii_lowercase();
    match value.as_str() {
        "1" | "true" | "on" | "yes" | "y" => Some(true),
        "0" | "false" | "off" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// Sends requests.
#[derive(Debug)]
struct Requests {
    network: HttpClient,
    limits: Limits,
    proxies: Proxies,
}

#[minisnap_core::async_trait]
impl HttpService for Requests {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let start = Instant::now();
        // 1.
        let deleted_keys = deletion::keys(&request);
        let target = Arc::new(Target::new(&request, &self.proxies));
        // 2. The request is already signed: signatures don't cover headers that are added later.
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            request.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
        }
        // 3.
        let (request, upload) = Upload::prepare(request);
        // 4.
        let answer = self.limits.apply(upload, self.network.execute(request)).await;
        let answer = answer.map_err(|cause| target.failed(HttpErrorKind::Timeout, cause, None))?;
        // 5.
        let answer = answer.map_err(|error| target.explain(error))?;
        // 6.
        let answer = self.limits.limit_body(start, &target, answer);
        // 7.
        let answer = target.inspect(answer).await?;
        // 8.
        match deleted_keys {
            Some(keys) => deletion::with_all_results(answer, &keys).await,
            None if target.is_listing => listing::without_external_keys(answer).await,
            None => Ok(answer),
        }
    }
}
