//! Objects that can't be deleted, and stores without bulk delete.

use crate::support::{
    bucket::{Bucket, ORPHAN, record, retain_one},
    faulty_store::{Fault, FaultyStore},
    s3_proxy::{Action, Request, S3Proxy},
    servers,
    warnings::Warnings,
};
use minisnap_core::{Collected, CommitOptions, MiniSnapError, Operation, Overdue, SnapshotBackend};
use minisnap_object::{
    ObjectBackend,
    object_store::{ObjectStore, ObjectStoreExt, path::Path},
};
use minisnap_s3_server::{Conditions, S3Server};
use std::{
    error::Error as _,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A server behind a proxy, a handle that was opened by URL, and a client without the proxy.
struct Proxied {
    server: S3Server,
    proxy: S3Proxy,
    bucket: Bucket,
}

impl Proxied {
    fn start(rule: impl Fn(&Request) -> Action + Send + Sync + 'static) -> Self {
        let server = S3Server::start(Conditions::Atomic);
        let proxy = S3Proxy::start(&server, rule);
        let bucket = Bucket { store: servers::client_of(&server), backend: open(&server, &proxy) };
        Self { server, proxy, bucket }
    }

    fn fresh_handle(&self) -> ObjectBackend {
        open(&self.server, &self.proxy)
    }

    /// The names of the generations that have files, each with the number of its files.
    async fn files(&self) -> Vec<String> {
        let files = self.bucket.objects("app/snapshots/0").await;
        files.iter().filter_map(|path| path.split('/').nth(2)).map(str::to_owned).collect()
    }

    /// How many bulk deletes and single deletes of files of generations were sent since the last call.
    fn deletes(&self) -> (usize, usize) {
        let requests = self.proxy.take_requests();
        let bulk = requests.iter().filter(|request| request.starts_with("POST") && request.ends_with("?delete"));
        let single = requests.iter().filter(|request| request.starts_with("DELETE") && !request.contains(".probe-"));
        (bulk.count(), single.count())
    }
}

fn open(server: &S3Server, proxy: &S3Proxy) -> ObjectBackend {
    let options = minisnap_s3_server::options(proxy.endpoint()).into_iter();
    let options = options.chain([("max_retries", "0".to_owned())]);
    ObjectBackend::open(&server.url("app"), options).expect("a handle")
}

fn answer(status: &'static str, body: &str) -> Action {
    Action::Answer(status, body.to_owned())
}

#[tokio::test]
async fn objects_are_deleted_singly_without_bulk_delete() {
    for (status, body) in [
        ("405 Method Not Allowed", ""),
        ("501 Not Implemented", ""),
        ("400 Bad Request", ""),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>"),
        ("404 Not Found", ""),
        ("200 OK", "<html><body>not found</body></html>"),
        ("200 OK", "<DeleteResult/>"),
        ("200 OK", "<DeleteResult><Error><Key>another</Key><Code>C</Code><Message>m</Message></Error></DeleteResult>"),
        ("200 OK", ""),
    ] {
        let store = Proxied::start(move |request| match request.is_bulk_delete() {
            true => answer(status, body),
            false => Action::Forward,
        });
        let backend = &store.bucket.backend;
        for seq in 1..=3 {
            retain_one(backend, seq).await;
        }
        // The first generation expired with the second commit, and the third deleted it. The second waits for the next commit.
        assert_eq!(store.files().await.len(), 4, "{status}: {body}");
        let orphan = Path::from(format!("{ORPHAN}/snapshot.json"));
        store.bucket.put(&orphan, "an orphan").await;
        store.deletes();
        let clone = backend.clone();
        assert_eq!(clone.collect_garbage().await.expect("a collection"), Collected::new(1, 1), "{status}: {body}");
        assert_eq!(store.files().await.len(), 2, "{status}: {body}");
        assert_eq!(store.deletes(), (0, 3), "the handle and its clones remember it: {status}: {body}");
        assert_eq!(backend.verify().await.expect("verify succeeds").overdue, None, "{status}: {body}");
    }
}

/// A bulk delete that fails because the server is overloaded, or can't be reached, says nothing of the next one.
#[tokio::test]
async fn bulk_delete_is_tried_again_after_an_overload() {
    const HEALTHY: usize = 0;
    const OVERLOADED: usize = 1;
    const UNREACHABLE: usize = 2;
    let state = Arc::new(AtomicUsize::new(HEALTHY));
    let seen = state.clone();
    let store = Proxied::start(move |request| match seen.load(Ordering::SeqCst) {
        OVERLOADED if request.is_bulk_delete() => answer("503 Slow Down", ""),
        UNREACHABLE if request.is_bulk_delete() => Action::Close,
        _ => Action::Forward,
    });
    retain_one(&store.bucket.backend, 1).await;
    retain_one(&store.bucket.backend, 2).await;
    for (seq, next, deletes, files) in [
        // The objects are deleted singly.
        (3, OVERLOADED, (1, 2), 4),
        (4, HEALTHY, (1, 0), 4),
        // A commit doesn't wait for more requests without an answer.
        (5, UNREACHABLE, (1, 0), 6),
        (6, HEALTHY, (1, 0), 4),
    ] {
        store.deletes();
        state.store(next, Ordering::SeqCst);
        retain_one(&store.bucket.backend, seq).await;
        assert_eq!((store.deletes(), store.files().await.len()), (deletes, files), "commit {seq}");
    }
}

/// The answer is that of the bulk request, and says nothing of the object. A program's own client sends no other requests.
#[tokio::test]
async fn bulk_request_that_is_not_found_deletes_nothing() {
    let server = S3Server::start(Conditions::Atomic);
    let proxy = S3Proxy::start(&server, |request| match request.is_bulk_delete() {
        true => answer("404 Not Found", ""),
        false => Action::Forward,
    });
    let backend = ObjectBackend::new(servers::client_at(proxy.endpoint()), "app");
    retain_one(&backend, 1).await;
    let client = servers::client_of(&server);
    // The probes couldn't be deleted either. After some seconds they would be garbage.
    for probe in crate::support::garbage(&client, "app").await {
        client.delete(&probe.into()).await.expect("a deletion");
    }
    let orphan = Path::from(format!("{ORPHAN}/snapshot.json"));
    client.put(&orphan, "an orphan".into()).await.expect("a put");
    let error = backend.collect_garbage().await.expect_err("the orphan can't be deleted");
    assert_eq!(error.source().expect("a cause").to_string(), "1 of 1 objects couldn't be deleted");
    assert_eq!(backend.verify().await.expect("verify succeeds").orphans, 1);
}

/// The credentials permit no delete at all: commits succeed, and each report says what is wrong.
#[tokio::test]
async fn forbidden_deletes_are_reported_and_stop_no_commit() {
    let store = Proxied::start(|request| match request.is_bulk_delete() || request.method == "DELETE" {
        true => answer("403 Forbidden", "<Error><Code>AccessDenied</Code><Token>s3cr3t</Token></Error>"),
        false => Action::Forward,
    });
    let backend = &store.bucket.backend;
    let warnings = Warnings::collect();
    for seq in 1..=2 {
        retain_one(backend, seq).await;
    }
    assert_eq!(
        store.fresh_handle().verify().await.expect("verify succeeds").overdue,
        None,
        "the next commit deletes it"
    );
    warnings.take();
    retain_one(backend, 3).await;
    let warned = warnings.take();
    let [warning] = &warned[..] else { panic!("{warned:?}") };
    for part in
        ["operation=commit", "action=\"delete garbage\"", "2 of 2 objects couldn't be deleted", "403", "snapshot."]
    {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    for seq in 4..=13 {
        retain_one(backend, seq).await;
    }
    store.deletes();
    retain_one(backend, 14).await;
    assert_eq!(store.deletes(), (1, 20), "24 files have expired, and a commit stops after a batch of failures");
    assert_eq!(store.files().await.len(), 28);

    // `expire` reports it, too.
    warnings.take();
    let two = store.fresh_handle();
    two.stage(15)
        .await
        .expect("a stage")
        .commit(CommitOptions::new(NonZeroUsize::new(2).expect("two")))
        .await
        .expect("a commit");
    warnings.take();
    two.expire(NonZeroUsize::MIN).await.expect("the record is replaced");
    assert!(warnings.take().iter().any(|warning| warning.contains("operation=expire")), "expire warns");

    let error = backend.collect_garbage().await.expect_err("nothing can be deleted");
    let cause = error.source().expect("a cause").to_string();
    assert!(matches!(error, MiniSnapError::Backend { transient: false, .. }), "{error}");
    // Those of 14 generations, and probes that are some seconds old.
    let objects: usize = cause.split(' ').next().and_then(|count| count.parse().ok()).expect("a number");
    assert_eq!(cause, format!("{objects} of {objects} objects couldn't be deleted"));
    assert!(objects >= 28, "{cause}");
    assert_eq!(error.at().operation(), Operation::CollectGarbage);
    assert!(error.at().location().starts_with("s3://minisnap/app/snapshots/0000"), "{}", error.at().location());
    assert!(error.help().expect("help").contains("`s3:DeleteObject`"));
    let reason = error.source().and_then(|source| source.source()).expect("the store's answer").to_string();
    assert!(reason.contains("403") && reason.contains("AccessDenied") && !reason.contains("s3cr3t"), "{reason}");

    let found = store.fresh_handle().verify().await.expect("verify succeeds");
    assert!(found.is_intact());
    assert_eq!(
        (found.expired, found.overdue),
        (14, Overdue::new(8, 0).into_option()),
        "of 14, the oldest 8 have waited for 6 commits"
    );
    let own = backend.verify().await.expect("verify succeeds").overdue.expect("overdue garbage");
    let failure = own.failure.expect("this handle has failed");
    assert!(failure.forbidden && failure.objects == objects, "{failure:?}");
    assert!(
        failure.location.starts_with("s3://minisnap/app/snapshots/") && !failure.reason.contains("s3cr3t"),
        "{failure:?}"
    );
}

/// A bulk answer names an object with an error, or not at all. That object isn't deleted, and the others are.
#[tokio::test]
async fn failed_object_in_a_bulk_delete_is_named() {
    for edit in ["error", "unnamed"] {
        let denied = format!("{ORPHAN}/snapshot.json");
        let path = denied.clone();
        let store = Proxied::start(move |request| {
            if request.method == "DELETE" && request.target.ends_with(&denied) {
                return answer("403 Forbidden", "");
            }
            if !request.is_bulk_delete() {
                return Action::Forward;
            }
            let (found, error) = (
                format!("<Key>{denied}</Key>"),
                format!("<Key>{denied}</Key><Code>AccessDenied</Code><Message>no</Message></Error>"),
            );
            Action::Edit(Box::new(move |body| {
                let Some((before, after)) = body.split_once(&found) else { return body };
                let before = before.strip_suffix("<Deleted>").expect("an element");
                let after = after.split_once("</Deleted>").expect("an element").1;
                let error = if edit == "error" { format!("<Error>{error}") } else { String::new() };
                [before, error.as_str(), after].concat()
            }))
        });
        let backend = &store.bucket.backend;
        retain_one(backend, 1).await;
        for file in ["snapshot.json", "snapshot.seq"] {
            store.bucket.put(&Path::from(format!("{ORPHAN}/{file}")), "an orphan").await;
        }
        let error = backend.collect_garbage().await.expect_err("one object can't be deleted");
        assert_eq!(error.source().expect("a cause").to_string(), "1 of 2 objects couldn't be deleted", "{edit}");
        assert_eq!(error.at().location(), format!("s3://minisnap/{path}"), "{edit}");
        let failure =
            backend.verify().await.expect("verify succeeds").overdue.expect("a failure").failure.expect("a failure");
        assert_eq!((failure.objects, failure.location.as_str()), (1, error.at().location()), "{edit}");
    }
}

/// A client whose request for several objects fails as a whole.
#[tokio::test]
async fn failed_bulk_request_doesnt_stop_single_deletes() {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Fault::BulkDelete, Arc::default()));
    let bucket = Bucket { backend: ObjectBackend::new(store.clone(), "app"), store };
    for seq in 1..=3 {
        retain_one(&bucket.backend, seq).await;
    }
    assert_eq!(bucket.objects("app/snapshots/0").await.len(), 4, "the first generation is deleted");
    let text = String::from_utf8(bucket.get(&record()).await.into()).expect("a text");
    assert!(text.lines().last().expect("the first generation").ends_with(" deleted"), "{text}");
    assert_eq!(bucket.backend.collect_garbage().await.expect("a collection"), Collected::new(1, 0));
}

/// Many objects that a rule of the bucket protects come before another one. The store has no bulk delete.
#[tokio::test]
async fn undeletable_objects_dont_stop_a_collection() {
    let store = Proxied::start(|request| match request.method.as_str() {
        "DELETE" if request.target.ends_with("snapshot.json") => answer("409 Conflict", ""),
        _ if request.is_bulk_delete() => answer("405 Method Not Allowed", ""),
        _ => Action::Forward,
    });
    let backend = &store.bucket.backend;
    retain_one(backend, 1).await;
    let orphan = |end: &str, file: &str| Path::from(format!("{}{end}/{file}", &ORPHAN[..ORPHAN.len() - 2]));
    for number in 0..45 {
        let end = format!("{}{}", char::from(b'a' + number / 20), char::from(b'a' + number % 20));
        store.bucket.put(&orphan(&end, "snapshot.json"), "an orphan").await;
    }
    let last = orphan("zz", "snapshot.seq");
    store.bucket.put(&last, "an orphan").await;
    let error = backend.collect_garbage().await.expect_err("45 objects can't be deleted");
    assert_eq!(error.source().expect("a cause").to_string(), "45 of 46 objects couldn't be deleted");
    assert!(error.help().expect("help").contains("rules on deletion"), "{error:?}");
    assert!(store.bucket.store.head(&last).await.is_err(), "the last object is deleted");
}

#[tokio::test(start_paused = true)]
async fn unanswered_deletes_end_at_the_busy_timeout() {
    let (healthy, _) = Bucket::with_three_snapshots().await;
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Fault::DeleteUnanswered, Arc::default()));
    for path in healthy.objects("").await {
        let path = Path::from(path);
        store.put(&path, healthy.get(&path).await.into()).await.expect("a put");
    }
    let backend = ObjectBackend::new(store, "app").with_busy_timeout(Duration::from_secs(2));
    let warnings = Warnings::collect();
    let start = tokio::time::Instant::now();
    let expired = tokio::time::timeout(Duration::from_secs(60), backend.expire(NonZeroUsize::MIN)).await;
    assert_eq!(expired.expect("the deletion ends").expect("the record is replaced").len(), 2);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let warned = warnings.take();
    assert!(warned.iter().any(|warning| warning.contains("4 of 4 objects couldn't be deleted")), "{warned:?}");
    // The next deletion may get an answer.
    assert_eq!(backend.verify().await.expect("verify succeeds").overdue, None);
}
