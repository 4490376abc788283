//! Listings, complete and in pages.

use super::*;
use crate::raw::send;
use futures_util::TryStreamExt;
use object_store::list::{PaginatedListOptions, PaginatedListStore};

const NAMES: [&str; 9] = ["a", "a/1", "a/2", "a/b/1", "a/b/2", "a/c/1", "a/d", "ab", "b"];

async fn filled() -> (GcsServer, GoogleCloudStorage) {
    let server = server();
    let store = client(&server);
    for name in NAMES {
        put(&store, name, name, PutMode::Create).await.expect("a put");
    }
    (server, store)
}

/// All entries of a listing in pages of this size, prefixes with a star; and the size of each page.
async fn pages(
    store: &GoogleCloudStorage,
    size: usize,
    delimiter: bool,
    after: Option<&str>,
) -> (Vec<String>, Vec<usize>) {
    let (mut found, mut sizes) = (Vec::new(), Vec::new());
    let mut page_token = None;
    loop {
        let options = PaginatedListOptions {
            delimiter: delimiter.then(|| "/".into()),
            offset: after.map(str::to_owned),
            max_keys: Some(size),
            page_token,
            ..Default::default()
        };
        let page = store.list_paginated(Some("a/"), options).await.expect("a page");
        let objects = page.result.objects.iter().map(|meta| meta.location.to_string());
        let prefixes = page.result.common_prefixes.iter().map(|prefix| format!("{prefix}*"));
        let entries: Vec<_> = objects.chain(prefixes).collect();
        sizes.push(entries.len());
        found.extend(entries);
        page_token = page.page_token;
        if page_token.is_none() {
            found.sort();
            return (found, sizes);
        }
    }
}

#[tokio::test]
async fn list_returns_objects_with_their_attributes() {
    let (server, store) = filled().await;
    let found: Vec<_> = store.list(Some(&Path::from("a"))).try_collect().await.unwrap();
    assert_eq!(found.iter().map(|meta| meta.location.to_string()).collect::<Vec<_>>(), NAMES[1..7]);
    for meta in &found {
        let head = store.head(&meta.location).await.unwrap();
        assert_eq!((&meta.e_tag, meta.size), (&head.e_tag, head.size));
        assert_eq!(meta.last_modified.timestamp(), head.last_modified.timestamp());
    }
    let listed = send(&server, "GET /minisnap?list-type=2&prefix=a%2F1", &[], "").await;
    let version = store.head(&Path::from("a/1")).await.unwrap().version.unwrap();
    let expected =
        format!("<Contents><Key>a/1</Key><Generation>{version}</Generation><MetaGeneration>1</MetaGeneration>");
    assert!(listed.body.contains(&expected), "{}", listed.body);
    assert!(listed.body.contains("<IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>"), "{}", listed.body);

    let level = store.list_with_delimiter(Some(&Path::from("a"))).await.unwrap();
    assert_eq!(level.objects.len(), 3);
    assert_eq!(level.common_prefixes, [Path::from("a/b"), Path::from("a/c")]);
    let none: Vec<_> = store.list(Some(&Path::from("never"))).try_collect().await.unwrap();
    assert_eq!(none, []);
}

#[tokio::test]
async fn pages_of_any_size_have_each_entry_once() {
    let (_server, store) = filled().await;
    for size in 1..=7 {
        let (found, sizes) = pages(&store, size, false, None).await;
        assert_eq!(found, NAMES[1..7], "pages of {size}");
        assert!(sizes.iter().rev().skip(1).all(|page| *page == size), "{sizes:?}");
        assert_eq!(sizes.len(), 6_usize.div_ceil(size), "{sizes:?}");
        let (found, sizes) = pages(&store, size, true, None).await;
        assert_eq!(found, ["a/1", "a/2", "a/b*", "a/c*", "a/d"], "pages of {size}");
        assert_eq!(sizes.len(), 5_usize.div_ceil(size), "{sizes:?}");
        let (found, _) = pages(&store, size, false, Some("a/b/1")).await;
        assert_eq!(found, NAMES[4..7], "pages of {size}, after a name");
    }
}

#[tokio::test]
async fn list_has_at_most_a_thousand_entries_in_a_page() {
    let server = server();
    let store = client(&server);
    for number in 0..1100 {
        put(&store, &format!("{number:04}"), "", PutMode::Create).await.unwrap();
    }
    let first = send(&server, "GET /minisnap?list-type=2&max-keys=2000", &[], "").await;
    assert!(first.body.contains("<IsTruncated>true</IsTruncated><KeyCount>1000</KeyCount>"));
    let found: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!((found.len(), found[1099].location.as_ref()), (1100, "1099"));
    let after: Vec<_> = store.list_with_offset(None, &Path::from("1097")).try_collect().await.unwrap();
    assert_eq!(after.len(), 2);
}

/// A listing that another client changes has each object that stays.
#[tokio::test]
async fn pages_continue_after_the_last_object_was_deleted() {
    let (_server, store) = filled().await;
    let options = |page_token| PaginatedListOptions { max_keys: Some(2), page_token, ..Default::default() };
    let first = store.list_paginated(Some("a/"), options(None)).await.unwrap();
    assert_eq!(first.result.objects[1].location, Path::from("a/2"));
    store.delete(&Path::from("a/2")).await.unwrap();
    let second = store.list_paginated(Some("a/"), options(first.page_token)).await.unwrap();
    assert_eq!(second.result.objects[0].location, Path::from("a/b/1"));
}

#[tokio::test]
async fn invalid_parameters_of_a_list_are_refused() {
    let server = server();
    for parameters in ["max-keys=x", "max-keys=-1", "continuation-token=x", "continuation-token=1.%25FF"] {
        let answer = send(&server, &format!("GET /minisnap?list-type=2&{parameters}"), &[], "").await;
        assert_eq!((answer.status, answer.code()), (400, "InvalidArgument"), "{parameters}");
    }
}
