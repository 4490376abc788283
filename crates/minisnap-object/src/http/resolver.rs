//! Name resolution whose errors have a type. The client's own resolver returns errors that don't differ from others.

use object_store::client::{DnsFuture, DnsResolver};
use std::{
    error::Error,
    fmt,
    hash::BuildHasher,
    io,
    net::{IpAddr, ToSocketAddrs},
};
use tokio::task::JoinSet;

/// Resolves names as the system does.
#[derive(Debug)]
pub(super) struct Resolver {
    /// Whether to shuffle the addresses, to spread connections across servers (the client's option `randomize_addresses`).
    pub(super) shuffles: bool,
}

/// A name without an address.
#[derive(Debug)]
pub(super) struct LookupFailed(io::Error);

impl DnsResolver for Resolver {
    fn resolve(&self, host: &str) -> DnsFuture {
        let (host, shuffles) = (host.to_owned(), self.shuffles);
        Box::pin(async move {
            // A lookup that hasn't begun ends with the set, if the request is cancelled.
            let mut lookups = JoinSet::new();
            lookups.spawn_blocking(move || (host.as_str(), 0).to_socket_addrs());
            let found = lookups.join_next().await.unwrap_or_else(|| Ok(Err(io::ErrorKind::NotFound.into())))?;
            let mut addresses: Vec<_> = found.map_err(LookupFailed)?.map(|address| address.ip()).collect();
            if shuffles {
                shuffle(&mut addresses);
            }
            Ok(addresses)
        })
    }
}

/// Shuffles by the keys of a new hasher, which are random.
fn shuffle(addresses: &mut [IpAddr]) {
    let random = std::hash::RandomState::new();
    addresses.sort_by_cached_key(|address| random.hash_one(address));
}

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for LookupFailed {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn addresses_are_all_returned_in_different_orders() {
        let addresses: Vec<IpAddr> = (1..=4).map(|last| IpAddr::from([127, 0, 0, last])).collect();
        let orders: HashSet<Vec<IpAddr>> = (0..100)
            .map(|_| {
                let mut shuffled = addresses.clone();
                shuffle(&mut shuffled);
                let mut sorted = shuffled.clone();
                sorted.sort();
                assert_eq!(sorted, addresses);
                shuffled
            })
            .collect();
        assert!(orders.len() > 4, "{orders:?}");
    }
}
