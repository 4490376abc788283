//! Bulk deletes on S3: the client gets an answer that names each object of its request, and no other.
//!
//! The client takes an object that the answer doesn't name for deleted, and panics if the answer names another object.

use super::xml::{self, ChildText};
use object_store::client::{HttpError, HttpRequest, HttpResponse};
use quick_xml::escape::escape;
use std::{collections::HashMap, fmt::Write};

/// The keys in a request to delete objects in bulk. `None` for other requests.
pub(super) fn keys(request: &HttpRequest) -> Option<Vec<String>> {
    let is_delete = |parameter: &str| parameter == "delete" || parameter.starts_with("delete=");
    if request.method().as_str() != "POST" || !request.uri().query()?.split('&').any(is_delete) {
        return None;
    }
    let objects = xml::elements(request.body().as_bytes()?, &["Object"])?;
    Some(objects.iter().map(|object| object.text("Key").to_owned()).collect())
}

/// The answer with one result for each of the requested `keys`.
pub(super) async fn with_all_results(answer: HttpResponse, keys: &[String]) -> Result<HttpResponse, HttpError> {
    const NOT_IMPLEMENTED: u16 = 501;
    const METHOD_NOT_ALLOWED: u16 = 405;
    let (mut head, body) = answer.into_parts();
    if head.status.as_u16() == NOT_IMPLEMENTED
        && let Ok(status) = METHOD_NOT_ALLOWED.try_into()
    {
        // The client repeats a request after every status of 500 or more. Here that is useless.
        head.status = status;
    }
    if !head.status.is_success() {
        return Ok(HttpResponse::from_parts(head, body));
    }
    let body = body.bytes().await?;
    let body = complete(&body, keys).map_or(body, Into::into);
    head.headers.remove("content-length");
    Ok(HttpResponse::from_parts(head, body.into()))
}

/// The same results, and a failure for each key without one. `None` if the answer isn't XML: the client reports it.
fn complete(answer: &[u8], keys: &[String]) -> Option<String> {
    let (mut results, mut unnamed) = (HashMap::new(), "the store's answer doesn't name the object".to_owned());
    for result in xml::elements(answer, &["Deleted", "Error"])? {
        let failure =
            (result.name == "Error").then(|| (result.text("Code").to_owned(), result.text("Message").to_owned()));
        match (result.child("Key"), failure) {
            // An object with both results isn't certainly deleted.
            (ChildText::Text(key), failure @ Some(_)) => drop(results.insert(key.to_owned(), failure)),
            (ChildText::Text(key), None) => drop(results.entry(key.to_owned()).or_insert(None)),
            (_, Some((code, message))) => unnamed = format!("{code}: {message}"),
            (_, None) => {}
        }
    }
    let mut body = String::from("<DeleteResult>");
    for key in keys {
        let shown = escape(key.as_str());
        // Writing to a String can't fail.
        let _ = match results.get(key).unwrap_or(&Some((String::new(), unnamed.clone()))) {
            None => write!(body, "<Deleted><Key>{shown}</Key></Deleted>"),
            Some((code, message)) => {
                let (code, message) = (escape(code.as_str()), escape(message.as_str()));
                write!(body, "<Error><Key>{shown}</Key><Code>{code}</Code><Message>{message}</Message></Error>")
            }
        };
    }
    Some(body + "</DeleteResult>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(answer: &str) -> String {
        let keys = ["a/1", "a&2"].map(str::to_owned);
        complete(answer.as_bytes(), &keys).expect("an answer in XML")
    }

    #[test]
    fn answer_has_one_result_for_each_key() {
        let deleted = |key| format!("<Deleted><Key>{key}</Key></Deleted>");
        let failed = |key, code, message| {
            format!("<Error><Key>{key}</Key><Code>{code}</Code><Message>{message}</Message></Error>")
        };
        let unnamed = |key| failed(key, "", "the store&apos;s answer doesn&apos;t name the object");
        let all = |first: String, second: String| format!("<DeleteResult>{first}{second}</DeleteResult>");
        let namespaced = "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
        for (answer, first, second) in [
            (
                format!(
                    "{namespaced}<Deleted><Key>a&amp;2</Key><VersionId>v</VersionId></Deleted>{}</DeleteResult>",
                    deleted("a/1")
                ),
                deleted("a/1"),
                deleted("a&amp;2"),
            ),
            (
                all(failed("a/1", "AccessDenied", "no"), deleted("a&amp;2")),
                failed("a/1", "AccessDenied", "no"),
                deleted("a&amp;2"),
            ),
            (all(deleted("a/1"), failed("a/1", "C", "m")), failed("a/1", "C", "m"), unnamed("a&amp;2")),
            (all(failed("other", "C", "m"), deleted("a/1")), deleted("a/1"), unnamed("a&amp;2")),
            ("<DeleteResult/>".to_owned(), unnamed("a/1"), unnamed("a&amp;2")),
            (
                "<Error><Code>InternalError</Code><Message>m</Message></Error>".to_owned(),
                failed("a/1", "", "InternalError: m"),
                failed("a&amp;2", "", "InternalError: m"),
            ),
        ] {
            assert_eq!(results(&answer), all(first, second), "{answer}");
        }
    }

    #[test]
    fn other_answers_are_left_to_the_client() {
        assert_eq!(complete(b"<html><body></html>", &["a".to_owned()]), None);
    }
}
