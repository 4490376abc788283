//! Faults in one specific call, and files of another writer.

use super::*;

#[tokio::test]
async fn sync_of_an_ancestor_may_only_fail_without_permission() {
    // If the name of a folder isn't durable, a power loss removes the journal with it.
    for error in ERRORS {
        let dir = TestDir(dir_in_memory());
        let path = dir.0.path().join("above/some/log");
        fs::create_dir_all(dir.0.path().join("above/some")).expect("folders");
        dir.plan_only("sync the folder", "above", error);
        let opened = Journal::<u64>::open(&path).await;
        assert_eq!(dir.remove_plan(), 1, "the ancestor is synced");
        assert_eq!(opened.is_ok(), error == libc::EACCES, "{error}: {opened:?}");
    }
    // For the journal's own folder, no error is ignored.
    for error in ERRORS {
        let dir = TestDir::ready_for(Operation::Append);
        dir.plan_only("sync the folder", "", error);
        let opened = Journal::<u64>::open(dir.path()).await;
        dir.remove_plan();
        assert!(matches!(opened, Err(WalError::Io { .. })), "{error}: {opened:?}");
    }
}

#[tokio::test]
async fn orphans_stay_while_another_writer_holds_the_lock() {
    // The other writer may be about to rename them.
    for orphan in ["log.new", "log.000001.new", "log.after-2.new"] {
        let dir = TestDir::ready_for(Operation::Append);
        let writer = Journal::<u64>::open(dir.path()).await.expect("a journal");
        let orphan = dir.0.path().join(orphan);
        fs::write(&orphan, "// MINISTORE").expect("a file");
        let locked = Journal::<u64>::open(dir.path()).await;
        assert!(matches!(locked, Err(WalError::Locked { .. })), "{locked:?}");
        assert!(orphan.exists(), "{orphan:?} is another writer's");
        drop(writer);
        drop(Journal::<u64>::open(dir.path()).await.expect("a journal"));
        assert!(!orphan.exists(), "{orphan:?}");
    }
}

#[tokio::test]
async fn opening_that_fails_leaves_no_file_and_no_folder() {
    let (mut failed, mut failed_begin) = (0, 0);
    for begin in [false, true] {
        for pass in 0.. {
            let dir = TestDir(dir_in_memory());
            let path = dir.0.path().join("some/where/log");
            dir.plan(pass, libc::EIO, true);
            let opened = match begin {
                true => Journal::<u64>::begin_after(&path, 7).await,
                false => Journal::<u64>::open(&path).await,
            };
            if dir.remove_plan() == 0 {
                break;
            }
            assert!(opened.is_err(), "call {pass}");
            assert!(!dir.0.path().join("some").exists(), "call {pass}, begin: {begin}");
            failed += 1;
            failed_begin += usize::from(begin);
        }
    }
    assert!(failed > 30 && failed_begin > 20, "{failed} failures, {failed_begin} of them of `begin_after`");
}
