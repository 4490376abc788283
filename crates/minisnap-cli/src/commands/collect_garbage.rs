//! `minisnap collect-garbage`: removes the orphans of crashed writers, and expired snapshots that are still there.

use crate::{args::CollectGarbageArgs, exit::Outcome, links, out, place::Place, progress::Progress};
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) async fn run(args: CollectGarbageArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    place.refuse_no_store().await?;
    let before = stored(&place)?;
    {
        let _collecting = Progress::of_one_step("collecting garbage");
        place.backend().collect_garbage().await?;
    }
    // Which of them are gone; only a folder tells. What another writer removed meanwhile is among them.
    let removed = match (before, stored(&place)?) {
        (Some(before), Some(after)) => Some(before.difference(&after).cloned().collect::<Vec<_>>()),
        _ => None,
    };
    let text = match args.form.json {
        true => format!("{:#}\n", json!({ "store": place.name(), "removed": removed })),
        false => told(&place, removed.as_deref()),
    };
    out::report_of("the garbage is collected", &text)
}

fn told(place: &Place, removed: Option<&[String]>) -> String {
    let name = place.name();
    match removed {
        None => format!("collected the garbage of {name}; this store doesn't tell what it removed\n"),
        Some([]) => format!("collected the garbage of {name}: there was none\n"),
        Some(removed) => {
            let lines: String = removed.iter().map(|removed| format!("removed  {removed}\n")).collect();
            format!("{lines}collected the garbage of {name}: removed {}\n", removed.len())
        }
    }
}

/// The names of all stages and generations in the folder, if it is one.
fn stored(place: &Place) -> Outcome<Option<BTreeSet<String>>> {
    let Some(folder) = place.folder() else { return Ok(None) };
    links::stored(&folder).map(Some).map_err(|error| place.unreadable(&error))
}
