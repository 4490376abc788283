//! The HTTP layer of the clients that `open` makes: between the crate `object_store` and the network.

mod deletion;
mod listing;
mod xml;

use object_store::{
    ClientOptions, Result,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Makes the HTTP client of a store, and those of the services that have its credentials. Clones make the same client from the
/// same options, so two clients of a store share their connections.
#[derive(Default, Clone)]
pub(crate) struct Connector {
    network: Arc<ReqwestConnector>,
    /// Each with the options that it was made from, as text.
    clients: Arc<Mutex<Vec<(String, HttpClient)>>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        let options_text = format!("{options:?}");
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(made_from, _)| *made_from == options_text) {
            return Ok(client.clone());
        }
        let client = HttpClient::new(Requests { network: self.network.connect(options)? });
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

/// Sends requests.
#[derive(Debug)]
struct Requests {
    network: HttpClient,
}

#[minisnap_core::async_trait]
impl HttpService for Requests {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (is_listing, deleted_keys) = (listing::is_listing(&request), deletion::keys(&request));
        let answer = self.network.execute(request).await?;
        match deleted_keys {
            Some(keys) => deletion::with_all_results(answer, &keys).await,
            None if is_listing => listing::without_external_keys(answer).await,
            None => Ok(answer),
        }
    }
}
