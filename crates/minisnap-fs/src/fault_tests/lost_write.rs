//! A stage that lost a write.

use super::*;
use minisnap_core::format::CHUNK;

/// On the disk it is the write itself that fails; in memory, any call of the making of the stage that it outgrows memory for.
#[tokio::test]
async fn a_stage_that_lost_a_write_is_not_published_by_a_writer_who_overlooked_it() {
    let mut failed_to_outgrow = 0;
    for handle in HANDLES {
        for pass in 0.. {
            let store = Store::ready_for(Deed::Next).await.using(handle);
            let mut stage = store.backend.stage(9).await.unwrap();
            let first = match handle {
                Handle::Warm => vec![b' '; CHUNK],
                Handle::Fresh => Vec::new(),
            };
            stage.write_all(&first).unwrap();
            store.plan(pass, libc::ENOSPC, true);
            let written = stage.write(b"[1,");
            if store.unplan().is_empty() {
                break;
            }
            let Err(error) = written else { continue };
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            failed_to_outgrow += usize::from(handle == Handle::Warm);
            let _ = stage.write_all(b"2]");
            let error = stage.commit(CommitOptions::new(NonZeroUsize::MIN)).await.unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("would have a hole"), "{error:?}");
            assert_eq!(store.restore().await.unwrap(), Some(("[2]".into(), 2)), "{handle:?}, {pass}");
            assert_eq!(store.garbage().await, BTreeSet::new(), "{handle:?}, {pass}");
        }
    }
    assert!(failed_to_outgrow > 5, "{failed_to_outgrow}");
}
