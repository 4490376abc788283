//! Appending, replaying, truncating and locking a journal.

use crate::support::*;
use minisnap_wal::{Journal, Log, WalError};
use std::{fs, future::Future, pin::pin, sync::mpsc, task::Poll};

#[tokio::test]
async fn replay_begins_after_any_number_that_journal_holds() {
    let (_dir, mut journal) = TestDir::with_records(9).await;
    journal.truncate(3).await.expect("truncate");
    for seq in 3..=9 {
        assert_eq!(records_after(&journal, seq).await.expect("replay"), numbered(seq + 1, 9));
    }
    let gap = records_after(&journal, 1).await.expect_err("a gap");
    assert!(matches!(gap, WalError::Gap { from: 2, to: 3, .. }), "{gap}");
    assert!(gap.to_string().contains("changes 2 to 3 are missing"), "{gap}");
    let beyond = records_after(&journal, 10).await.expect_err("beyond its end");
    assert!(matches!(beyond, WalError::Beyond { last: 9, seq: 10, .. }), "{beyond}");
}

#[tokio::test]
async fn truncation_is_idempotent_and_fails_past_the_end() {
    let (dir, mut journal) = TestDir::with_records(5).await;
    journal.truncate(3).await.expect("truncate");
    let text = dir.text();
    for removed in 0..=3 {
        journal.truncate(removed).await.expect("no change");
    }
    assert_eq!(dir.text(), text);
    let beyond = journal.truncate(6).await.expect_err("beyond its end");
    assert!(matches!(beyond, WalError::Beyond { last: 5, seq: 6, .. }), "{beyond}");
    assert_eq!(dir.text(), text);
    append(&mut journal, 6).await;
    assert_eq!(records(&journal).await, numbered(4, 6));
}

#[tokio::test]
async fn many_records_and_long_records_replay_in_order() {
    let dir = TestDir::new();
    let record =
        |number: u64| format!("{number} {}", "ü\n\"\u{0}".repeat(usize::try_from(number % 7).unwrap() * 40_000));
    let mut journal = Journal::<String>::open(dir.log()).await.expect("a journal");
    for number in 1..=30 {
        journal.append(&record(number)).await.expect("append");
    }
    journal.truncate(11).await.expect("truncate");
    drop(journal);
    let journal = Journal::<String>::open(dir.log()).await.expect("a journal");
    let mut next = 12;
    let mut check = |seq, text: String| {
        assert_eq!(seq, next);
        assert!(text == record(seq), "{seq}");
        next += 1;
    };
    journal.replay(11, &mut check).await.expect("replay");
    assert_eq!(next, 31);

    // More records than a batch of the replay.
    let dir = TestDir::new();
    let lines: String = (1..=10_000).map(|number| format!("{number}\n")).collect();
    dir.write("log", format!("{HEADER}{lines}"));
    let mut journal = dir.open().await;
    assert_eq!(records(&journal).await, numbered(1, 10_000));
    journal.truncate(1).await.expect("truncate");
    assert_eq!(records(&journal).await, numbered(2, 10_000));
}

#[tokio::test]
async fn floats_and_large_integers_round_trip_bit_for_bit() {
    let dir = TestDir::new();
    let numbers = [0.1 + 0.2, f64::MIN_POSITIVE, f64::MAX, -0.0, 5e-324, 1.797_693_134_862_315_5e308];
    let mut journal = Journal::<(f64, u64, i64)>::open(dir.log()).await.expect("a journal");
    for number in numbers {
        journal.append(&(number, u64::MAX, i64::MIN)).await.expect("append");
    }
    let mut found = Vec::new();
    journal.replay(0, &mut |_, record| found.push(record)).await.expect("replay");
    let bits: Vec<_> = found.iter().map(|(float, ..)| float.to_bits()).collect();
    assert_eq!(bits, numbers.map(f64::to_bits));
    assert!(found.iter().all(|(_, unsigned, signed)| (*unsigned, *signed) == (u64::MAX, i64::MIN)));
}

#[tokio::test]
async fn append_rejects_a_record_that_does_not_round_trip() {
    let dir = TestDir::new();
    let mut journal = Journal::<f64>::open(dir.log()).await.expect("a journal");
    let refused = journal.append(&f64::NAN).await.expect_err("its JSON is null");
    assert!(matches!(refused, WalError::Unreplayable { .. }), "{refused}");
    assert_eq!(journal.append(&1.5).await.expect("append"), 1);
    assert_eq!(dir.text(), "// MINISTORE JOURNAL v0.1.4 after 0\n1.5\n");
}

#[tokio::test]
async fn open_fails_while_another_writer_holds_the_lock() {
    let (dir, journal) = TestDir::with_records(1).await;
    let locked = dir.try_open().await.expect_err("it is open");
    assert!(matches!(locked, WalError::Locked { .. }), "{locked}");
    drop(journal);
    let mut journal = dir.open().await;
    append(&mut journal, 2).await;

    // The lock also holds after a truncation replaced the file.
    journal.truncate(1).await.expect("truncate");
    let locked = dir.try_open().await.expect_err("it is open");
    assert!(matches!(locked, WalError::Locked { .. }), "{locked}");
    append(&mut journal, 3).await;
    drop(journal);
    assert_eq!(records(&dir.open().await).await, numbered(2, 3));
}

#[tokio::test]
async fn waiting_writer_locks_the_new_file_after_a_truncation() {
    let (dir, mut journal) = TestDir::with_records(3).await;
    let path = dir.log();
    let waiting = tokio::spawn(async move { Journal::<u64>::open(path).await });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    journal.truncate(2).await.expect("truncate");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    append(&mut journal, 4).await;
    drop(journal);
    let mut journal = waiting.await.expect("no panic").expect("a journal");
    assert_eq!(records(&journal).await, numbered(3, 4));
    append(&mut journal, 5).await;
    drop(journal);
    assert_eq!(records(&dir.open().await).await, numbered(3, 5));
}

#[test]
fn handle_is_interrupted_after_a_cancelled_append() {
    // A single blocking thread, so that the test can delay file operations.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let (dir, mut journal) = TestDir::with_records(1).await;
        let (release, wait) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || wait.recv());
        {
            let mut append = pin!(journal.append(&2));
            let polled = std::future::poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await;
            assert!(polled.is_pending(), "the append waits for the thread");
        }
        for refused in
            [journal.append(&3).await.map(drop), journal.truncate(1).await, records_after(&journal, 0).await.map(drop)]
        {
            let refused = refused.expect_err("the content is unknown");
            assert!(matches!(refused, WalError::Interrupted { .. }), "{refused}");
        }
        release.send(()).expect("the thread waits");
        drop(journal);
        let mut journal = dir.open().await;
        assert_eq!(journal.last(), 2, "the cancelled append ran to its end");
        append(&mut journal, 4).await;
        assert_eq!(records(&journal).await, numbered(1, 4));
    });
}

#[tokio::test]
async fn open_creates_missing_folders_and_follows_links() {
    let dir = TestDir::new();
    let path = dir.folder().join("some/where/log");
    let mut journal = Journal::<u64>::open(&path).await.expect("a journal");
    append(&mut journal, 2).await;
    drop(journal);

    // A truncation replaces the file, and the link stays a link.
    let link = dir.folder().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    let mut journal = Journal::<u64>::open(&link).await.expect("a journal");
    assert_eq!(journal.path(), path.canonicalize().expect("the file exists"));
    journal.truncate(1).await.expect("truncate");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    drop(journal);
    assert_eq!(records(&Journal::<u64>::open(&path).await.expect("a journal")).await, numbered(2, 2));

    // A dangling link.
    let (link, path) = (dir.folder().join("dangling"), dir.folder().join("target"));
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    append(&mut Journal::<u64>::open(&link).await.expect("a journal"), 1).await;
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(records(&Journal::<u64>::open(&path).await.expect("a journal")).await, numbered(1, 1));
}

#[tokio::test]
async fn truncation_preserves_the_file_mode() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, mut journal) = TestDir::with_records(3).await;
    // 0o666 has bits that the umask would remove.
    for (through, mode) in [(1, 0o600), (2, 0o666)] {
        fs::set_permissions(dir.log(), fs::Permissions::from_mode(mode)).expect("to change it");
        journal.truncate(through).await.expect("truncate");
        assert_eq!(fs::metadata(dir.log()).expect("a file").permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn name_of_a_rotated_file_is_rejected() {
    let dir = TestDir::new();
    let refused =
        Journal::<u64>::open(dir.folder().join("log.1")).await.expect_err("it has the name of a rotated file");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert!(dir.names().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn name_may_be_invalid_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let dir = TestDir::new();
    let path = dir.folder().join(std::ffi::OsStr::from_bytes(b"\xff log"));
    let mut journal = Journal::<u64>::open(&path).await.expect("a journal");
    append(&mut journal, 3).await;
    journal.truncate(1).await.expect("truncate");
    drop(journal);
    fs::write(dir.folder().join(std::ffi::OsStr::from_bytes(b"\xff log.new")), "an orphan").expect("a file");
    let mut journal = Journal::<u64>::open(&path).await.expect("a journal");
    journal.truncate(2).await.expect("truncate");
    assert_eq!(records(&journal).await, numbered(3, 3));
}
