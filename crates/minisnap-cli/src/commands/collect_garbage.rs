//! `minisnap collect-garbage`: deletes expired snapshots and the orphans of crashed writers.

use crate::{args::CollectGarbageArgs, exit::Outcome, open_store::OpenStore, progress::Progress, stdio, text};
use minisnap::Collected;
use serde_json::json;

pub(crate) async fn run(args: CollectGarbageArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    store.refuse_no_store().await?;
    let collected = {
        let _collecting = Progress::of_one_step("collecting garbage");
        store.backend().collect_garbage().await?
    };
    let text = match args.form.json {
        true => {
            let collected =
                json!({ "store": store.name(), "expired": collected.expired, "orphans": collected.orphans });
            format!("{collected:#}\n")
        }
        false => to_text(store.name(), collected),
    };
    stdio::report_of("the garbage is collected", &text)
}

fn to_text(store: &str, collected: Collected) -> String {
    let Collected { expired, orphans, .. } = collected;
    match expired + orphans {
        0 => format!("collected the garbage of {store}: there was none\n"),
        _ => format!("collected the garbage of {store}: deleted {}\n", text::garbage(expired, orphans)),
    }
}
