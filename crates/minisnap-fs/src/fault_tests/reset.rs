//! `reset_to` while system calls fail.

use super::*;

/// After any failure, of one call or of all from there on, nothing is lost, and a second call completes the first.
#[tokio::test]
async fn reset_completes_on_retry_when_any_call_failed() {
    let mut calls = 0;
    for (error, once) in single_and_lasting_faults() {
        for pass in 0.. {
            let store = Store::prepared_for(Action::ExpiringCommit).await;
            let history = store.backend.history().await.unwrap();
            fs::remove_file(store.path("snapshots/current")).unwrap();
            store.inject_fault(pass, error, once);
            let reset = store.backend.reset_to(&history[1]).await;
            let failed = store.end_fault();
            if failed.is_empty() {
                break;
            }
            calls += 1;
            let context = format!("error {error} after {pass} calls (once: {once}): {failed:?}: {reset:?}");
            match store.restore().await {
                Ok(restored) => assert_eq!(restored, Some(("[1]".into(), 1)), "{context}"),
                Err(error) => assert!(matches!(error, MiniSnapError::Corrupt { .. }) && reset.is_err(), "{context}"),
            }
            store.backend.reset_to(&history[1]).await.unwrap_or_else(|error| panic!("{error}: {context}"));
            assert_eq!(store.restore().await.unwrap(), Some(("[1]".into(), 1)), "{context}");
            store.commit(10).await.unwrap();
            assert_eq!(store.seqs().await, [10, 1], "{context}");
            let aside = format!("{}.corrupt", history[0].name());
            assert_eq!(store.garbage().await, BTreeSet::from([aside]), "{context}");
        }
    }
    println!("{calls} calls failed");
    assert!(calls > 100);
}
