//! The proxy of a request. The HTTP client doesn't name it, but uses the same type with the same settings.

use super::target::host_and_port;
use crate::failure::Proxy;
use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use object_store::{ClientConfigKey, ClientOptions};
use std::env;

/// The proxies of a client.
#[derive(Debug)]
pub(super) struct Proxies {
    matcher: Matcher,
    is_option: bool,
}

impl Proxies {
    pub(super) fn new(options: &ClientOptions) -> Self {
        match options.get_config_value(&ClientConfigKey::ProxyUrl) {
            Some(proxy) => {
                let excludes = options.get_config_value(&ClientConfigKey::ProxyExcludes).unwrap_or_default();
                Self { matcher: Matcher::builder().all(proxy).no(excludes).build(), is_option: true }
            }
            None => Self { matcher: Matcher::from_system(), is_option: false },
        }
    }

    /// The proxy for a URL, without its credentials.
    pub(super) fn of(&self, uri: &Uri) -> Option<Proxy> {
        let proxy = self.matcher.intercept(uri)?;
        let set_by = match self.is_option {
            true => "proxy_url",
            false => variable(uri.scheme_str() == Some("https")),
        };
        Some(Proxy { address: host_and_port(proxy.uri()), set_by })
    }
}

/// The variable that sets the proxy.
fn variable(is_https: bool) -> &'static str {
    let own = if is_https { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    own.into_iter().chain(["ALL_PROXY", "all_proxy"]).find(is_set).unwrap_or("ALL_PROXY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_of_the_option_is_named_without_its_user() {
        let options =
            ClientOptions::new().with_proxy_url("http://me:word@proxy.example:3128").with_proxy_excludes("10.0.0.0/8");
        let proxies = Proxies::new(&options);
        let proxy = proxies.of(&"https://bucket.example/a".parse().unwrap()).unwrap();
        assert_eq!(proxy.to_string(), "the proxy proxy.example:3128 (set by `proxy_url`)");
        assert!(proxies.of(&"https://10.1.2.3/a".parse().unwrap()).is_none());
    }
}
