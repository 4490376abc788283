//! Write your own backend: snapshots in an embedded database (`redb`), held to the contract by the conformance suite.
//!
//! Run it:   `cargo run --package example-custom-backend [FILE.redb]`
//! Test it:  `cargo test --package example-custom-backend`
//!
//! The backend is in `redb_backend.rs`, its tests are in `redb_backend/tests.rs`, and here it is used.
//!
//! Its limits: a JSON is held in memory until it is published (a database wants its values whole; a larger store would cut
//! them into rows), and is at most 3 GiB. One process at a time has the file open, for reading too. After an I/O error, the
//! database refuses to go on until it is opened again, as it should.

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
    let published = store.create(&state, 20).await?;
    println!("published {}; the log may go up to {}", published.generation(), published.truncation_point());

    drop(store); // A restart: the file is closed, and opened again.
    let store = SnapStore::with_backend(RedbBackend::open(&path)?);
    let (restored, seq): (AppState, u64) = store.restore().await?;
    assert_eq!((&restored, seq), (&state, 20));
    println!("restored {restored:?} with seq {seq} from {}", path.display());
    for generation in store.history().await? {
        println!("retained: {generation}, {} bytes of JSON", generation.size().unwrap_or_default());
    }
    Ok(())
}
