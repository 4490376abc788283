//! `give_up_lost_store` while system calls fail.

use super::*;

/// After any failure, of one call or of all from there on, nothing is lost, and a second call completes the first.
#[tokio::test]
async fn give_up_completes_on_retry_when_any_call_failed() {
    let mut calls = 0;
    for (error, once) in single_and_lasting_faults() {
        for pass in 0.. {
            let store = Store::prepared_for(Action::Accept).await;
            fs::remove_file(store.path("snapshots/current")).unwrap();
            fs::write(store.path("snapshots/current"), "?").unwrap();
            store.inject_fault(pass, error, once);
            let given_up = store.backend.give_up_lost_store().await;
            let failed = store.end_fault();
            if failed.is_empty() {
                break;
            }
            calls += 1;
            let context = format!("error {error} after {pass} calls (once: {once}): {failed:?}: {given_up:?}");
            match store.restore().await {
                Ok(None) | Err(MiniSnapError::Corrupt { .. }) => {}
                restored => panic!("{restored:?}: {context}"),
            }
            store.backend.give_up_lost_store().await.unwrap_or_else(|error| panic!("{error}: {context}"));
            assert_eq!(store.restore().await.unwrap(), None, "{context}");
            store.commit(10).await.unwrap();
            assert_eq!(store.restore().await.unwrap(), Some(("[10]".into(), 10)), "{context}");
            let names = fs::read_dir(store.path("")).unwrap().map(|entry| entry.unwrap().path());
            let (mut jsons, mut generations) = (Vec::new(), 0);
            for path in names.filter(|path| path.to_string_lossy().contains(".aside-")) {
                jsons.extend(fs::read_to_string(&path).ok());
                generations += fs::read_dir(&path).into_iter().flatten().count();
            }
            assert!(jsons.contains(&"[9]".to_owned()), "{jsons:?}: {context}");
            assert!(generations >= 3, "{context}");
        }
    }
    println!("{calls} calls failed");
    assert!(calls > 100);
}
