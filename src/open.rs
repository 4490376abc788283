//! Opens a store by its path or URL.

use crate::{AnyBackend, ErrorContext, MiniSnapError, Operation, Result, SnapStore, SnapshotBackend};
use std::{fmt::Display, num::NonZeroUsize};

/// Opens the store at a path or URL. This doesn't access the store, so the location need not exist.
///
/// Use it if the location is configuration. If the backend is fixed, use [`SnapStore::new`] or [`SnapStore::with_backend`], where the
/// compiler checks it.
///
/// | URL | backend | cargo feature |
/// |---|---|---|
/// | a path, `file:` | `FsBackend` | `fs` (default) |
/// | `memory:` | `mem::MemBackend`, a new and empty one | `mem` |
/// | `s3://bucket/prefix` | `object::ObjectBackend`: Amazon S3 and compatible stores | `aws` |
/// | `az://container/prefix` | `object::ObjectBackend`: Azure Blob Storage | `azure` |
/// | `gs://bucket/prefix` | `object::ObjectBackend`: Google Cloud Storage | `gcp` |
///
/// Credentials, endpoint and region of an object store come from the environment, in the variables of the provider's SDKs, or from
/// [options](open_with). With the feature `aws-profile`, those of S3 come also from the profiles in `~/.aws`.
///
/// A `file:` URL is percent-decoded (`%20` is a space), a path isn't. A path with a colon in its first part looks like a URL: write
/// `./a:b`.
///
/// # Errors
///
/// [`InvalidUrl`](MiniSnapError::InvalidUrl): the URL is invalid, or its backend isn't compiled in. The error names the feature.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> minisnap::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let url = format!("file://{}/my%20state", folder.path().display());
/// let store = minisnap::open(&url)?; // file:///var/lib/app/my%20state
/// store.create("a state", 1).await?;
/// # assert!(folder.path().join("my state/snapshot.json").exists());
/// # Ok(())
/// # }
/// ```
pub fn open(url: &str) -> Result<SnapStore<AnyBackend>> {
    open_with(url, std::iter::empty::<(&str, &str)>())
}

/// Opens a store like [`open`], with options.
///
/// | URL | option | value |
/// |---|---|---|
/// | any | `retain` | how many generations to retain, at least 1: see [`SnapStore::retain`] |
/// | a path, `file:` | `busy_timeout` | seconds to wait for other writers, such as `2.5` |
/// | `s3:`, `az:`, `gs:` | `grace_time`, `part_size`, `endpoint_url`… | those of `object::ObjectBackend::open` |
///
/// # Errors
///
/// [`InvalidUrl`](MiniSnapError::InvalidUrl): the URL is invalid, the backend has no such option, or the value of an option is
/// invalid.
///
/// # Examples
///
/// ```
/// # fn main() -> minisnap::Result<()> {
/// let store = minisnap::open_with("/var/lib/app", [("retain", "5"), ("busy_timeout", "2.5")])?;
/// # Ok(()) }
/// ```
pub fn open_with<K: AsRef<str>, V: AsRef<str>>(
    url: &str,
    options: impl IntoIterator<Item = (K, V)>,
) -> Result<SnapStore<AnyBackend>> {
    let options: Vec<_> = options.into_iter().collect();
    let options = options.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
    let (store_options, options): (Vec<_>, Vec<_>) = options.partition(|(key, _)| *key == "retain");
    let retain = store_options.last().map(|(_, value)| retention(url, value)).transpose()?;
    backend(url, &options).map(|backend| store(backend, retain))
}

fn backend(url: &str, options: &[(&str, &str)]) -> Result<AnyBackend> {
    match split_scheme(url) {
        None => file(url, url.into(), options),
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "file" => file(url, path_of_file_url(url, rest)?, options),
            "memory" => memory(url, rest, options),
            "s3" => object(url, "aws", options),
            "az" => object(url, "azure", options),
            "gs" => object(url, "gcp", options),
            scheme => {
                let reason = format!("there is no backend for {scheme}:");
                Err(advised(url, &reason, "if it is a path, write ./ before it"))
            }
        },
    }
}

fn store<B: SnapshotBackend>(backend: B, retain: Option<NonZeroUsize>) -> SnapStore<B> {
    let store = SnapStore::with_backend(backend);
    match retain {
        Some(generations) => store.retain(generations.get()),
        None => store,
    }
}

fn retention(url: &str, value: &str) -> Result<NonZeroUsize> {
    value
        .trim()
        .parse()
        .map_err(|_| invalid(url, format_args!("the option retain takes a number of at least 1, not `{value}`")))
}

/// Splits a URL at the colon after its scheme; `None` for a path.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some((scheme, rest))
}

fn path_of_file_url(url: &str, rest: &str) -> Result<std::path::PathBuf> {
    use std::{ffi::OsString, path::PathBuf};
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").filter(|rest| rest.starts_with('/')).unwrap_or(rest),
        None => rest,
    };
    if !path.starts_with('/') {
        return Err(advised(
            url,
            "a file: URL needs an absolute path, on this machine",
            "write file:///var/lib/app/state",
        ));
    }
    if path.contains(['?', '#']) {
        return Err(advised(url, "a file: URL has no query and no fragment", "write %3F for ? and %23 for #"));
    }
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    if bytes.contains(&0) {
        return Err(invalid(url, "a path can't have a NUL byte"));
    }
    #[cfg(unix)]
    return Ok(PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)));
    #[cfg(not(unix))]
    return match String::from_utf8(bytes) {
        Ok(path) => Ok(PathBuf::from(OsString::from(path))),
        Err(_) => Err(invalid(url, "the path is not UTF-8")),
    };
}

#[cfg(all(feature = "fs", unix))]
fn file(url: &str, path: std::path::PathBuf, options: &[(&str, &str)]) -> Result<AnyBackend> {
    if path.as_os_str().is_empty() {
        return Err(advised(url, "the path is empty", "for the current folder, write ."));
    }
    let mut backend = crate::FsBackend::new(path);
    for (option, value) in options {
        match *option {
            "busy_timeout" => {
                let seconds =
                    value.parse().ok().and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
                let timeout =
                    seconds.ok_or_else(|| invalid(url, "the option busy_timeout takes a number of seconds"))?;
                backend = backend.with_busy_timeout(timeout);
            }
            option => return Err(unknown_option(url, option, "busy_timeout")),
        }
    }
    Ok(AnyBackend::Fs(backend))
}

#[cfg(all(not(feature = "fs"), unix))]
fn file(url: &str, _path: std::path::PathBuf, _options: &[(&str, &str)]) -> Result<AnyBackend> {
    Err(not_compiled_in(url, "fs"))
}

#[cfg(not(unix))]
fn file(url: &str, _path: std::path::PathBuf, _options: &[(&str, &str)]) -> Result<AnyBackend> {
    Err(advised(url, "a folder needs a platform with POSIX links and flock", "use an object store or another backend"))
}

#[cfg(feature = "mem")]
fn memory(url: &str, rest: &str, options: &[(&str, &str)]) -> Result<AnyBackend> {
    if !rest.is_empty() {
        let reason = "`memory:` takes no name, because each opens a new store";
        return Err(advised(url, reason, "to share a MemBackend, clone it"));
    }
    match options {
        [] => Ok(AnyBackend::Mem(crate::mem::MemBackend::new())),
        [(option, _), ..] => Err(unknown_option(url, option, "none")),
    }
}

#[cfg(not(feature = "mem"))]
fn memory(url: &str, _rest: &str, _options: &[(&str, &str)]) -> Result<AnyBackend> {
    Err(not_compiled_in(url, "mem"))
}

#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
fn object(url: &str, _feature: &str, options: &[(&str, &str)]) -> Result<AnyBackend> {
    crate::object::ObjectBackend::open(url, options.iter().copied()).map(AnyBackend::Object)
}

#[cfg(not(any(feature = "aws", feature = "azure", feature = "gcp")))]
fn object(url: &str, feature: &str, _options: &[(&str, &str)]) -> Result<AnyBackend> {
    Err(not_compiled_in(url, feature))
}

#[cfg(not(all(
    any(feature = "fs", not(unix)),
    feature = "mem",
    any(feature = "aws", feature = "azure", feature = "gcp")
)))]
fn not_compiled_in(url: &str, feature: &str) -> MiniSnapError {
    advised(url, "the backend of this URL isn't compiled in", &format!("give minisnap the cargo feature `{feature}`"))
}

#[cfg(any(all(feature = "fs", unix), feature = "mem"))]
fn unknown_option(url: &str, option: &str, known: &str) -> MiniSnapError {
    invalid(url, format_args!("the backend has no option `{option}`; its options: {known}"))
}

fn invalid(url: &str, reason: impl Display) -> MiniSnapError {
    let at = ErrorContext::of_url(Operation::Open, url);
    MiniSnapError::InvalidUrl { at, reason: reason.to_string(), help: None }
}

fn advised(url: &str, reason: &str, help: &str) -> MiniSnapError {
    let at = ErrorContext::of_url(Operation::Open, url);
    MiniSnapError::InvalidUrl { at, reason: reason.into(), help: Some(help.into()) }
}
