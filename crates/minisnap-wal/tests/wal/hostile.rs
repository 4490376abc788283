//! Files of any content in a journal's place: no panic, nothing lost, and the same records as `ministore` itself finds.

use crate::kit::*;
use minisnap_wal::{Log, WalError};
use ministore::MiniStore;
use proptest::{prelude::*, sample::select};

/// Pieces of journals, whole and damaged.
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
    let location = Place::in_memory();
    location.write("log", text);
    let read = || std::fs::read(location.log()).expect("the file");
    let plain: Option<Vec<u64>> = MiniStore::replay(location.log()).await.ok();
    let journal = match location.try_open().await {
        Ok(journal) => journal,
        Err(error) => {
            assert!(matches!(error, WalError::NotAJournal { .. } | WalError::Corrupt { .. }), "{error}");
            assert!(read() == text, "what is refused stays as it is");
            return;
        }
    };
    // What is cut off is no whole line, or has zeros in it.
    let kept = read();
    if text.contains(&b'\n') {
        let cut = text.strip_prefix(&kept[..]).expect("the beginning stays");
        assert!(cut.is_empty() || cut.contains(&0) || !cut.contains(&b'\n'), "{}", cut.escape_ascii());
    }
    match after(&journal, journal.first() - 1).await {
        Ok(found) => {
            let found: Vec<_> = found.into_iter().map(|(_, record)| record).collect();
            // It has no way to tell that the last record isn't whole.
            if let Some(plain) = plain.filter(|_| kept == text) {
                assert_eq!(found, plain);
            }
        }
        Err(error) => {
            assert!(matches!(error, WalError::Corrupt { .. }), "{error}");
            assert!(plain.is_none() || kept != text, "ministore reads it");
        }
    }
    // Nothing more is cut off when it is opened again.
    let found = (journal.first(), journal.last());
    drop(journal);
    let mut journal = location.open().await;
    assert_eq!((journal.first(), journal.last()), found);
    assert!(text.is_empty() || !text.contains(&b'\n') || read() == kept);
    // It goes on if what it holds can be read, and what was acknowledged can be replayed.
    let (last, first) = (journal.last(), journal.first());
    match journal.append(&42).await {
        Ok(seq) => {
            assert_eq!(seq, last + 1);
            drop(journal);
            let journal = location.open().await;
            assert_eq!((journal.first(), journal.last()), (first, seq));
            assert_eq!(records(&journal).await.last(), Some(&(seq, 42)));
        }
        Err(WalError::Corrupt { .. }) => {
            after(&journal, first - 1).await.expect_err("a damaged line");
            assert!(!text.contains(&b'\n') || read() == kept, "nothing was appended");
        }
        Err(_) => assert_eq!(last, u64::MAX),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_read_or_refused(text in text()) {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(check(&text));
    }
}
