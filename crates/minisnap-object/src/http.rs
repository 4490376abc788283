//! The HTTP layer of the clients that `open` makes: between the crate `object_store` and the network.

use object_store::{
    ClientOptions, Result,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};

/// Makes the HTTP client of a store, and those of the services that have its credentials.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    network: ReqwestConnector,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(Requests { network: self.network.connect(options)? }))
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
        self.network.execute(request).await
    }
}
