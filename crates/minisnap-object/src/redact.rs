//! Errors of a store, without the secrets that they may quote.

use object_store::Error;
use std::{error::Error as StdError, fmt, io, iter::successors};

/// The source of a `MiniSnapError`.
pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// An error of an `object_store` client, redacted, with all its causes.
///
/// A store may quote the request and its tokens in the answer. So of an answer in XML, only the code and the message are shown.
/// A cause is left out if the text before it has it already.
#[derive(Debug)]
pub(crate) struct StoreError {
    text: String,
    cause: Option<Box<StoreError>>,
}

impl From<&Error> for StoreError {
    fn from(error: &Error) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in causes(error) {
            let text = cause.to_string();
            if !texts.last().is_some_and(|last| last.contains(&text)) {
                texts.push(text);
            }
        }
        let chain = texts.iter().rev().fold(None, |cause, text| Some(Box::new(Self { text: redacted(text), cause })));
        // There is at least the error itself.
        chain.map_or_else(|| Self { text: String::new(), cause: None }, |first| *first)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// An error and its causes. An `io::Error` that wraps another error doesn't name it as its source.
pub(crate) fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|wrapped| wrapped as _).or_else(|| error.source())
    })
}

/// The text of an element of an answer in XML.
pub(crate) fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(text, _)| text)
}

fn redacted(text: &str) -> String {
    let Some(start) = text.find('<') else { return text.to_owned() };
    let (before, body) = text.split_at(start);
    let fields: Vec<_> = ["Code", "Message"].iter().filter_map(|field| element(body, field)).collect();
    match fields.is_empty() {
        true => format!("{before}(the answer is not shown)"),
        false => format!("{before}{}", fields.join(": ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        StoreError::from(&Error::Generic { store: "S3", source: text.into() }).to_string()
    }

    #[test]
    fn only_code_and_message_of_an_answer_are_shown() {
        let body = "status 400: <?xml version=\"1.0\"?>\n<Error><Code>ExpiredToken</Code><Message>The provided token has \
                    expired.</Message><Token-0>s3cr3t</Token-0></Error>";
        assert_eq!(shown(body), "Generic S3 error: status 400: ExpiredToken: The provided token has expired.");
        assert_eq!(shown("404: <html>s3cr3t</html>"), "Generic S3 error: 404: (the answer is not shown)");
        assert_eq!(shown("connection refused"), "Generic S3 error: connection refused");
    }

    /// An error whose text has nothing of its cause.
    #[derive(Debug)]
    struct Outer(io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the request failed: <a>s3cr3t</a>")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn each_cause_is_shown_once_and_redacted() {
        let inner = Outer(io::Error::other("the medium broke <b>s3cr3t</b>"));
        let error = Error::Generic { store: "S3", source: Box::new(Outer(io::Error::other(inner))) };
        let error = StoreError::from(&error);
        let shown: Vec<_> = causes(&error).map(ToString::to_string).collect();
        let hidden = "(the answer is not shown)";
        assert_eq!(
            shown,
            [format!("Generic S3 error: the request failed: {hidden}"), format!("the medium broke {hidden}")]
        );
    }
}
