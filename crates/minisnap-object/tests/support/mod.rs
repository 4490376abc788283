//! Stores and helpers that the tests share.

pub(crate) mod bucket;
pub(crate) mod counting_store;
pub(crate) mod faulty_store;
pub(crate) mod hooked_store;
pub(crate) mod quirky_store;
pub(crate) mod s3_proxy;
pub(crate) mod scripted_server;
pub(crate) mod servers;
pub(crate) mod slow_link;
pub(crate) mod warnings;

use futures_util::TryStreamExt;
use minisnap_object::object_store::{ObjectStore, ObjectStoreExt, path::Path};
use std::sync::Arc;

/// The text of an error's source.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(String::new, ToString::to_string)
}

/// The texts of all causes of an error.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// All objects under `prefix`, without the commit record and the files of the generations that it retains. Parses the record
/// independently of the code under test.
pub(crate) async fn garbage(store: &Arc<dyn ObjectStore>, prefix: &str) -> Vec<String> {
    let prefix = Path::from(prefix);
    let record = prefix.clone().join("snapshots").join("current");
    let text = match store.get(&record).await {
        Ok(found) => String::from_utf8_lossy(&found.bytes().await.expect("the record can be read")).into_owned(),
        Err(_) => String::new(),
    };
    let retained: Vec<&str> = text
        .lines()
        .skip(4)
        .filter(|line| !line.ends_with("dropped") && !line.ends_with("deleted"))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await.expect("the store can be listed");
    let is_retained = |path: &Path| *path == record || retained.iter().any(|name| path.as_ref().contains(name));
    listed
        .into_iter()
        .map(|meta| meta.location)
        .filter(|path| !is_retained(path))
        .map(|path| path.to_string())
        .collect()
}
