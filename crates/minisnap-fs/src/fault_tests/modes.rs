//! Who may read what a writer has not finished: watched at every call.

use super::{meanwhile::Meanwhile, *};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Of a file in `snapshots`: what its folder lets its group and others do with it.
fn reachable(file: &Path) -> Option<u32> {
    let folder = fs::symlink_metadata(file.parent()?).ok()?.mode();
    let file = fs::symlink_metadata(file).ok()?.mode();
    let guard = [(0o010, 0o070), (0o001, 0o007)].map(|(enter, bits)| if folder & enter == 0 { 0 } else { bits });
    Some(file & (guard[0] | guard[1]))
}

/// The first file in `snapshots` that others can do more with than is allowed.
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

/// At no instant more than in the end: an open file stays readable for those who opened it.
#[tokio::test]
async fn files_are_never_wider_than_in_the_end_at_any_call() {
    for (deed, handle, allowed) in [
        (Deed::Next, Handle::Warm, [0o600, 0o640]),
        (Deed::Next, Handle::Warm, [0o640, 0o600]),
        (Deed::Next, Handle::Fresh, [0o600, 0o640]),
        (Deed::Next, Handle::Fresh, [0o640, 0o600]),
        (Deed::Adoption, Handle::Fresh, [0o600, 0o640]),
        (Deed::Adoption, Handle::Fresh, [0o640, 0o600]),
        (Deed::Reseal, Handle::Warm, [0o600, 0o600]),
        (Deed::ResealInPlace, Handle::Warm, [0o600, 0o600]),
    ] {
        let store = Store::ready_for(deed).await.using(handle);
        for (name, mode) in ["snapshot.json", "snapshot.seq"].into_iter().zip(allowed) {
            fs::set_permissions(store.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        // Generations before that one are as they were made.
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
        let watching = Meanwhile::before_the_call(store.folder.path(), watch, || {});
        store.act(deed).await.unwrap();
        drop(watching);
        let (calls, wide) = std::mem::take(&mut *lock(&found));
        assert!(calls > 30, "{deed:?}: {calls} calls");
        assert_eq!(wide, None, "{deed:?}, {allowed:?}");
        assert_eq!(too_wide(&store.path("snapshots"), allowed), None, "{deed:?}");
    }
}
