//! Listings: leaves out objects of other programs whose keys the client rejects.
//!
//! The client fails a complete listing at the first key that isn't a [`Path`]: with `//`, with a segment `.` or `..`, or with a control
//! character. No key of minisnap is like that, so such objects belong to other programs. If they share the prefix, they must not
//! stop a collection or a verification. Keys that end with `/` are left out, too: the client would take them for the keys without
//! it.

use super::xml::{self, ChildText, Element};
use object_store::{
    client::{HttpError, HttpRequest, HttpResponse},
    path::Path,
};

/// The elements that list an object or a common prefix, on S3 and Google, and on Azure.
const ENTRIES: [&str; 4] = ["Contents", "CommonPrefixes", "Blob", "BlobPrefix"];

/// Whether this request lists objects.
pub(super) fn is_listing(request: &HttpRequest) -> bool {
    let mut parameters = request.uri().query().unwrap_or_default().split('&');
    request.method().as_str() == "GET" && parameters.any(|parameter| ["list-type=2", "comp=list"].contains(&parameter))
}

/// The answer without entries whose key the client rejects. The page's other fields stay, so the next page is found.
pub(super) async fn without_external_keys(answer: HttpResponse) -> Result<HttpResponse, HttpError> {
    if !answer.status().is_success() {
        return Ok(answer);
    }
    let (mut head, body) = answer.into_parts();
    let body = body.bytes().await?;
    let Some(filtered) = filter(&body) else { return Ok(HttpResponse::from_parts(head, body.into())) };
    head.headers.remove("content-length");
    Ok(HttpResponse::from_parts(head, filtered.into()))
}

/// `None` if nothing is left out.
fn filter(page: &[u8]) -> Option<Vec<u8>> {
    let entries = xml::elements(page, &ENTRIES)?;
    let external: Vec<_> = entries.into_iter().filter(is_external).map(|entry| entry.range).collect();
    if external.is_empty() {
        return None;
    }
    let (mut filtered, mut end) = (Vec::with_capacity(page.len()), 0);
    for entry in external {
        filtered.extend_from_slice(page.get(end..entry.start)?);
        end = entry.end;
    }
    filtered.extend_from_slice(page.get(end..)?);
    Some(filtered)
}

/// Whether the entry can't be minisnap's. An entry without a key stays, so that the client reports an answer that isn't a listing.
fn is_external(entry: &Element) -> bool {
    let (key, is_prefix) = match entry.name.as_str() {
        "Contents" => ("Key", false),
        "CommonPrefixes" => ("Prefix", true),
        "BlobPrefix" => ("Name", true),
        _ => ("Name", false),
    };
    match entry.child(key) {
        ChildText::Missing => false,
        ChildText::Undecodable => true,
        // The client ignores white space around a key, and would take it for another key.
        ChildText::Text(key) => key != key.trim() || Path::parse(key).is_err() || key.ends_with('/') && !is_prefix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(keys: &[&str]) -> String {
        let entry = |key: &&str| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>\n");
        let entries: String = keys.iter().map(entry).collect();
        format!(
            "<?xml version=\"1.0\"?>\n<ListBucketResult>{entries}<NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
        )
    }

    fn filtered(page: &str) -> String {
        filter(page.as_bytes()).map_or_else(|| page.to_owned(), |filtered| String::from_utf8(filtered).expect("a text"))
    }

    #[test]
    fn keys_that_are_no_paths_are_left_out() {
        let ours = ["app/snapshots/current", "app/snapshots/n&amp;m/snapshot.json", "app/&lt;x&gt;/%2F%2F/y", "app/é"];
        for external in [
            "app/snapshots//x",
            "app/snapshots/&#x2f;x",
            "app/snapshots&#47;/x",
            "app/snapshots/<![CDATA[/x]]>",
            "app/snapshots/../x",
            "app/snapshots/.",
            "app/snapshots/a&#10;b",
            "app/snapshots/a\u{7f}b",
            "app/snapshots/&unknown;",
            "app/snapshots/",
            "app/snapshots/current/",
            "app/snapshots//",
            "/",
        ] {
            let mut all = ours.to_vec();
            all.insert(2, external);
            all.push(external);
            assert_eq!(
                filtered(&page(&all)),
                page(&ours)
                    .replace("<Contents><Key>app/&lt;", "\n<Contents><Key>app/&lt;")
                    .replace("<NextC", "\n<NextC"),
                "{external:?}"
            );
        }
        assert_eq!(filter(page(&ours).as_bytes()), None, "an ordinary page is not copied");
    }

    #[test]
    fn page_of_external_keys_keeps_its_continuation() {
        let filtered = filtered(&page(&["a//b"; 1000]));
        assert!(!filtered.contains("Key") && filtered.contains("<NextContinuationToken>t</Next"), "{filtered}");
    }

    #[test]
    fn entries_of_azure_and_prefixes_are_filtered() {
        let page = |external: &str| {
            format!(
                "<EnumerationResults><Blobs>{external}<Blob><Name>a/b</Name><Properties><Etag>1</Etag></Properties></Blob>\
                 <BlobPrefix><Name>a/</Name></BlobPrefix></Blobs><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></EnumerationResults>"
            )
        };
        let external = "<Blob><Name>a//b</Name></Blob><BlobPrefix><Name>a//</Name></BlobPrefix>\
                       <CommonPrefixes><Prefix>a//</Prefix></CommonPrefixes>";
        assert_eq!(filtered(&page(external)), page(""));
    }

    /// The client must report them. An empty listing would look like a store in which nothing was committed.
    #[test]
    fn other_answers_are_unchanged() {
        for other in [
            "<html><body>//</body></html>",
            "<Contents><Name>a//b</Name></Contents>",
            "{}",
            "<Contents><Key>a//b</Key>",
        ] {
            assert_eq!(filtered(other), other);
        }
    }
}
