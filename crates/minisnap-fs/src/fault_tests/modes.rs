//! The modes of the files that a writer creates, checked before every system call.

use super::{interleave::Interleaved, *};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// The mode bits of a file for its group and for others, as far as its folder lets them reach the file.
fn reachable(file: &Path) -> Option<u32> {
    let folder = fs::symlink_metadata(file.parent()?).ok()?.mode();
    let file = fs::symlink_metadata(file).ok()?.mode();
    let guard = [(0o010, 0o070), (0o001, 0o007)].map(|(enter, bits)| if folder & enter == 0 { 0 } else { bits });
    Some(file & (guard[0] | guard[1]))
}

/// The first file in `snapshots` with wider access than allowed.
fn too_wide(snapshots: &Path, allowed: [u32; 2]) -> Option<String> {
    let folders = fs::read_dir(snapshots).into_iter().flatten().flatten();
    folders.map(|folder| folder.path()).find_map(|folder| {
        let names = ["snapshot.json", "snapshot.seq"].into_iter().zip(allowed);
        names.into_iter().find_map(|(name, allowed)| {
            let file = folder.join(name);
            let found = reachable(&file)?;
            (found & !allowed != 0).then(|| format!("{}: {found:o}", file.display()))
        })
    })
}

/// A file's access is never wider than its final mode, not even for a moment: a process that has opened the file can read it later.
#[tokio::test]
async fn file_modes_are_never_wider_than_the_final_ones() {
    for (action, handle, allowed) in [
        (Action::ExpiringCommit, Handle::Warm, [0o600, 0o640]),
        (Action::ExpiringCommit, Handle::Warm, [0o640, 0o600]),
        (Action::ExpiringCommit, Handle::Fresh, [0o600, 0o640]),
        (Action::ExpiringCommit, Handle::Fresh, [0o640, 0o600]),
        (Action::Migration, Handle::Fresh, [0o600, 0o640]),
        (Action::Migration, Handle::Fresh, [0o640, 0o600]),
        (Action::Accept, Handle::Warm, [0o600, 0o600]),
        (Action::AcceptInPlace, Handle::Warm, [0o600, 0o600]),
    ] {
        let store = Store::prepared_for(action).await.using(handle);
        for (name, mode) in ["snapshot.json", "snapshot.seq"].into_iter().zip(allowed) {
            fs::set_permissions(store.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        // Older generations are private.
        for entry in fs::read_dir(store.path("snapshots")).into_iter().flatten().flatten() {
            for name in ["snapshot.json", "snapshot.seq"] {
                let _ = fs::set_permissions(entry.path().join(name), fs::Permissions::from_mode(0o600));
            }
        }
        let (snapshots, found) = (store.path("snapshots"), std::sync::Arc::<Mutex<(usize, Option<String>)>>::default());
        let seen = std::sync::Arc::clone(&found);
        let watch = move |action: &str, path: &Path| {
            let mut seen = lock(&seen);
            seen.0 += 1;
            if let Some(wide) = too_wide(&snapshots, allowed) {
                seen.1.get_or_insert(format!("before {action} {}: {wide}", path.display()));
            }
            false
        };
        let watching = Interleaved::before_matching_call(store.folder.path(), watch, || {});
        store.run(action).await.unwrap();
        drop(watching);
        let (calls, wide) = std::mem::take(&mut *lock(&found));
        assert!(calls > 30, "{action:?}: {calls} calls");
        assert_eq!(wide, None, "{action:?}, {allowed:?}");
        assert_eq!(too_wide(&store.path("snapshots"), allowed), None, "{action:?}");
    }
}
