//! Certificates that the client trusts in addition to the system's.

use super::{ParsedUrl, invalid_with_help, settings::Setting};
use minisnap_core::Result;
use object_store::Certificate;
use std::fmt::Display;

impl ParsedUrl<'_> {
    /// The certificates in the PEM file that the setting names.
    pub(super) fn read_certificates(&self, setting: &Setting) -> Result<Vec<Certificate>> {
        let Setting { name, value: path, .. } = setting;
        let invalid = |problem: &dyn Display| {
            let help = format!("set `{name}` to a file that contains certificates as PEM");
            invalid_with_help(self.url, format_args!("the file of `{name}` {problem}: {path}"), help)
        };
        let pem = std::fs::read(path).map_err(|error| invalid(&format_args!("can't be read ({error})")))?;
        match Certificate::from_pem_bundle(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(invalid(&"contains no valid certificate")),
        }
    }
}
