//! The store as one process sees it through a faulty network: requests are late, overtake each other, get lost, or arrive
//! twice. They may arrive long after their sender has given up, and fail before or after they took effect. A sender may be
//! killed.
//!
//! The store never reports success for a request that took no effect. It refuses a request only if its condition doesn't hold,
//! or because of a concurrent request.

use super::{
    client::Process,
    faults::{self, KillPoint},
    faulty_upload::FaultyUpload,
    invariants::digest_without_times,
    simulation::{Simulation, short_name},
    violation::Kind,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UpdateVersion, path::Path,
};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

#[derive(Debug, Clone)]
pub(super) struct FaultyStore {
    pub(super) sim: Arc<Simulation>,
    pub(super) process: Arc<Process>,
    /// The handle's grace time. Listings show ages relative to it, by the virtual clock.
    pub(super) grace_time: Duration,
    /// By which factor uploads are slower than other requests.
    pub(super) slowness: u64,
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (sim, path, bytes) = (self.sim.clone(), location.clone(), Bytes::from(payload));
        sim.check_request(location, &bytes);
        let request = Request {
            verb: "PUT",
            path: location,
            conditional: !matches!(options.mode, PutMode::Overwrite),
            detail: describe(&options.mode, location, &bytes),
            of_json: location.as_ref().ends_with(".json"),
        };
        self.send(request, move || sim.put(&path, &bytes, &options.mode)).await
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.send(Request::new("create upload of", location), || Ok(())).await?;
        Ok(Box::new(FaultyUpload::new(self.clone(), location.clone())))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (sim, path) = (self.sim.clone(), location.clone());
        let mut found = self.send(Request::new("GET", location), move || sim.get(&path, &options)).await?;
        if self.sim.draw_truncation() {
            self.sim.note(|| format!("{}: the answer is truncated", self.process.name));
            let lost = Err(Error::Generic { store: "network", source: "the connection broke".into() });
            found.payload = GetResultPayload::Stream(stream::iter([lost]).boxed());
        }
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let (sim, path) = (store.sim.clone(), location?);
                let target = path.clone();
                store.send(Request::new("DELETE", &path), move || sim.delete(&target)).await.map(|()| path)
            }
        };
        locations.map(delete).buffered(3).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let pages = stream::try_unfold(Some(Path::default()), move |after| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let (sim, grace_time, path) = (store.sim.clone(), store.grace_time, prefix.clone());
                let page =
                    store.send(Request::new("LIST", &prefix), move || sim.page(&path, &after, grace_time)).await?;
                let more = page.len() == store.sim.profile.page;
                let next = page.last().filter(|_| more).map(|meta| meta.location.clone());
                Ok::<_, Error>(Some((stream::iter(page.into_iter().map(Ok)), next)))
            }
        });
        pages.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Error::NotImplemented { operation: "list_with_delimiter".into(), implementer: "faulty store".into() })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, _: CopyOptions) -> Result<()> {
        let (sim, from, path) = (self.sim.clone(), from.clone(), to.clone());
        self.send(Request::new("COPY to", to), move || sim.start_copy(&from, &path)).await
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

/// The properties of a request on which its outcome depends.
pub(super) struct Request<'a> {
    pub(super) verb: &'static str,
    pub(super) path: &'a Path,
    pub(super) conditional: bool,
    pub(super) detail: String,
    pub(super) of_json: bool,
}

impl<'a> Request<'a> {
    pub(super) fn new(verb: &'static str, path: &'a Path) -> Self {
        Self { verb, path, conditional: false, detail: String::new(), of_json: false }
    }
}

/// The effects of requests, at the moment when they reach the store.
impl Simulation {
    fn put(&self, path: &Path, bytes: &Bytes, mode: &PutMode) -> Result<PutResult> {
        let mode = match mode {
            PutMode::Update(expected) if self.profile.tags_are_digests => {
                PutMode::Update(self.real_tag(path, expected)?)
            }
            mode => mode.clone(),
        };
        self.refuse_late_first_record(path, &mode)?;
        let put = ready_answer(self.store.put_opts(path, bytes.clone().into(), mode.into()))?;
        self.check_write(path, bytes);
        Ok(PutResult { e_tag: self.tag(bytes, put.e_tag), ..put })
    }

    pub(super) fn overwrite(&self, path: &Path, bytes: &Bytes) -> Result<PutResult> {
        self.put(path, bytes, &PutMode::Overwrite)
    }

    fn get(&self, path: &Path, options: &GetOptions) -> Result<GetResult> {
        let mut found = ready_answer(self.store.get_opts(path, options.clone()))?;
        if let Some(bytes) = self.object(path) {
            found.meta.e_tag = self.tag(&bytes, found.meta.e_tag);
        }
        Ok(found)
    }

    fn delete(&self, path: &Path) -> Result<()> {
        if self.object(path).is_none() {
            let missing = Error::NotFound { path: path.to_string(), source: "no such object".into() };
            return if self.profile.missing_is_not_found { Err(missing) } else { Ok(()) };
        }
        ready_answer(self.store.delete(path))?;
        self.check_delete(path);
        Ok(())
    }

    /// Copies now, or answers now and copies later.
    fn start_copy(self: &Arc<Self>, from: &Path, to: &Path) -> Result<()> {
        let Some(bytes) = self.object(from) else {
            return Err(Error::NotFound { path: from.to_string(), source: "no such object".into() });
        };
        if !self.profile.copies_later {
            return self.overwrite(to, &bytes).map(drop);
        }
        let (sim, to, after) = (self.clone(), to.clone(), self.state().rng.below(30));
        tokio::spawn(async move {
            faults::delay(after).await;
            sim.note(|| "the store completes a copy".into());
            sim.overwrite(&to, &bytes)
        });
        Ok(())
    }

    /// The next page of a listing. An object is shown as very old if it is older than the grace time by the virtual clock,
    /// else as written in the future.
    fn page(&self, prefix: &Path, after: &Path, grace_time: Duration) -> Result<Vec<ObjectMeta>> {
        let next = self.store.list_with_offset(Some(prefix), after).take(self.profile.page).try_collect();
        let mut page: Vec<ObjectMeta> = ready_answer(next)?;
        let (elapsed, state) = (self.elapsed(), self.state());
        for meta in &mut page {
            let old = state.store_log.age(&meta.location, elapsed) >= grace_time;
            let future = Duration::from_secs(1_000_000_000);
            meta.last_modified = if old { SystemTime::UNIX_EPOCH } else { SystemTime::now() + future }.into();
        }
        Ok(page)
    }

    /// The etag that the store shows.
    fn tag(&self, bytes: &Bytes, counter: Option<String>) -> Option<String> {
        if !self.profile.tags_are_digests {
            return counter;
        }
        Some(digest_without_times(bytes).to_string())
    }

    /// The etag of the store in memory, if the expected etag is the shown one.
    fn real_tag(&self, path: &Path, expected: &UpdateVersion) -> Result<UpdateVersion> {
        let refused = |why: &str| Error::Precondition { path: path.to_string(), source: why.into() };
        let bytes = self.object(path).ok_or_else(|| refused("there is no such object"))?;
        if self.tag(&bytes, None) != expected.e_tag {
            return Err(refused("it has a different etag"));
        }
        let found = ready_answer(self.store.head(path))?;
        Ok(UpdateVersion { e_tag: found.e_tag, version: None })
    }

    /// Checks a request when it is sent. A writer that has returned must not send a record.
    fn check_request(&self, path: &Path, bytes: &Bytes) {
        if *path == self.layout.current() {
            self.check_replacement(bytes);
        } else {
            self.count_upload(bytes);
        }
    }

    pub(super) fn count_upload(&self, bytes: &Bytes) {
        if let Some(number) = self.attempt_of(bytes) {
            self.state().attempts[number].uploads += 1;
        }
    }

    /// Checks that the commit of the generation that a new record makes current has not ended.
    fn check_replacement(&self, text: &Bytes) {
        let Ok(record) = crate::record::Record::parse(text) else { return };
        let Some(name) = record.current().map(|current| current.name().to_owned()) else { return };
        if self.state().store_log.order.contains_key(&name) {
            return;
        }
        let number = self.object(&self.layout.json(&name)).and_then(|json| self.attempt_of(&json));
        let has_ended = number.is_some_and(|number| self.state().attempts[number].ended.is_some());
        if has_ended {
            let found = format!("{} was sent after its commit had ended", short_name(&name));
            self.violation(Kind::SentAfterReturn, found);
        }
    }
}

/// The answer of the store in memory, which is always ready.
pub(super) fn ready_answer<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let not_ready = || Err(Error::Generic { store: "memory", source: "the store in memory isn't ready".into() });
    answer.now_or_never().unwrap_or_else(not_ready)
}

fn describe(mode: &PutMode, path: &Path, bytes: &Bytes) -> String {
    let condition = match mode {
        PutMode::Overwrite => String::new(),
        PutMode::Create => " if missing".into(),
        PutMode::Update(version) => format!(" if the etag is {}", version.e_tag.as_deref().unwrap_or("?")),
    };
    match crate::record::Record::parse(bytes) {
        Ok(record) if path.as_ref().ends_with("current") => {
            let retained: Vec<_> = record.retained().map(|retained| short_name(retained.name())).collect();
            format!("{condition}: {} commits, {} collections, {retained:?}", record.commits, record.collections)
        }
        _ => condition,
    }
}

impl FaultyStore {
    /// Sends a request. `apply` is its effect, at each arrival at the store. A dropped request may still arrive.
    pub(super) async fn send<T: 'static + Send>(
        &self,
        request: Request<'_>,
        apply: impl FnMut() -> Result<T> + 'static + Send,
    ) -> Result<T> {
        if self.process.is_killed() {
            future::pending::<()>().await;
        }
        let outcome = self.draw_outcome(&request);
        let number = outcome.number;
        let path = request.path.as_ref().strip_prefix("app/snapshots/").unwrap_or_default().to_owned();
        self.sim.note(|| {
            let path = path.split_once('/').map_or(path.clone(), |(name, file)| format!("{}/{file}", short_name(name)));
            format!("{} #{number} {} {path}{}  ({})", self.process.name, request.verb, request.detail, outcome.fault)
        });
        let (answer, answered) = tokio::sync::oneshot::channel();
        if outcome.kill != Some(KillPoint::BeforeSend) {
            tokio::spawn(faults::deliver(self.sim.clone(), outcome.delivery, apply, answer));
        }
        if outcome.kill.is_some() {
            self.sim.note(|| format!("{} is killed", self.process.name));
            self.process.kill();
            future::pending::<()>().await;
        }
        match outcome.error {
            None => match answered.await {
                Ok(answer) => answer,
                Err(_) => future::pending().await,
            },
            Some((error, after)) => {
                faults::delay(after).await;
                self.sim.note(|| format!("{} #{number} gets {error:?}", self.process.name));
                Err(error.into_error(request.path))
            }
        }
    }
}
