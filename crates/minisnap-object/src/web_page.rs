//! Telling a web page from an answer of an object store.

/// How a page begins, at the least, if only its type says that it is one.
const FIRST_ELEMENTS: [&str; 8] = ["<!--", "<head", "<title", "<meta", "<script", "<body", "<center", "<h1"];

/// Whether an answer is a web page: the login page of a network, or the error page of a proxy.
///
/// `first_bytes` is the beginning of the body. Some servers give all answers the type of a web page, so the type isn't enough.
/// No object of ours begins with `<`, and the elements of a store's XML have other names than those of HTML.
pub(crate) fn is_web_page(content_type: Option<&str>, first_bytes: &[u8]) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_html = essence.eq_ignore_ascii_case("text/html") || essence.eq_ignore_ascii_case("application/xhtml+xml");
    let bytes = first_bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first_bytes).trim_ascii_start();
    let begins_with =
        |start: &&str| bytes.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start.as_bytes()));
    ["<!doctype html", "<html"].iter().any(begins_with) || is_html && FIRST_ELEMENTS.iter().any(begins_with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_page_is_found_by_its_first_bytes() {
        for (content_type, bytes) in [
            (None, "<!DOCTYPE html><title>Login</title>"),
            (Some("application/octet-stream"), "\u{feff} \n<HTML>"),
            (Some("text/html; charset=utf-8"), "<!-- portal --><body>"),
            (Some("application/xhtml+xml"), "<head>"),
        ] {
            assert!(is_web_page(content_type, bytes.as_bytes()), "{content_type:?} {bytes}");
        }
    }

    #[test]
    fn objects_and_lists_are_no_web_pages() {
        // Some servers give all answers the type of a web page.
        let html = Some("text/html; charset=utf-8");
        for (content_type, bytes) in [
            (html, "minisnap-record 1\n"),
            (html, "{\"a\": \"<html>\"}"),
            (html, ""),
            (html, "<?xml version=\"1.0\"?><ListBucketResult/>"),
            (html, "<ListBucketResult>"),
            (None, "<Error><Code>NoSuchKey</Code></Error>"),
            (Some("application/xml"), "<ListBucketResult>"),
        ] {
            assert!(!is_web_page(content_type, bytes.as_bytes()), "{content_type:?} {bytes}");
        }
    }
}
