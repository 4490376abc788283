//! The form in which a store takes an ETag in `If-Match`.

use object_store::UpdateVersion;

/// How the ETag of an answer becomes the value of `If-Match`.
///
/// HTTP has the ETag in quotes in both headers (RFC 9110, sections 8.8.3 and 13.1.1). Some stores compare the value of `If-Match`
/// literally with the tag without quotes (Ceph RGW). Proxies that compress answers mark the tag as weak (`W/"…"`), and the
/// store behind them doesn't know that tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TagForm {
    /// As in the answer.
    #[default]
    AsAnswered,
    /// In quotes, and without the mark of a weak tag.
    Quoted,
    /// Without quotes.
    Unquoted,
}

impl TagForm {
    /// The forms in the order in which the check tries them.
    const ALL: [Self; 3] = [Self::AsAnswered, Self::Quoted, Self::Unquoted];

    /// The version with its ETag in this form.
    pub(crate) fn apply(self, version: &UpdateVersion) -> UpdateVersion {
        let e_tag = version.e_tag.as_deref().map(|tag| self.format(tag));
        UpdateVersion { e_tag, version: version.version.clone() }
    }

    /// The next form to try for an object of this version; `None` after the last one.
    pub(crate) fn next(self, version: &UpdateVersion) -> Option<Self> {
        let tag = version.e_tag.as_deref()?;
        let position = Self::ALL.iter().position(|form| *form == self)?;
        let (tried, rest) = Self::ALL.split_at(position + 1);
        let is_new = |form: &&Self| tried.iter().all(|earlier| earlier.format(tag) != form.format(tag));
        rest.iter().find(is_new).copied()
    }

    fn format(self, tag: &str) -> String {
        let strong = tag.strip_prefix("W/").unwrap_or(tag);
        let opaque = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(strong);
        match self {
            Self::AsAnswered => tag.to_owned(),
            Self::Quoted => format!("\"{opaque}\""),
            Self::Unquoted => opaque.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_tried_once_for_a_tag() {
        for (tag, expected) in [
            ("\"a\"", vec!["\"a\"", "a"]),
            ("a", vec!["a", "\"a\""]),
            ("W/\"a\"", vec!["W/\"a\"", "\"a\"", "a"]),
            ("\"\"", vec!["\"\"", ""]),
            ("\"", vec!["\"", "\"\"\""]),
        ] {
            let version = UpdateVersion { e_tag: Some(tag.into()), version: Some("7".into()) };
            let mut form = TagForm::default();
            let mut tried = Vec::new();
            loop {
                let sent = form.apply(&version);
                assert_eq!(sent.version.as_deref(), Some("7"));
                tried.extend(sent.e_tag);
                let Some(next) = form.next(&version) else { break };
                form = next;
            }
            assert_eq!(tried, expected, "{tag}");
        }
        assert_eq!(TagForm::default().next(&UpdateVersion { e_tag: None, version: Some("7".into()) }), None);
    }
}
