//! `minisnap revert`: moves external changes aside and restores the store's links to the current snapshot.

use crate::{
    args::RevertArgs,
    commands::external_changes::{folder_of, revert},
    exit::Outcome,
    open_store::OpenStore,
    stdio,
};

pub(crate) async fn run(args: RevertArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let (_, backend) = folder_of(&store).await?;
    let reverted = revert(backend).await?.lines();
    if reverted.is_empty() {
        store.history_if_any().await?;
        let verify = store.command("verify", &[]);
        let note = format!("an edit in place can't be moved aside; {verify} detects it");
        return stdio::print(&format!("nothing to revert in {}; {note}\n", store.name()));
    }
    stdio::report_of("the external changes are moved aside", &reverted)?;
    // The restored links may be dangling.
    store.history_if_any().await?;
    Ok(())
}
