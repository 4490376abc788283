//! `minisnap collect-garbage`: removes expired snapshots that are still there, and the orphans of crashed writers.

use crate::{args::CollectGarbageArgs, exit::Outcome, open_store::Place, out, progress::Progress, text};
use minisnap::Collected;
use serde_json::json;

pub(crate) async fn run(args: CollectGarbageArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    place.refuse_no_store().await?;
    let collected = {
        let _collecting = Progress::of_one_step("collecting garbage");
        place.backend().collect_garbage().await?
    };
    let text = match args.form.json {
        true => {
            let told = json!({ "store": place.name(), "expired": collected.expired, "orphans": collected.orphans });
            format!("{told:#}\n")
        }
        false => told(place.name(), collected),
    };
    out::report_of("the garbage is collected", &text)
}

fn told(store: &str, collected: Collected) -> String {
    let Collected { expired, orphans, .. } = collected;
    match expired + orphans {
        0 => format!("collected the garbage of {store}: there was none\n"),
        _ => format!("collected the garbage of {store}: removed {}\n", text::garbage(expired, orphans)),
    }
}
