//! The journal in good health: numbers, restarts, truncation, one writer.

use crate::kit::*;
use minisnap_wal::{Journal, Log, WalError};
use std::{fs, future::Future, pin::pin, sync::mpsc, task::Poll};

#[tokio::test]
async fn records_are_numbered_from_one_through_restarts_and_truncations() {
    let (location, journal) = Place::with_records(3).await;
    assert_eq!((journal.first(), journal.last()), (1, 3));
    drop(journal);
    let mut journal = location.open().await;
    assert_eq!(records(&journal).await, numbered(1, 3));
    append(&mut journal, 5).await;

    journal.truncate(4).await.expect("truncate");
    assert_eq!((journal.first(), journal.last()), (5, 5));
    append(&mut journal, 6).await;
    drop(journal);
    let mut journal = location.open().await;
    assert_eq!(records(&journal).await, numbered(5, 6));

    // All of it.
    journal.truncate(6).await.expect("truncate");
    assert_eq!((journal.first(), journal.last()), (7, 6));
    drop(journal);
    let mut journal = location.open().await;
    assert_eq!((journal.first(), journal.last()), (7, 6));
    append(&mut journal, 7).await;
    assert_eq!(records(&journal).await, numbered(7, 7));
    assert_eq!(location.text(), "// MINISTORE JOURNAL v0.1.4 after 6\n7\n");
    assert_eq!(location.names(), ["log"]);
}

#[tokio::test]
async fn it_replays_after_any_number_it_reaches_back_to() {
    let (_place, mut journal) = Place::with_records(9).await;
    journal.truncate(3).await.expect("truncate");
    for seq in 3..=9 {
        assert_eq!(after(&journal, seq).await.expect("replay"), numbered(seq + 1, 9));
    }
    let gap = after(&journal, 1).await.expect_err("a gap");
    assert!(matches!(gap, WalError::Gap { from: 2, to: 3, .. }), "{gap}");
    assert!(gap.to_string().contains("changes 2 to 3 are missing"), "{gap}");
    let beyond = after(&journal, 10).await.expect_err("beyond its end");
    assert!(matches!(beyond, WalError::Beyond { last: 9, seq: 10, .. }), "{beyond}");
}

#[tokio::test]
async fn a_truncation_takes_what_is_there_and_refuses_what_is_not() {
    let (location, mut journal) = Place::with_records(5).await;
    journal.truncate(3).await.expect("truncate");
    let text = location.text();
    for gone in 0..=3 {
        journal.truncate(gone).await.expect("nothing to do");
    }
    assert_eq!(location.text(), text);
    let beyond = journal.truncate(6).await.expect_err("beyond its end");
    assert!(matches!(beyond, WalError::Beyond { last: 5, seq: 6, .. }), "{beyond}");
    assert_eq!(location.text(), text);
    append(&mut journal, 6).await;
    assert_eq!(records(&journal).await, numbered(4, 6));
}

#[tokio::test]
async fn many_records_and_long_ones_come_back_in_order() {
    let location = Place::new();
    let record =
        |number: u64| format!("{number} {}", "ü\n\"\u{0}".repeat(usize::try_from(number % 7).unwrap() * 40_000));
    let mut journal = Journal::<String>::open(location.log()).await.expect("a journal");
    for number in 1..=30 {
        journal.append(&record(number)).await.expect("append");
    }
    journal.truncate(11).await.expect("truncate");
    drop(journal);
    let journal = Journal::<String>::open(location.log()).await.expect("a journal");
    let mut next = 12;
    let mut check = |seq, text: String| {
        assert_eq!(seq, next);
        assert!(text == record(seq), "{seq}");
        next += 1;
    };
    journal.replay(11, &mut check).await.expect("replay");
    assert_eq!(next, 31);

    // More than a batch.
    let location = Place::new();
    let lines: String = (1..=10_000).map(|number| format!("{number}\n")).collect();
    location.write("log", format!("{HEADER}{lines}"));
    let mut journal = location.open().await;
    assert_eq!(records(&journal).await, numbered(1, 10_000));
    journal.truncate(1).await.expect("truncate");
    assert_eq!(records(&journal).await, numbered(2, 10_000));
}

#[tokio::test]
async fn floats_and_large_integers_come_back_bit_for_bit() {
    let location = Place::new();
    let numbers = [0.1 + 0.2, f64::MIN_POSITIVE, f64::MAX, -0.0, 5e-324, 1.797_693_134_862_315_5e308];
    let mut journal = Journal::<(f64, u64, i64)>::open(location.log()).await.expect("a journal");
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
async fn what_would_not_come_back_is_refused_and_the_journal_goes_on() {
    let location = Place::new();
    let mut journal = Journal::<f64>::open(location.log()).await.expect("a journal");
    let refused = journal.append(&f64::NAN).await.expect_err("it would be null");
    assert!(matches!(refused, WalError::Unreplayable { .. }), "{refused}");
    assert_eq!(journal.append(&1.5).await.expect("append"), 1);
    assert_eq!(location.text(), "// MINISTORE JOURNAL v0.1.4 after 0\n1.5\n");
}

#[tokio::test]
async fn it_has_one_writer() {
    let (location, journal) = Place::with_records(1).await;
    let locked = location.try_open().await.expect_err("it is open");
    assert!(matches!(locked, WalError::Locked { .. }), "{locked}");
    drop(journal);
    let mut journal = location.open().await;
    append(&mut journal, 2).await;

    // Also after the file was replaced.
    journal.truncate(1).await.expect("truncate");
    let locked = location.try_open().await.expect_err("it is open");
    assert!(matches!(locked, WalError::Locked { .. }), "{locked}");
    append(&mut journal, 3).await;
    drop(journal);
    assert_eq!(records(&location.open().await).await, numbered(2, 3));
}

#[tokio::test]
async fn a_writer_that_waits_for_the_lock_of_a_replaced_file_takes_the_new_one() {
    let (location, mut journal) = Place::with_records(3).await;
    let path = location.log();
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
    assert_eq!(records(&location.open().await).await, numbered(3, 5));
}

#[test]
fn after_an_append_that_was_dropped_it_has_to_be_opened_again() {
    // One thread for files, so that it can be held up.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let (location, mut journal) = Place::with_records(1).await;
        let (go_on, wait) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || wait.recv());
        {
            let mut append = pin!(journal.append(&2));
            let begun = std::future::poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await;
            assert!(begun.is_pending(), "it waits for the disk");
        }
        for refused in
            [journal.append(&3).await.map(drop), journal.truncate(1).await, after(&journal, 0).await.map(drop)]
        {
            let refused = refused.expect_err("it isn't known what is in it");
            assert!(matches!(refused, WalError::Interrupted { .. }), "{refused}");
        }
        go_on.send(()).expect("somebody waits");
        drop(journal);
        let mut journal = location.open().await;
        assert_eq!(journal.last(), 2, "it was on its way");
        append(&mut journal, 4).await;
        assert_eq!(records(&journal).await, numbered(1, 4));
    });
}

#[tokio::test]
async fn it_makes_the_folders_that_are_missing_and_follows_links() {
    let location = Place::new();
    let path = location.folder().join("some/where/log");
    let mut journal = Journal::<u64>::open(&path).await.expect("a journal");
    append(&mut journal, 2).await;
    drop(journal);

    // The link stays a link, though the file is replaced.
    let link = location.folder().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    let mut journal = Journal::<u64>::open(&link).await.expect("a journal");
    assert_eq!(journal.path(), path.canonicalize().expect("it is there"));
    journal.truncate(1).await.expect("truncate");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    drop(journal);
    assert_eq!(records(&Journal::<u64>::open(&path).await.expect("a journal")).await, numbered(2, 2));

    // Also one that leads to nothing yet.
    let (link, path) = (location.folder().join("dangling"), location.folder().join("there"));
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    append(&mut Journal::<u64>::open(&link).await.expect("a journal"), 1).await;
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(records(&Journal::<u64>::open(&path).await.expect("a journal")).await, numbered(1, 1));
}

#[tokio::test]
async fn who_may_read_it_stays_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let (location, mut journal) = Place::with_records(3).await;
    // Also what the umask would take away.
    for (through, mode) in [(1, 0o600), (2, 0o666)] {
        fs::set_permissions(location.log(), fs::Permissions::from_mode(mode)).expect("to change it");
        journal.truncate(through).await.expect("truncate");
        assert_eq!(fs::metadata(location.log()).expect("a file").permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn a_name_that_is_that_of_a_rotated_file_is_refused() {
    let location = Place::new();
    let refused = Journal::<u64>::open(location.folder().join("log.1")).await.expect_err("it belongs to log");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert!(location.names().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let location = Place::new();
    let path = location.folder().join(std::ffi::OsStr::from_bytes(b"\xff log"));
    let mut journal = Journal::<u64>::open(&path).await.expect("a journal");
    append(&mut journal, 3).await;
    journal.truncate(1).await.expect("truncate");
    drop(journal);
    fs::write(location.folder().join(std::ffi::OsStr::from_bytes(b"\xff log.new")), "left over").expect("a file");
    let mut journal = Journal::<u64>::open(&path).await.expect("a journal");
    journal.truncate(2).await.expect("truncate");
    assert_eq!(records(&journal).await, numbered(3, 3));
}

#[tokio::test]
async fn one_begins_after_a_number_but_not_over_records() {
    let location = Place::new();
    let mut journal = Journal::<u64>::begin_after(location.log(), 1200).await.expect("a journal");
    assert_eq!((journal.first(), journal.last()), (1201, 1200));
    append(&mut journal, 1201).await;
    drop(journal);
    assert_eq!(location.text(), "// MINISTORE JOURNAL v0.1.4 after 1200\n1201\n");
    let refused = Journal::<u64>::begin_after(location.log(), 7).await.expect_err("there are records");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert_eq!(records(&location.open().await).await, [(1201, 1201)]);

    // Nor before a number that was given.
    let (location, mut journal) = Place::with_records(9).await;
    journal.truncate(9).await.expect("truncate");
    drop(journal);
    let refused = Journal::<u64>::begin_after(location.log(), 4).await.expect_err("5 to 9 were given");
    assert!(matches!(refused, WalError::NotAJournal { .. }), "{refused}");
    assert_eq!(Journal::<u64>::begin_after(location.log(), 9).await.expect("a journal").last(), 9);

    // The numbers have an end.
    let location = Place::new();
    let mut journal = Journal::<u64>::begin_after(location.log(), u64::MAX - 1).await.expect("a journal");
    assert_eq!(journal.append(&0).await.expect("append"), u64::MAX);
    let refused = journal.append(&0).await.expect_err("no number is left");
    assert!(matches!(refused, WalError::Log { .. }), "{refused}");
    drop(journal);
    assert_eq!(location.open().await.last(), u64::MAX);
}

#[tokio::test]
async fn journal_holds_no_record_when_after_the_last_number() {
    // A header may state it, and a journal that is full may be truncated to that.
    for last in [u64::MAX, u64::MAX - 1] {
        let location = Place::with(&format!("// MINISTORE JOURNAL v0.1.4 after {last}\n"));
        let found = Journal::<u64>::inspect(location.log()).await.expect("a look");
        assert_eq!((found.records(), found.after(), found.last), (0, last, last));
        assert!(matches!(found.check_reaches(last - 1), Err(WalError::Gap { to, .. }) if to == last));
        found.check_reaches(last).expect("it reaches its end");
        let mut journal = Journal::<u64>::begin_after(location.log(), last).await.expect("a journal");
        assert_eq!((journal.records(), journal.last()), (0, last));
        assert_eq!(after(&journal, last).await.expect("replay"), []);
        assert!(
            matches!(after(&journal, last - 1).await, Err(WalError::Gap { from, to, .. }) if (from, to) == (last, last))
        );
        assert!(matches!(journal.split_off_after(last - 1).await, Err(WalError::Gap { .. })));
        assert_eq!(journal.reset_after(u64::MAX).await.expect("reset"), None);
        assert!(journal.append(&1).await.is_err(), "no number is left");
        assert_eq!(journal.reset_after(u64::MAX - 2).await.expect("reset"), None);
        append(&mut journal, u64::MAX - 1).await;
        append(&mut journal, u64::MAX).await;
        assert_eq!(after(&journal, u64::MAX - 1).await.expect("replay"), [(u64::MAX, u64::MAX)]);
        let aside = journal.split_off_after(u64::MAX - 1).await.expect("split off").expect("a file");
        assert_eq!(Journal::<u64>::inspect(aside).await.expect("a look").records(), 1);
        append(&mut journal, u64::MAX).await;
        journal.truncate(u64::MAX).await.expect("truncate");
        assert_eq!(
            (journal.records(), location.text()),
            (0, format!("// MINISTORE JOURNAL v0.1.4 after {}\n", u64::MAX))
        );
        drop(journal);
        let journal = location.open().await;
        assert_eq!((journal.records(), journal.last()), (0, u64::MAX));
    }
}
