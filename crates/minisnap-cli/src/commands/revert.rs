//! `minisnap revert`: external changes are moved aside, and the store's links are put back, so that it goes on with the
//! current snapshot.

use crate::{
    args::RevertArgs,
    commands::external_changes::{folder_of, put_links_back},
    exit::Outcome,
    open_store::Place,
    out,
};

pub(crate) async fn run(args: RevertArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let (_, backend) = folder_of(&place).await?;
    let reverted = put_links_back(backend).await?.lines();
    if reverted.is_empty() {
        place.history_if_any().await?;
        let verify = place.command("verify", &[]);
        let hint = format!("an edit of the snapshot itself can't be moved aside: {verify} tells if there is one");
        return out::print(&format!("nothing to revert in {}; {hint}\n", place.name()));
    }
    out::report_of("the external changes are moved aside", &reverted)?;
    // The links may lead to nothing.
    place.history_if_any().await?;
    Ok(())
}
