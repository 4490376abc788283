//! `minisnap show`: the current snapshot, and whether it is intact.

use crate::{args::ShowArgs, exit::Outcome, out, place::Place, text};

pub(crate) async fn run(args: ShowArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let current = place.current().await?;
    place.backend().read(&current).await?;
    out::print(&format!("{}\n", text::generation(&current)))
}
