//! The README's quick start: saves a state, prints the two files, and restores the state.
//!
//! ```console
//! $ cargo run --example quickstart
//! $ cargo run --example quickstart -- any.json    # saves and restores that document instead
//! ```
//!
//! Both use the folder `./state`.

use minisnap::SnapStore;
use serde::{Deserialize, Serialize};
use std::{env, fs, process::ExitCode};

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct AppState {
    counter: u64,
}

type Failure = Box<dyn std::error::Error>;

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

async fn quickstart() -> Result<(), Failure> {
    let store = SnapStore::new("./state");

    // Save. Change 10 is the last one in this state.
    let committed = store.create(&AppState { counter: 42 }, 10).await?;
    println!("committed; the log can be truncated through change {}", committed.truncation_point());

    // Two files that always match, for `cat` and `jq` as well.
    println!("state/snapshot.json:\n{}", fs::read_to_string("state/snapshot.json")?);
    print!("state/snapshot.seq:\n{}", fs::read_to_string("state/snapshot.seq")?);

    // Restore.
    let (restored, seq): (AppState, u64) = store.restore().await?;
    println!("restored {restored:?} as of change {seq}");
    Ok(())
}

async fn round_trip(path: &std::path::Path) -> Result<(), Failure> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let document: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{} is not JSON: {error}", path.display()))?;
    let store = SnapStore::new("./state");
    store.create(&document, 1).await?;
    let (restored, _seq): (serde_json::Value, u64) = store.restore().await?;
    let size = fs::metadata("state/snapshot.json")?.len();
    if restored != document {
        return Err("restored, but NOT equal".into());
    }
    println!("saved {} as {size} bytes of state/snapshot.json, restored it: equal", path.display());
    Ok(())
}
