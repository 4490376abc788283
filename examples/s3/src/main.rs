//! Snapshots in an object store: saves, restores and lists the history, at any URL of `minisnap::open`.
//!
//! ```console
//! $ export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_REGION=eu-central-1
//! $ export AWS_ENDPOINT_URL=https://…                   # for stores other than Amazon S3
//! $ cargo run --package example-s3 -- s3://bucket/some/app
//! ```
//!
//! Without an object store, `scripts/with-ministack` starts a server and sets these variables:
//!
//! ```console
//! $ scripts/with-ministack cargo run --package example-s3
//! ```

use minisnap::MiniSnapError;
use serde::{Deserialize, Serialize};
use std::{env, process::ExitCode, time::Instant};

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct AppState {
    leader: String,
    counter: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let url = env::args().nth(1).unwrap_or_else(|| "s3://minisnap/example".into());
    match run(&url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The message has the operation, and the URL without credentials.
            eprintln!("s3: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str) -> Result<(), MiniSnapError> {
    // Credentials and endpoint come from the environment, or as options of `open_with`.
    let store = minisnap::open(url)?.retain(3);
    let (before, seq) = match store.try_restore::<AppState>().await? {
        Some(found) => found,
        None => (AppState { leader: "none".into(), counter: 0 }, 0),
    };
    println!("found {before:?} as of change {seq}");

    // Commits only if the current snapshot has a lower seq.
    let state = AppState { leader: format!("process {}", std::process::id()), counter: before.counter + 1 };
    let began = Instant::now();
    let committed = store.create(&state, seq + 1).if_newer().await?;
    println!("committed {} in {:.1?}", committed.generation(), began.elapsed());
    println!("the log can be truncated through change {}", committed.truncation_point());

    // A second leader would try the same seq.
    match store.create(&state, seq + 1).if_newer().await {
        Err(MiniSnapError::Stale { current, .. }) => {
            println!("a second create with the same seq is refused: {current} is current");
        }
        Err(error) => return Err(error),
        Ok(_) => unreachable!("the same seq is not newer"),
    }

    let (restored, seq): (AppState, u64) = store.restore().await?;
    assert_eq!((&restored, seq), (&state, committed.generation().seq()));
    println!("restored {restored:?} as of change {seq}");
    for generation in store.history().await? {
        println!("retained: {generation}, {} bytes", generation.size().unwrap_or_default());
    }
    Ok(())
}
