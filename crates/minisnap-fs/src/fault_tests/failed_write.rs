//! A staged snapshot with a failed write, whose error the caller ignored.

use super::*;
use minisnap_core::format::CHUNK;

/// For a stage on the disk, the write itself fails. For a snapshot in memory, a call that creates the stage fails, when the snapshot
/// outgrows memory.
#[tokio::test]
async fn commit_fails_when_an_ignored_write_error_left_a_gap() {
    let mut failed_to_outgrow = 0;
    for handle in HANDLES {
        for pass in 0.. {
            let store = Store::prepared_for(Action::ExpiringCommit).await.using(handle);
            let mut stage = store.backend.stage(9).await.unwrap();
            let first = match handle {
                Handle::Warm => vec![b' '; CHUNK],
                Handle::Fresh => Vec::new(),
            };
            stage.write_all(&first).unwrap();
            store.inject_fault(pass, libc::ENOSPC, true);
            let written = stage.write(b"[1,");
            if store.end_fault().is_empty() {
                break;
            }
            let Err(error) = written else { continue };
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            failed_to_outgrow += usize::from(handle == Handle::Warm);
            let _ = stage.write_all(b"2]");
            let error = stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("the snapshot is incomplete"), "{error:?}");
            assert_eq!(store.restore().await.unwrap(), Some(("[2]".into(), 2)), "{handle:?}, {pass}");
            assert_eq!(store.garbage().await, BTreeSet::new(), "{handle:?}, {pass}");
        }
    }
    assert!(failed_to_outgrow > 5, "{failed_to_outgrow}");
}
