//! What a store's place is, as it was given: a path, whose bytes are taken as they are, or a URL, which is text.

use crate::exit::{Exit, Failure, Outcome};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf, absolute},
};

/// What a path in a `file:` URL has as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The schemes of the URLs of buckets.
const OBJECT_STORES: [&str; 3] = ["s3", "az", "gs"];

/// What the library opens, and the folder, if it is one.
pub(crate) fn of(store: &OsStr) -> Outcome<(String, Option<PathBuf>)> {
    let Some(text) = store.to_str() else { return of_bytes(store) };
    if text.eq_ignore_ascii_case("memory:") {
        return Err(Failure::new(Exit::Usage, "open (memory:): such a store is within one process")
            .advice("give a folder, or the URL of an object store"));
    }
    if is_on_another_machine(text) {
        let what = format!("open ({text}): this looks like a location on another machine, or a URL without its colon");
        return Err(Failure::new(Exit::Usage, what).advice(format!(
            "the URL of a bucket begins with s3://, az:// or gs://; a folder of that name is ./{text}"
        )));
    }
    let folder = match scheme(store) {
        None => Some(resolved(Path::new(store))),
        // The library has decoded the same, unless it refuses the URL.
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

/// A path that isn't UTF-8, as the URL of the same folder.
fn of_bytes(path: &OsStr) -> Outcome<(String, Option<PathBuf>)> {
    if scheme(path).is_some() {
        let what = format!("open ({}): a URL must be UTF-8", path.to_string_lossy());
        return Err(Failure::new(Exit::Usage, what)
            .advice("write %E9 for a byte E9, and so on; if it is a path, write ./ before it"));
    }
    let folder = resolved(Path::new(path));
    let url = format!("file://{}", percent_encode(folder.as_os_str().as_bytes(), ENCODED));
    Ok((url, Some(folder)))
}

/// An absolute path, of the working directory as it is now.
fn resolved(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.into())
}

/// A URL's scheme, as the library tells a URL from a path.
fn scheme(store: &OsStr) -> Option<&[u8]> {
    let bytes = store.as_bytes();
    let scheme = &bytes[..bytes.iter().position(|byte| *byte == b':')?];
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    is_scheme.then_some(scheme)
}

/// Whether it is the URL of a bucket.
pub(crate) fn is_object_store(url: &str) -> bool {
    let is = |scheme: &[u8]| OBJECT_STORES.iter().any(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
    scheme(url.as_ref()).is_some_and(is)
}

/// Whether somebody means `scp`'s `user@host:/path`, or forgot the colon of a URL. It would be a local folder, and no copy on
/// another machine.
fn is_on_another_machine(store: &str) -> bool {
    let first = store.split('/').next().unwrap_or_default();
    first.split_once(':').is_some_and(|(host, _)| host.contains('@'))
        || OBJECT_STORES.iter().any(|scheme| store.strip_prefix(scheme).is_some_and(|rest| rest.starts_with("//")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(store: &[u8]) -> Option<PathBuf> {
        of(OsStr::from_bytes(store)).expect("it can be opened").1
    }

    #[test]
    fn bucket_is_told_from_a_path_by_its_scheme() {
        for url in ["s3://bucket/app", "S3://bucket", "az://container/app", "gs:bucket"] {
            assert!(is_object_store(url), "{url}");
        }
        for other in ["/srv/s3:", "s3", "s3//bucket", "file:///srv/s3", "ftp://host/app", "./s3://bucket"] {
            assert!(!is_object_store(other), "{other}");
        }
    }

    #[test]
    fn a_folder_is_the_same_by_path_and_by_url() {
        let latin = PathBuf::from(OsString::from_vec(b"/srv/caf\xe9 1".to_vec()));
        assert_eq!(folder(b"/srv/caf\xe9 1").as_ref(), Some(&latin));
        for url in ["file:///srv/caf%E9%201", "file:/srv/caf%E9%201", "FILE://localhost/srv/caf%E9%201"] {
            assert_eq!(folder(url.as_bytes()).as_ref(), Some(&latin), "{url}");
        }
        assert_eq!(of(latin.as_os_str()).expect("a path").0, "file:///srv/caf%E9%201");
        assert_eq!(folder(b"s3://bucket/app"), None);
        assert!(of(OsStr::from_bytes(b"s3://bucket/caf\xe9")).is_err());
    }
}
