//! `minisnap revert`: external changes are moved aside, and the store goes on with the current snapshot.

use crate::{
    args::RevertArgs, commands::external_changes::folder_of, exit::Outcome, open_store::Place, out,
    pending_change::PendingChange,
};

pub(crate) async fn run(args: RevertArgs) -> Outcome {
    let place = Place::of(&args.store)?;
    let (_, backend) = folder_of(&place).await?;
    PendingChange::Store.begin();
    let moved = backend.revert_external_changes().await?;
    if moved.is_empty() {
        let verify = place.command("verify", &[]);
        let hint = format!("an edit of the snapshot itself can't be moved aside: {verify} tells if there is one");
        return out::print(&format!("nothing to revert in {}; {hint}\n", place.name()));
    }
    let moved = moved.iter().fold(String::new(), |text, path| text + &format!("moved aside: {}\n", path.display()));
    out::report_of("the external changes are moved aside", &moved)
}
