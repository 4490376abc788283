//! Errors of a store, without the secrets that they may quote.

use object_store::Error;
use std::fmt;

/// The source of a `MiniSnapError`.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of an `object_store` client, redacted. A store may quote the request and its tokens in the answer. So of an
/// answer in XML, only the code and the message are shown.
#[derive(Debug)]
pub(crate) struct StoreError(String);

impl From<&Error> for StoreError {
    fn from(error: &Error) -> Self {
        let text = error.to_string();
        let Some((before, body)) = text.split_once('<') else { return Self(text) };
        let fields: Vec<_> = ["Code", "Message"].iter().filter_map(|field| element(body, field)).collect();
        Self(match fields.is_empty() {
            true => format!("{before}(the answer is not shown)"),
            false => format!("{before}{}", fields.join(": ")),
        })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("{name}>"))?;
    rest.split_once("</").map(|(text, _)| text)
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
}
