//! The environment variables that `open` reads. They are a parameter, so that tests need no process of their own.

use std::collections::BTreeMap;

/// A copy of environment variables. Those that aren't Unicode are left out, as the crate `object_store` does.
#[derive(Default)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub(super) fn of_process() -> Self {
        let variables = std::env::vars_os();
        Self(
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect(),
        )
    }

    /// The value without the white space around it. An empty variable counts as unset, as in the providers' SDKs.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The value as it is, for variables that the client reads by itself.
    pub(super) fn unchanged(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the variable is set to a word for `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(is_true)
    }

    /// The set variables whose names have this prefix, with their values as `get` returns them.
    pub(super) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let names = self.0.keys().filter(move |name| name.starts_with(prefix));
        names.filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }
}

/// Whether a setting's text means `true`, as the client parses it.
pub(super) fn is_true(text: &str) -> bool {
    ["true", "1", "yes", "y", "on"].contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
impl From<&[(&str, &str)]> for Environment {
    fn from(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|&(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_is_trimmed_and_unset_when_blank() {
        let environment = Environment::from(&[("AWS_REGION", " eu\r\n"), ("AWS_TOKEN", " \n"), ("OTHER", "x")][..]);
        assert_eq!(environment.get("AWS_REGION"), Some("eu"));
        assert_eq!(environment.unchanged("AWS_REGION"), Some(" eu\r\n"));
        assert_eq!(environment.with_prefix("AWS_").collect::<Vec<_>>(), [("AWS_REGION", "eu")]);
    }
}
