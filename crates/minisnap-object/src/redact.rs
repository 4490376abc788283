//! What a store said, less what may be secret in it.

use object_store::Error;
use std::fmt;

/// Why something failed, in an error of ours.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// What a client of the crate `object_store` reports, fit to be shown. Stores quote requests in their answers, with tokens
/// and all, so of an answer in XML only its code and message stay.
#[derive(Debug)]
pub(crate) struct StoreError(String);

impl From<&Error> for StoreError {
    fn from(error: &Error) -> Self {
        let said = error.to_string();
        let Some((before, body)) = said.split_once('<') else { return Self(said) };
        let fields: Vec<_> = ["Code", "Message"].iter().filter_map(|field| element(body, field)).collect();
        Self(match fields.is_empty() {
            true => format!("{before}(an answer that isn't shown)"),
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

    fn shown(said: &str) -> String {
        StoreError::from(&Error::Generic { store: "S3", source: said.into() }).to_string()
    }

    #[test]
    fn of_an_answer_only_code_and_message_are_shown() {
        let body = "status 400: <?xml version=\"1.0\"?>\n<Error><Code>ExpiredToken</Code><Message>The provided token has \
                    expired.</Message><Token-0>s3cr3t</Token-0></Error>";
        assert_eq!(shown(body), "Generic S3 error: status 400: ExpiredToken: The provided token has expired.");
        assert_eq!(shown("404: <html>s3cr3t</html>"), "Generic S3 error: 404: (an answer that isn't shown)");
        assert_eq!(shown("connection refused"), "Generic S3 error: connection refused");
    }
}
