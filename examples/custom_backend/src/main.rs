//! A custom backend: snapshots in an embedded database (`redb`), tested by the conformance suite.
//!
//! ```console
//! $ cargo run --package example-custom-backend [FILE.redb]
//! $ cargo test --package example-custom-backend
//! ```
//!
//! `redb_backend.rs` has the backend, `redb_backend/tables.rs` its tables, and `redb_backend/tests.rs` its tests. This program uses the
//! backend.
//!
//! Limits of this backend:
//!
//! - The JSON is in memory until the commit, since the database stores a value in one piece. A value has at most 3 GiB.
//! - Only one process at a time can open the file, even for reading.
//! - After an I/O error the database has to be opened again.

mod redb_backend;

use minisnap::SnapStore;
use redb_backend::RedbBackend;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct AppState {
    visits: u64,
    names: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let path = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("state.redb"), Into::into);

    let store = SnapStore::with_backend(RedbBackend::open(&path)?);
    let mut state = AppState { visits: 1, names: vec!["Ada".into()] };
    store.create(&state, 10).await?;
    state.names.push("Grace".into());
    let committed = store.create(&state, 20).await?;
    println!("committed {}; the log can be truncated through {}", committed.generation(), committed.truncation_point());

    // A restart closes the file and opens it again.
    drop(store);
    let store = SnapStore::with_backend(RedbBackend::open(&path)?);
    let (restored, seq): (AppState, u64) = store.restore().await?;
    assert_eq!((&restored, seq), (&state, 20));
    println!("restored {restored:?} with seq {seq} from {}", path.display());
    for generation in store.history().await? {
        println!("retained: {generation}, {} bytes of JSON", generation.size().unwrap_or_default());
    }
    Ok(())
}
