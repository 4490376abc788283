//! The README's quick start: saves a state, prints the two files, and restores the state.
//!
//! ```console
//! $ cargo run --example quickstart
//! $ cargo run --example quickstart -- FILE.json    # saves and restores a JSON document of your own
//! ```
//!
//! The store is in the folder `./state`.

use minisnap::SnapStore;
use serde::{Deserialize, Serialize};
use std::{env, fs, process::ExitCode};

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct AppState {
    counter: u64,
}

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match env::args_os().nth(1) {
        None => quickstart().await,
        Some(path) => round_trip(path.as_ref()).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn quickstart() -> Result<(), Error> {
    let store = SnapStore::new("./state");

    // Saves the state. Change 10 is the last change in it.
    let committed = store.create(&AppState { counter: 42 }, 10).await?;
    println!("committed; the log can be truncated through change {}", committed.truncation_point());

    // The snapshot is two files that always match.
    println!("state/snapshot.json:\n{}", fs::read_to_string("state/snapshot.json")?);
    print!("state/snapshot.seq:\n{}", fs::read_to_string("state/snapshot.seq")?);

    // Restores the state.
    let (restored, seq): (AppState, u64) = store.restore().await?;
    println!("restored {restored:?} as of change {seq}");
    Ok(())
}

async fn round_trip(path: &std::path::Path) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let document: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{} is not JSON: {error}", path.display()))?;
    let store = SnapStore::new("./state");
    store.create(&document, 1).await?;
    let (restored, _seq): (serde_json::Value, u64) = store.restore().await?;
    let size = fs::metadata("state/snapshot.json")?.len();
    if restored != document {
        return Err(format!("the restored document differs from {}", path.display()).into());
    }
    println!("saved {} as {size} bytes of state/snapshot.json; the restored document is equal", path.display());
    Ok(())
}
