//! Restores: reads of a snapshot as a state, as bytes, or in chunks.

use crate::{
    Absence, Bytes, ChunkStream, Generation, MiniSnapError, Operation, Result, SnapStore, SnapshotBackend, span::Span,
};
use serde::de::DeserializeOwned;

/// How often a restore looks up the current generation if each one expires before it is read.
const READ_ATTEMPTS: usize = 16;

impl<B: SnapshotBackend> SnapStore<B> {
    /// Restores the current snapshot: the state, and the sequence number of the last change in it.
    ///
    /// Replay the changes after that number from the log. The JSON is parsed on the calling task.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](MiniSnapError::NotFound): the store is empty. See [`try_restore`](Self::try_restore).
    /// - [`Serde`](MiniSnapError::Serde): the JSON doesn't match the type. Line and column are in the source.
    /// - [`Corrupt`](MiniSnapError::Corrupt): the snapshot is corrupt. The error lists the intact older ones, for
    ///   [`restore_generation`](Self::restore_generation).
    /// - [`ExternalChange`](MiniSnapError::ExternalChange): another program or an editor changed the files.
    /// - [`Expired`](MiniSnapError::Expired): 16 times in a row, the snapshot expired before it was read.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create(&[1, 2], 10).await?;
    /// let (state, seq): (Vec<u64>, u64) = store.restore().await?;
    /// assert_eq!((state, seq), (vec![1, 2], 10));
    /// # Ok(()) }
    /// ```
    pub async fn restore<S: DeserializeOwned>(&self) -> Result<(S, u64)> {
        match self.restore_current().await? {
            Some(restored) => Ok(restored),
            None => Err(self.not_found()),
        }
    }

    /// Restores the current snapshot like [`restore`](Self::restore); `None` if the store is empty.
    ///
    /// Use it when a program starts. `None` means that the program starts from an empty state. An error never means that.
    ///
    /// # Errors
    ///
    /// The errors of [`restore`](Self::restore), except `NotFound`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let (state, seq) = store.try_restore::<Vec<u64>>().await?.unwrap_or_default();
    /// assert_eq!((state, seq), (vec![], 0));
    /// # Ok(()) }
    /// ```
    pub async fn try_restore<S: DeserializeOwned>(&self) -> Result<Option<(S, u64)>> {
        match self.restore_current().await {
            Err(MiniSnapError::NotFound { .. }) => Ok(None),
            restored => restored,
        }
    }

    /// Restores the newest retained snapshot whose sequence number is at most `seq`.
    ///
    /// # Errors
    ///
    /// - [`NotFound`](MiniSnapError::NotFound): every retained snapshot has a higher sequence number. The error lists them.
    /// - The errors of [`restore`](Self::restore).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// store.create("old", 10).await?;
    /// store.create("new", 20).await?;
    /// assert_eq!(store.restore_at::<String>(15).await?, ("old".into(), 10));
    /// # Ok(()) }
    /// ```
    pub async fn restore_at<S: DeserializeOwned>(&self, seq: u64) -> Result<(S, u64)> {
        let mut expired = None;
        for _ in 0..READ_ATTEMPTS {
            let history = self.history().await?;
            let Some(generation) = history.iter().find(|generation| generation.seq() <= seq) else {
                let retained: Vec<_> = history.iter().map(Generation::seq).collect();
                let found = if retained.is_empty() { Absence::Empty } else { Absence::OnlyAbove { seq, retained } };
                return Err(MiniSnapError::NotFound { at: self.at(Operation::Restore), found });
            };
            match self.restore_generation(generation).await {
                Err(error @ MiniSnapError::Expired { .. }) => expired = Some(error),
                restored => return restored,
            }
        }
        Err(expired.unwrap_or_else(|| self.not_found()))
    }

    /// Restores one generation, from [`history`](Self::history) or from a [`Corrupt`](MiniSnapError::Corrupt) error.
    ///
    /// The current snapshot stays current. To continue from an older generation, replay the log from its sequence number, or create
    /// its state again.
    ///
    /// # Errors
    ///
    /// - [`Expired`](MiniSnapError::Expired): the generation isn't retained.
    /// - The errors of [`restore`](Self::restore), except `NotFound`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// Fall back to the newest intact generation:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # use minisnap::{Operation, mem::Fault};
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// # store.create("old", 10).await?;
    /// # store.create("new", 20).await?;
    /// # store.backend().fail(Operation::Read).with(Fault::Corrupt).once();
    /// use minisnap::MiniSnapError;
    ///
    /// let (state, seq): (String, u64) = match store.restore().await {
    ///     Err(MiniSnapError::Corrupt { intact, .. }) if !intact.is_empty() => store.restore_generation(&intact[0]).await?,
    ///     restored => restored?,
    /// };
    /// assert_eq!((state.as_str(), seq), ("old", 10)); // replay the log from change 11
    /// # Ok(()) }
    /// ```
    pub async fn restore_generation<S: DeserializeOwned>(&self, generation: &Generation) -> Result<(S, u64)> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async {
            let json = self.backend.read(generation).await?;
            let (state, seq) = self.parse(generation, &json)?;
            Ok((state, seq, generation.clone().with_size(json.len() as u64)))
        };
        span.around(restore, |(_, _, generation)| Some(generation)).await.map(|(state, seq, _)| (state, seq))
    }

    /// Reads the current snapshot without parsing it: its generation, and its JSON byte for byte.
    ///
    /// Use it for copies, and for protocols that send a snapshot as bytes. [`create_raw`](Self::create_raw) writes such bytes.
    ///
    /// # Errors
    ///
    /// The errors of [`restore`](Self::restore), except `Serde`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let [source, target] = [(); 2].map(|()| minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new()));
    /// source.create("a state", 10).await?;
    /// let (generation, json) = source.restore_raw().await?;
    /// target.create_raw(json, generation.seq()).await?;
    /// assert_eq!(target.restore::<String>().await?, ("a state".into(), 10));
    /// # Ok(()) }
    /// ```
    pub async fn restore_raw(&self) -> Result<(Generation, Bytes)> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async { self.read_current().await?.ok_or_else(|| self.not_found()) };
        span.around(restore, |(generation, _)| Some(generation)).await
    }

    /// Reads the JSON of a retained generation as a stream of chunks, in bounded memory.
    ///
    /// Use it for a snapshot that is larger than the memory. The digest is checked after the last chunk: don't trust a chunk
    /// before the stream has ended with `None`.
    ///
    /// # Errors
    ///
    /// The errors of [`restore_generation`](Self::restore_generation), except `Serde`, from this call or from the stream. If the
    /// generation expires while it is streamed, a folder and memory deliver all of it; an object store may end the stream with
    /// [`Expired`](MiniSnapError::Expired).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. It changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap::Result<()> {
    /// # let store = minisnap::SnapStore::with_backend(minisnap::mem::MemBackend::new());
    /// let committed = store.create("a state", 10).await?;
    /// let mut chunks = store.read_chunks(committed.generation()).await?;
    /// let mut bytes = 0;
    /// while let Some(chunk) = chunks.next().await {
    ///     bytes += chunk?.len();
    /// }
    /// assert_eq!(bytes, r#""a state""#.len());
    /// # Ok(()) }
    /// ```
    pub async fn read_chunks(&self, generation: &Generation) -> Result<ChunkStream> {
        self.backend.read_chunks(generation).await
    }

    async fn restore_current<S: DeserializeOwned>(&self) -> Result<Option<(S, u64)>> {
        let span = Span::new(Operation::Restore, self.backend.location());
        let restore = async {
            let Some((generation, json)) = self.read_current().await? else { return Ok(None) };
            let (state, seq) = self.parse(&generation, &json)?;
            Ok(Some((state, seq, generation.with_size(json.len() as u64))))
        };
        let restored = span.around(restore, |found| found.as_ref().map(|(_, _, generation)| generation)).await?;
        Ok(restored.map(|(state, seq, _)| (state, seq)))
    }

    /// Reads the current generation. If it expires before it is read, looks up the current one again.
    async fn read_current(&self) -> Result<Option<(Generation, Bytes)>> {
        let mut expired = None;
        for _ in 0..READ_ATTEMPTS {
            let Some(generation) = self.backend.current().await? else { return Ok(None) };
            match self.backend.read(&generation).await {
                Err(error @ MiniSnapError::Expired { .. }) => expired = Some(error),
                read => return read.map(|json| Some((generation, json))),
            }
        }
        expired.map_or(Ok(None), Err)
    }

    fn parse<S: DeserializeOwned>(&self, generation: &Generation, json: &[u8]) -> Result<(S, u64)> {
        let state = serde_json::from_slice(json).map_err(|source| MiniSnapError::Serde {
            at: self.at(Operation::Restore),
            generation: Some(generation.clone()),
            source,
        })?;
        Ok((state, generation.seq()))
    }

    fn not_found(&self) -> MiniSnapError {
        MiniSnapError::NotFound { at: self.at(Operation::Restore), found: Absence::Empty }
    }
}
