//! Parses the location of a store: a path, which may be any bytes, or a URL, which is UTF-8.

use crate::exit::{Exit, Failure, Outcome};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf, absolute},
};

/// Every character except those that a `file:` URL contains unescaped.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The schemes of the URLs of buckets.
const OBJECT_STORES: [&str; 3] = ["s3", "az", "gs"];

/// Returns the path or URL for the library, and the folder if the location is one.
pub(crate) fn parse(store: &OsStr) -> Outcome<(String, Option<PathBuf>)> {
    let Some(text) = store.to_str() else { return parse_bytes(store) };
    if text.eq_ignore_ascii_case("memory:") {
        return Err(Failure::new(Exit::Usage, "open (memory:): a memory store exists only within one process")
            .with_help("give a folder, or the URL of an object store"));
    }
    if is_on_another_machine(text) {
        let what = format!("open ({text}): this looks like a path on another machine, or a URL without its colon");
        return Err(Failure::new(Exit::Usage, what).with_help(format!(
            "the URL of a bucket begins with s3://, az:// or gs://; for a folder of that name, write ./{text}"
        )));
    }
    let folder = match scheme(store) {
        None => Some(resolved(Path::new(store))),
        // The library decodes the URL in the same way, or refuses it.
        Some(scheme) if scheme.eq_ignore_ascii_case(b"file") => {
            let path = &text[scheme.len() + 1..];
            let path = path.strip_prefix("//localhost/").unwrap_or_else(|| path.trim_start_matches('/'));
            let bytes = percent_decode_str(path).collect();
            Some(Path::new("/").join(OsString::from_vec(bytes)))
        }
        Some(_) => None,
    };
    Ok((text.into(), folder))
}

/// Converts a path that isn't UTF-8 to the URL of the same folder.
fn parse_bytes(path: &OsStr) -> Outcome<(String, Option<PathBuf>)> {
    if scheme(path).is_some() {
        let what = format!("open ({}): a URL must be UTF-8", path.to_string_lossy());
        return Err(Failure::new(Exit::Usage, what)
            .with_help("escape other bytes (%E9 for the byte E9); if it is a path, write ./ before it"));
    }
    let folder = resolved(Path::new(path));
    let url = format!("file://{}", percent_encode(folder.as_os_str().as_bytes(), ENCODED));
    Ok((url, Some(folder)))
}

/// The absolute path, by the current working directory.
fn resolved(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.into())
}

/// The scheme of a URL; `None` for a path. The library uses the same rule.
fn scheme(store: &OsStr) -> Option<&[u8]> {
    let bytes = store.as_bytes();
    let scheme = &bytes[..bytes.iter().position(|byte| *byte == b':')?];
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    is_scheme.then_some(scheme)
}

/// Whether `url` is the URL of a bucket.
pub(crate) fn is_object_store(url: &str) -> bool {
    let is = |scheme: &[u8]| OBJECT_STORES.iter().any(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
    scheme(url.as_ref()).is_some_and(is)
}

/// Whether this is an `scp` location (`user@host:/path`) or a URL without its colon. Such a path would silently become a local
/// folder instead of a copy on another machine.
fn is_on_another_machine(store: &str) -> bool {
    let first = store.split('/').next().unwrap_or_default();
    first.split_once(':').is_some_and(|(host, _)| host.contains('@'))
        || OBJECT_STORES.iter().any(|scheme| store.strip_prefix(scheme).is_some_and(|rest| rest.starts_with("//")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(store: &[u8]) -> Option<PathBuf> {
        parse(OsStr::from_bytes(store)).expect("a location").1
    }

    #[test]
    fn bucket_is_recognized_by_its_scheme() {
        for url in ["s3://bucket/app", "S3://bucket", "az://container/app", "gs:bucket"] {
            assert!(is_object_store(url), "{url}");
        }
        for other in ["/srv/s3:", "s3", "s3//bucket", "file:///srv/s3", "ftp://host/app", "./s3://bucket"] {
            assert!(!is_object_store(other), "{other}");
        }
    }

    #[test]
    fn path_and_file_url_name_the_same_folder() {
        let latin = PathBuf::from(OsString::from_vec(b"/srv/caf\xe9 1".to_vec()));
        assert_eq!(folder(b"/srv/caf\xe9 1").as_ref(), Some(&latin));
        for url in ["file:///srv/caf%E9%201", "file:/srv/caf%E9%201", "FILE://localhost/srv/caf%E9%201"] {
            assert_eq!(folder(url.as_bytes()).as_ref(), Some(&latin), "{url}");
        }
        assert_eq!(parse(latin.as_os_str()).expect("a path").0, "file:///srv/caf%E9%201");
        assert_eq!(folder(b"s3://bucket/app"), None);
        assert!(parse(OsStr::from_bytes(b"s3://bucket/caf\xe9")).is_err());
    }
}
