//! What the tests share.

pub(crate) mod bucket;
pub(crate) mod counting;
pub(crate) mod faulty;
pub(crate) mod servers;

use futures_util::TryStreamExt;
use minisnap_object::object_store::{ObjectStore, ObjectStoreExt, path::Path};
use std::sync::Arc;

/// What an error says of its cause, which it doesn't say itself.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(String::new, ToString::to_string)
}

/// Everything under `prefix` but the commit record and the files of the generations it retains: read from its text, as a
/// person would, and not by the code under test.
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
    let belongs = |path: &Path| *path == record || retained.iter().any(|name| path.as_ref().contains(name));
    listed.into_iter().map(|meta| meta.location).filter(|path| !belongs(path)).map(|path| path.to_string()).collect()
}
