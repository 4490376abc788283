//! A store as one process sees it over a bad network: requests are slow, overtake each other, get lost, arrive twice or
//! long after their sender gave up, are answered with an error before or after they took effect, and their sender dies.
//!
//! It never says that something was done that wasn't, and refuses for a condition only if that doesn't hold, or "because of
//! a concurrent request".

use super::{
    ledger::digest_without_times,
    upload::Upload,
    violation::Kind,
    world::{Process, World, short},
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
pub(super) struct Client {
    pub(super) world: Arc<World>,
    pub(super) process: Arc<Process>,
    /// What the handle is set to, so that ages can be told by the virtual clock.
    pub(super) grace_time: Duration,
    /// How much longer uploads take.
    pub(super) slowness: u64,
}

#[async_trait]
impl ObjectStore for Client {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (world, path, bytes) = (self.world.clone(), location.clone(), Bytes::from(payload));
        world.uploads(location, &bytes);
        let request = Request {
            verb: "PUT",
            path: location,
            conditional: !matches!(options.mode, PutMode::Overwrite),
            detail: show(&options.mode, location, &bytes),
            of_json: location.as_ref().ends_with(".json"),
        };
        self.send(request, move || world.put(&path, &bytes, &options.mode)).await
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.send(Request::new("create upload of", location), || Ok(())).await?;
        Ok(Box::new(Upload::new(self.clone(), location.clone())))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (world, path) = (self.world.clone(), location.clone());
        let mut found = self.send(Request::new("GET", location), move || world.get(&path, &options)).await?;
        if self.world.cuts() {
            self.world.note(|| format!("{}: the answer breaks off", self.process.name));
            let lost = Err(Error::Generic { store: "network", source: "the connection broke".into() });
            found.payload = GetResultPayload::Stream(stream::iter([lost]).boxed());
        }
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let client = self.clone();
        let delete = move |location: Result<Path>| {
            let client = client.clone();
            async move {
                let (world, path) = (client.world.clone(), location?);
                let doomed = path.clone();
                client.send(Request::new("DELETE", &path), move || world.delete(&doomed)).await.map(|()| path)
            }
        };
        locations.map(delete).buffered(3).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (client, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let pages = stream::try_unfold(Some(Path::default()), move |after| {
            let (client, prefix) = (client.clone(), prefix.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let (world, grace_time, path) = (client.world.clone(), client.grace_time, prefix.clone());
                let page =
                    client.send(Request::new("LIST", &prefix), move || world.page(&path, &after, grace_time)).await?;
                let more = page.len() == client.world.profile.page;
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
        let (world, from, path) = (self.world.clone(), from.clone(), to.clone());
        self.send(Request::new("COPY to", to), move || world.start_copy(&from, &path)).await
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

/// What is sent, as far as its fate depends on it.
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

/// What the store does, at the moment a request reaches it.
impl World {
    fn put(&self, path: &Path, bytes: &Bytes, mode: &PutMode) -> Result<PutResult> {
        let mode = match mode {
            PutMode::Update(expected) if self.profile.tags_are_digests => {
                PutMode::Update(self.real_tag(path, expected)?)
            }
            mode => mode.clone(),
        };
        self.refuse_late_first_record(path, &mode)?;
        let put = now(self.store.put_opts(path, bytes.clone().into(), mode.into()))?;
        self.written(path, bytes);
        Ok(PutResult { e_tag: self.tag(bytes, put.e_tag), ..put })
    }

    pub(super) fn overwrite(&self, path: &Path, bytes: &Bytes) -> Result<PutResult> {
        self.put(path, bytes, &PutMode::Overwrite)
    }

    fn get(&self, path: &Path, options: &GetOptions) -> Result<GetResult> {
        let mut found = now(self.store.get_opts(path, options.clone()))?;
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
        now(self.store.delete(path))?;
        self.deleted(path);
        Ok(())
    }

    /// Copies now, or says so and does it later.
    fn start_copy(self: &Arc<Self>, from: &Path, to: &Path) -> Result<()> {
        let Some(bytes) = self.object(from) else {
            return Err(Error::NotFound { path: from.to_string(), source: "no such object".into() });
        };
        if !self.profile.copies_later {
            return self.overwrite(to, &bytes).map(drop);
        }
        let (world, to, after) = (self.clone(), to.clone(), self.book().dice.below(30));
        tokio::spawn(async move {
            super::fate::delay(after).await;
            world.note(|| "a copy is there".into());
            world.overwrite(&to, &bytes)
        });
        Ok(())
    }

    /// The next objects after `after`. An object is as old as the virtual clock says: ancient, or not even written.
    fn page(&self, prefix: &Path, after: &Path, grace_time: Duration) -> Result<Vec<ObjectMeta>> {
        let next = self.store.list_with_offset(Some(prefix), after).take(self.profile.page).try_collect();
        let mut page: Vec<ObjectMeta> = now(next)?;
        let (elapsed, book) = (self.elapsed(), self.book());
        for meta in &mut page {
            let old = book.ledger.age(&meta.location, elapsed) >= grace_time;
            let apart = Duration::from_secs(1_000_000_000);
            meta.last_modified = if old { SystemTime::UNIX_EPOCH } else { SystemTime::now() + apart }.into();
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

    /// The memory's own etag, if the one that is expected is the one shown.
    fn real_tag(&self, path: &Path, expected: &UpdateVersion) -> Result<UpdateVersion> {
        let refused = |why: &str| Error::Precondition { path: path.to_string(), source: why.into() };
        let bytes = self.object(path).ok_or_else(|| refused("there is no such object"))?;
        if self.tag(&bytes, None) != expected.e_tag {
            return Err(refused("its etag is another one"));
        }
        let found = now(self.store.head(path))?;
        Ok(UpdateVersion { e_tag: found.e_tag, version: None })
    }

    /// A client sends this: whoever gave up must not.
    fn uploads(&self, path: &Path, bytes: &Bytes) {
        if *path == self.layout.current() {
            self.check_replacement(bytes);
        } else {
            self.count_upload(bytes);
        }
    }

    pub(super) fn count_upload(&self, bytes: &Bytes) {
        if let Some(number) = self.attempt_of(bytes) {
            self.book().attempts[number].uploads += 1;
        }
    }

    /// That the publish of what a replacement names first isn't over.
    fn check_replacement(&self, text: &Bytes) {
        let Ok(record) = crate::record::Record::parse(text) else { return };
        let Some(name) = record.current().map(|current| current.name().to_owned()) else { return };
        if self.book().ledger.places.contains_key(&name) {
            return;
        }
        let number = self.object(&self.layout.json(&name)).and_then(|json| self.attempt_of(&json));
        let over = number.is_some_and(|number| self.book().attempts[number].over.is_some());
        if over {
            let found = format!("{} is being published after its publish was over", short(&name));
            self.violation(Kind::SentAfterItsEnd, found);
        }
    }
}

/// What memory answers, which is at once.
pub(super) fn now<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || Err(Error::Generic { store: "memory", source: "it isn't ready".into() });
    answer.now_or_never().unwrap_or_else(late)
}

fn show(mode: &PutMode, path: &Path, bytes: &Bytes) -> String {
    let condition = match mode {
        PutMode::Overwrite => String::new(),
        PutMode::Create => " if there is none".into(),
        PutMode::Update(version) => format!(" if it is {}", version.e_tag.as_deref().unwrap_or("?")),
    };
    match crate::record::Record::parse(bytes) {
        Ok(record) if path.as_ref().ends_with("current") => {
            let retained: Vec<_> = record.retained().map(|retained| short(retained.name())).collect();
            format!("{condition}: published {} sweeps {} {retained:?}", record.published, record.sweeps)
        }
        _ => condition,
    }
}

impl Client {
    /// Sends a request: `apply` is what it does when it reaches the store, as often as it does. Dropping this calls nothing
    /// back.
    pub(super) async fn send<T: 'static + Send>(
        &self,
        request: Request<'_>,
        apply: impl FnMut() -> Result<T> + 'static + Send,
    ) -> Result<T> {
        if self.process.is_dead() {
            future::pending::<()>().await;
        }
        let fate = self.fate(&request);
        let number = fate.number;
        let path = request.path.as_ref().strip_prefix("app/snapshots/").unwrap_or_default().to_owned();
        self.world.note(|| {
            let path = path.split_once('/').map_or(path.clone(), |(name, file)| format!("{}/{file}", short(name)));
            format!("{} #{number} {} {path}{}  ({})", self.process.name, request.verb, request.detail, fate.what)
        });
        let (answer, answered) = tokio::sync::oneshot::channel();
        if fate.dies != Some(super::fate::Dies::Before) {
            tokio::spawn(super::fate::carry(self.world.clone(), fate.trip(), apply, answer));
        }
        if fate.dies.is_some() {
            self.world.note(|| format!("{} dies", self.process.name));
            self.process.kill();
            future::pending::<()>().await;
        }
        match fate.instead {
            None => match answered.await {
                Ok(answer) => answer,
                Err(_) => future::pending().await,
            },
            Some((said, after)) => {
                super::fate::delay(after).await;
                self.world.note(|| format!("{} #{number} is told: {said:?}", self.process.name));
                Err(said.into_error(request.path))
            }
        }
    }
}
