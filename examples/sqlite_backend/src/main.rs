//! Snapshots in an SQLite database, through the backend of the tutorial.
//!
//! ```console
//! $ cargo run --package example-sqlite-backend [FILE.db]
//! $ cargo test --package example-sqlite-backend
//! ```

use example_sqlite_backend::SqliteBackend;
use minisnap::SnapStore;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct AppState {
    visits: u64,
    names: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let path = std::env::args().nth(1).unwrap_or_else(|| temporary.path().join("state.db").display().to_string());

    let store = SnapStore::with_backend(SqliteBackend::open(&path)?);
    let mut state = AppState { visits: 1, names: vec!["Ada".into()] };
    store.create(&state, 10).await?;
    state.names.push("Grace".into());
    let committed = store.create(&state, 20).await?;
    println!("committed {}; the log can be truncated through {}", committed.generation(), committed.truncation_point());

    // A restart opens the file again.
    let store = SnapStore::with_backend(SqliteBackend::open(&path)?);
    let (restored, seq): (AppState, u64) = store.restore().await?;
    assert_eq!((&restored, seq), (&state, 20));
    println!("restored {restored:?} with seq {seq} from {path}");
    for generation in store.history().await? {
        println!("retained: {generation}, {} bytes of JSON", generation.size().unwrap_or_default());
    }
    Ok(())
}
