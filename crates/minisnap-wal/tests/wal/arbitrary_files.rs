//! Arbitrary files as a journal: no panic, no lost record, and the same records as `ministore` finds.

use crate::support::*;
use minisnap_wal::{Log, WalError};
use ministore::MiniStore;
use proptest::{prelude::*, sample::select};

/// Pieces of journals, valid and corrupt.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let pieces = select(vec![
        &b"// MINISTORE JOURNAL v0.1.4\n"[..],
        b"// MINISTORE JOURNAL v0.1.4 after 0\n",
        b"// MINISTORE JOURNAL v0.1.4 after 7\n",
        b"// MINISTORE JOURNAL v0.1.4 after 18446744073709551614\n",
        b"// MINISTORE JOURNAL v9\n",
        b"// MINISTORE",
        b"1\n",
        b"2\n",
        b"18446744073709551615\n",
        b" 3 \r\n",
        b"4",
        b"\n",
        b"\r\n",
        b"[",
        b"\"five\"\n",
        b"\0",
        b"\0\0\0\0\n",
        b"\xff\xfe\n",
    ]);
    let header = prop_oneof![
        4 => Just(HEADER.as_bytes().to_vec()),
        2 => Just(b"// MINISTORE JOURNAL v0.1.4 after 7\n".to_vec()),
        1 => Just(Vec::new()),
    ];
    (header, prop::collection::vec(pieces, 0..12)).prop_map(|(header, pieces)| [header, pieces.concat()].concat())
}

async fn check(text: &[u8]) {
    let dir = TestDir::in_memory();
    dir.write("log", text);
    let read = || std::fs::read(dir.log()).expect("the file");
    let expected: Option<Vec<u64>> = MiniStore::replay(dir.log()).await.ok();
    let journal = match dir.try_open().await {
        Ok(journal) => journal,
        Err(error) => {
            assert!(matches!(error, WalError::NotAJournal { .. } | WalError::Corrupt { .. }), "{error}");
            assert!(read() == text, "a rejected file stays unchanged");
            return;
        }
    };
    // Only an incomplete line, or a line with zeros, may be removed.
    let remaining = read();
    if text.contains(&b'\n') {
        let removed = text.strip_prefix(&remaining[..]).expect("the beginning is unchanged");
        assert!(removed.is_empty() || removed.contains(&0) || !removed.contains(&b'\n'), "{}", removed.escape_ascii());
    }
    match records_after(&journal, journal.first() - 1).await {
        Ok(found) => {
            let found: Vec<_> = found.into_iter().map(|(_, record)| record).collect();
            // `ministore` can't detect an incomplete last record.
            if let Some(expected) = expected.filter(|_| remaining == text) {
                assert_eq!(found, expected);
            }
        }
        Err(error) => {
            assert!(matches!(error, WalError::Corrupt { .. }), "{error}");
            assert!(expected.is_none() || remaining != text, "ministore reads it");
        }
    }
    // The second opening removes nothing more.
    let found = (journal.first(), journal.last());
    drop(journal);
    let mut journal = dir.open().await;
    assert_eq!((journal.first(), journal.last()), found);
    assert!(text.is_empty() || !text.contains(&b'\n') || read() == remaining);
    // An append succeeds only if a replay can reach it.
    let (last, first) = (journal.last(), journal.first());
    match journal.append(&42).await {
        Ok(seq) => {
            assert_eq!(seq, last + 1);
            drop(journal);
            let journal = dir.open().await;
            assert_eq!((journal.first(), journal.last()), (first, seq));
            assert_eq!(records(&journal).await.last(), Some(&(seq, 42)));
        }
        Err(WalError::Corrupt { .. }) => {
            records_after(&journal, first - 1).await.expect_err("a corrupt line");
            assert!(!text.contains(&b'\n') || read() == remaining, "the file is unchanged");
        }
        Err(_) => assert_eq!(last, u64::MAX),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_read_or_rejected(text in text()) {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(check(&text));
    }
}
