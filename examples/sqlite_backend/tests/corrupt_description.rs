//! A verification reports a row that isn't a generation, instead of failing.

use example_sqlite_backend::SqliteBackend;
use minisnap_core::{CommitOptions, MiniSnapError, Result, SnapshotBackend};
use rusqlite::Connection;
use std::num::NonZeroUsize;

#[tokio::test]
async fn verification_reports_a_corrupt_description() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("state.db");
    let backend = SqliteBackend::open(path.to_str().expect("a text"))?;
    backend.stage(1).await?.commit(CommitOptions::new(NonZeroUsize::MIN)).await?;
    let connection = Connection::open(&path).expect("the database");
    connection.execute("UPDATE generation SET description = 'not a generation'", []).expect("the row can be updated");

    let verified = backend.verify().await?;
    assert!(!verified.is_intact(), "{verified:?}");
    let [problem] = &verified.problems[..] else { panic!("one problem of the store: {verified:?}") };
    assert!(problem.to_string().contains("not a generation"), "{problem}");
    let current = backend.current().await;
    assert!(matches!(current, Err(MiniSnapError::Corrupt { .. })), "a corrupt store isn't empty: {current:?}");
    Ok(())
}
