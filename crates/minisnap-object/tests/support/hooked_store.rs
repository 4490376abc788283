//! A client that refuses requests, or loses an answer: for the hooks of the conformance suite.

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use minisnap_object::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What a client does in place of its requests.
#[derive(Debug)]
enum Mode {
    /// No server listens.
    Unreachable,
    /// The credentials permit reads only.
    ReadOnly,
    /// The answer to the next replacement of the commit record is lost, if this is true.
    LosesAnswer(AtomicBool),
}

/// A client around another one.
#[derive(Debug)]
pub(crate) struct HookedStore {
    inner: Arc<dyn ObjectStore>,
    mode: Mode,
}

impl HookedStore {
    /// A client that reaches no server.
    pub(crate) fn unreachable(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self { inner, mode: Mode::Unreachable })
    }

    /// A client that may not write.
    pub(crate) fn read_only(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self { inner, mode: Mode::ReadOnly })
    }

    /// A client that loses the answer to the next replacement of a commit record.
    pub(crate) fn losing_an_answer(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self { inner, mode: Mode::LosesAnswer(AtomicBool::new(true)) })
    }

    fn check_read(&self) -> Result<()> {
        match self.mode {
            Mode::Unreachable => Err(no_answer("connection refused")),
            Mode::ReadOnly | Mode::LosesAnswer(_) => Ok(()),
        }
    }

    fn check_write(&self, path: &Path) -> Result<()> {
        match self.mode {
            Mode::ReadOnly => Err(denied(path)),
            _ => self.check_read(),
        }
    }

    /// Whether the answer to this put is lost.
    fn loses_answer(&self, path: &Path, options: &PutOptions) -> bool {
        let replaces_record = path.as_ref().ends_with("/current") && matches!(options.mode, PutMode::Update(_));
        matches!(&self.mode, Mode::LosesAnswer(armed) if replaces_record && armed.load(Ordering::SeqCst))
    }
}

fn no_answer(reason: &'static str) -> Error {
    Error::Generic { store: "HookedStore", source: std::io::Error::other(reason).into() }
}

fn denied(path: &Path) -> Error {
    Error::PermissionDenied { path: path.to_string(), source: "the credentials permit reads only".into() }
}

impl fmt::Display for HookedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

#[minisnap_core::async_trait]
impl ObjectStore for HookedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.check_write(location)?;
        let is_lost = self.loses_answer(location, &opts);
        let put = self.inner.put_opts(location, payload, opts).await?;
        match &self.mode {
            Mode::LosesAnswer(armed) if is_lost && armed.swap(false, Ordering::SeqCst) => {
                Err(no_answer("connection reset"))
            }
            _ => Ok(put),
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.check_write(location)?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check_read()?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.mode {
            Mode::Unreachable => locations.map(|_| Err(no_answer("connection refused"))).boxed(),
            Mode::ReadOnly => locations.map(|path| path.and_then(|path| Err(denied(&path)))).boxed(),
            Mode::LosesAnswer(_) => self.inner.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check_read() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check_read()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check_write(to)?;
        self.inner.copy_opts(from, to, options).await
    }
}
