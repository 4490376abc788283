//! Snapshots in an object store: saves, restores and looks back, at any URL that `minisnap::open` takes.
//!
//! ```console
//! $ export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_REGION=eu-central-1
//! $ export AWS_ENDPOINT_URL=https://…                   # for what isn't Amazon's
//! $ cargo run --package example-s3 -- s3://bucket/some/app
//! ```
//!
//! Without one of your own, `scripts/with-ministack` starts a server and sets these variables:
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
            // Says what was being done, on which URL, and never with credentials.
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
        None => (AppState { leader: "nobody".into(), counter: 0 }, 0),
    };
    println!("found {before:?} as of change {seq}");

    // Only over a snapshot with a lower seq.
    let state = AppState { leader: format!("process {}", std::process::id()), counter: before.counter + 1 };
    let began = Instant::now();
    let published = store.create(&state, seq + 1).if_newer().await?;
    println!("published {} in {:.1?}", published.generation(), began.elapsed());
    println!("the log up to change {} may go", published.truncation_point());

    // The same seq again is what a second leader would try.
    match store.create(&state, seq + 1).if_newer().await {
        Err(MiniSnapError::Stale { current, .. }) => {
            println!("a second one with that seq is refused: {current} is current");
        }
        Err(error) => return Err(error),
        Ok(_) => unreachable!("the same seq is not newer"),
    }

    let (restored, seq): (AppState, u64) = store.restore().await?;
    assert_eq!((&restored, seq), (&state, published.generation().seq()));
    println!("restored {restored:?} as of change {seq}");
    for generation in store.history().await? {
        println!("retained: {generation}, {} bytes", generation.size().unwrap_or_default());
    }
    Ok(())
}
