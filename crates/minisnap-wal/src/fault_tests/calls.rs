//! One call fails, or is made while somebody else has the journal, and which one it is decides.

use super::*;

#[tokio::test]
async fn folder_above_needs_no_sync_only_if_it_may_not_be_opened() {
    // A name that isn't durable loses the journal with its folder.
    for error in ERRORS {
        let location = Place(folder_in_memory());
        let path = location.0.path().join("above/some/log");
        fs::create_dir_all(location.0.path().join("above/some")).expect("folders");
        location.plan_only("sync the folder", "above", error);
        let opened = Journal::<u64>::open(&path).await;
        assert_eq!(location.unplan(), 1, "it is synced");
        assert_eq!(opened.is_ok(), error == libc::EACCES, "{error}: {opened:?}");
    }
    // The journal's own folder is no other's.
    for error in ERRORS {
        let location = Place::ready_for(Deed::Append);
        location.plan_only("sync the folder", "", error);
        let opened = Journal::<u64>::open(location.path()).await;
        location.unplan();
        assert!(matches!(opened, Err(WalError::Io { .. })), "{error}: {opened:?}");
    }
}

#[tokio::test]
async fn leftovers_stay_while_another_writer_has_the_journal() {
    // They may be what that one is just going to rename.
    for leftover in ["log.new", "log.000001.new", "log.after-2.new"] {
        let location = Place::ready_for(Deed::Append);
        let writer = Journal::<u64>::open(location.path()).await.expect("a journal");
        let leftover = location.0.path().join(leftover);
        fs::write(&leftover, "// MINISTORE").expect("a file");
        let locked = Journal::<u64>::open(location.path()).await;
        assert!(matches!(locked, Err(WalError::Locked { .. })), "{locked:?}");
        assert!(leftover.exists(), "{leftover:?}: it isn't this one's");
        drop(writer);
        drop(Journal::<u64>::open(location.path()).await.expect("a journal"));
        assert!(!leftover.exists(), "{leftover:?}");
    }
}

#[tokio::test]
async fn opening_that_fails_leaves_no_file_and_no_folder() {
    let (mut failed, mut at_begin) = (0, 0);
    for begin in [false, true] {
        for pass in 0.. {
            let location = Place(folder_in_memory());
            let path = location.0.path().join("some/where/log");
            location.plan(pass, libc::EIO, true);
            let opened = match begin {
                true => Journal::<u64>::begin_after(&path, 7).await,
                false => Journal::<u64>::open(&path).await,
            };
            if location.unplan() == 0 {
                break;
            }
            assert!(opened.is_err(), "call {pass}");
            assert!(!location.0.path().join("some").exists(), "call {pass}, begin: {begin}");
            failed += 1;
            at_begin += usize::from(begin);
        }
    }
    assert!(failed > 30 && at_begin > 20, "{failed} failures, {at_begin} of them of a journal that begins");
}
