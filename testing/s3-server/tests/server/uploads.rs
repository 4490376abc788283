//! Multipart uploads.

use super::*;
use minisnap_s3_server::Conditions;
use object_store::{PutMultipartOptions, multipart::MultipartStore};
use std::io::ErrorKind;

const PART: usize = 5 * 1024 * 1024;

/// Three parts, the last one small.
fn parts() -> [Vec<u8>; 3] {
    [vec![1; PART], vec![2; PART + 1], vec![3; 10]]
}

/// The files of objects and of parts, without the attributes of objects.
fn object_and_part_files(server: &S3Server) -> Vec<String> {
    let mut found = files(server.parts_folder());
    found.retain(|name| !name.starts_with(".bucket-") || name.contains(".upload-"));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_parts_make_one_object() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    let key = Path::from("state/large");
    let mut upload = store.put_multipart_opts(&key, PutMultipartOptions::default()).await.unwrap();
    // All parts are sent before the first is awaited.
    let running = parts().map(|part| tokio::spawn(upload.put_part(part.into())));
    for part in running {
        part.await.unwrap().unwrap();
    }
    assert!(matches!(store.head(&key).await, Err(Error::NotFound { .. })), "no object before the completion");
    let version = upload.complete().await.unwrap();
    assert!(bytes(&store, "state/large").await == parts().concat());
    assert_eq!(store.head(&key).await.unwrap().e_tag, version.e_tag);
    assert_eq!(object_and_part_files(&server), ["large"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_upload_leaves_no_parts() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    let key = Path::from("state/large");
    let id = store.create_multipart(&key).await.unwrap();
    store.put_part(&key, &id, 0, parts()[0].clone().into()).await.unwrap();
    assert!(!object_and_part_files(&server).is_empty());
    // These parts arrive around the abort.
    let late = |number| {
        let (store, key, id) = (client(&server), key.clone(), id.clone());
        tokio::spawn(async move { store.put_part(&key, &id, number, parts()[0].clone().into()).await })
    };
    let late: [_; 4] = std::array::from_fn(|number| late(number + 1));
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    store.abort_multipart(&key, &id).await.unwrap();
    for part in late {
        // If a late part is answered while the client still writes, the client reports a broken connection.
        let outcome = part.await.unwrap();
        let is_expected = match &outcome {
            Ok(_) | Err(Error::NotFound { .. }) => true,
            Err(error) => is_closed_connection(error),
        };
        assert!(is_expected, "{outcome:?}");
    }
    assert_eq!(object_and_part_files(&server), [""; 0]);

    assert!(matches!(store.abort_multipart(&key, &id).await, Err(Error::NotFound { .. })));
    let part = store.put_part(&key, &id, 0, "late".into()).await;
    assert!(matches!(part, Err(Error::NotFound { .. })));
    assert!(matches!(store.complete_multipart(&key, &id, Vec::new()).await, Err(Error::NotFound { .. })));
    assert_eq!(object_and_part_files(&server), [""; 0]);
}

/// Whether the server closed the connection while the client was still writing.
fn is_closed_connection(error: &Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset))
}

#[tokio::test]
async fn too_small_parts_are_refused() {
    let server = S3Server::start(Conditions::Atomic);
    let store = client(&server);
    let mut upload = store.put_multipart_opts(&Path::from("a"), PutMultipartOptions::default()).await.unwrap();
    for part in ["small", "last"] {
        upload.put_part(part.into()).await.unwrap();
    }
    assert!(upload.complete().await.is_err());
    assert!(matches!(store.head(&Path::from("a")).await, Err(Error::NotFound { .. })));
}
