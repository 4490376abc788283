//! The JSON of a generation as a stream of chunks, with a check of its digest at the end.

use crate::{Bytes, Corruption, Digester, ErrorContext, Generation, MiniSnapError, Result, format::CHUNK};
use futures_core::Stream;
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The JSON of a generation as a [`Stream`] of chunks. [`read_chunks`](crate::SnapshotBackend::read_chunks) returns it.
///
/// The digest is checked after the last chunk: don't trust a chunk before the stream has ended with `None`. The stream ends after
/// its first error.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> minisnap_core::Result<()> {
/// use minisnap_core::{Bytes, ChunkStream};
///
/// let mut chunks = ChunkStream::from_bytes(Bytes::from_static(b"[1, 2]"));
/// let mut json = Vec::new();
/// while let Some(chunk) = chunks.next().await {
///     json.extend_from_slice(&chunk?);
/// }
/// assert_eq!(json, b"[1, 2]");
/// # Ok(()) }
/// ```
#[must_use = "a stream does nothing until it is read"]
pub struct ChunkStream(Option<Inner>);

type Inner = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

impl ChunkStream {
    /// Creates a stream of chunks that are checked already, or need no check. For backends.
    pub fn new(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self(Some(Box::pin(stream)))
    }

    /// Creates a stream of checked bytes in memory. For backends.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::unfold(bytes, |mut rest| async move {
            let chunk = rest.split_to(rest.len().min(CHUNK));
            Ok((!chunk.is_empty()).then_some((chunk, rest)))
        })
    }

    /// Creates a stream of the chunks that `next` returns until it returns `None`. For backends.
    ///
    /// Each call of `next` gets the state that the previous call returned with its chunk.
    pub fn unfold<S, F, N>(state: S, next: N) -> Self
    where
        S: Send + 'static,
        F: Future<Output = Result<Option<(Bytes, S)>>> + Send + 'static,
        N: FnMut(S) -> F + Send + 'static,
    {
        Self::new(Unfold { state: Some(state), next, waiting: None })
    }

    /// Adds a check of the size and the digest at the end of the stream. If they differ from `generation`, the stream ends with a
    /// [`Corrupt`](MiniSnapError::Corrupt) error at `at`. For backends.
    ///
    /// A size or digest that `generation` doesn't have isn't checked. The error of a stream needs no list of intact generations.
    pub fn checked(self, generation: &Generation, at: ErrorContext) -> Self {
        let check = Check { generation: generation.clone(), at, digester: Digester::new(), size: 0 };
        Self::unfold((self, check), |(mut chunks, mut check)| async move {
            match chunks.next().await {
                Some(chunk) => {
                    let chunk = chunk?;
                    check.update(&chunk);
                    Ok(Some((chunk, (chunks, check))))
                }
                None => check.finish().map(|()| None),
            }
        })
    }

    /// Returns the next chunk; `None` at the end.
    ///
    /// # Errors
    ///
    /// The errors of [`read_chunks`](crate::SnapshotBackend::read_chunks). The stream ends after an error.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. If the future is dropped, no chunk is lost.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for ChunkStream {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let inner = &mut self.get_mut().0;
        let Some(stream) = inner else { return Poll::Ready(None) };
        let item = ready!(stream.as_mut().poll_next(context));
        if !matches!(item, Some(Ok(_))) {
            *inner = None;
        }
        Poll::Ready(item)
    }
}

impl fmt::Debug for ChunkStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkStream").field("is_at_its_end", &self.0.is_none()).finish()
    }
}

/// The stream of [`ChunkStream::unfold`]. `waiting` is the call of `next` that is being polled.
struct Unfold<S, F, N> {
    state: Option<S>,
    next: N,
    waiting: Option<Pin<Box<F>>>,
}

// The only pinned field is boxed.
impl<S, F, N> Unpin for Unfold<S, F, N> {}

impl<S, F, N> Stream for Unfold<S, F, N>
where
    F: Future<Output = Result<Option<(Bytes, S)>>>,
    N: FnMut(S) -> F,
{
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(state) = this.state.take() {
            this.waiting = Some(Box::pin((this.next)(state)));
        }
        let Some(waiting) = &mut this.waiting else { return Poll::Ready(None) };
        let next = ready!(waiting.as_mut().poll(context));
        this.waiting = None;
        Poll::Ready(match next {
            Ok(Some((chunk, state))) => {
                this.state = Some(state);
                Some(Ok(chunk))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

/// The check at the end of a stream.
struct Check {
    generation: Generation,
    at: ErrorContext,
    digester: Digester,
    size: u64,
}

impl Check {
    fn update(&mut self, chunk: &[u8]) {
        self.digester.update(chunk);
        self.size += chunk.len() as u64;
    }

    fn finish(&self) -> Result<()> {
        match Corruption::of_json(&self.generation, self.size, self.digester.digest()) {
            None => Ok(()),
            Some(found) => Err(MiniSnapError::corrupt(self.at.clone(), found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, Operation};

    async fn all(mut chunks: ChunkStream) -> Result<Vec<Bytes>> {
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next().await {
            all.push(chunk?);
        }
        assert!(chunks.next().await.is_none(), "a stream stays at its end");
        Ok(all)
    }

    #[tokio::test]
    async fn chunks_are_small_and_complete() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let bytes = Bytes::from(vec![7; size]);
            let pieces = all(ChunkStream::from_bytes(bytes.clone())).await.expect("nothing fails");
            assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= CHUNK), "{size}");
            assert_eq!(pieces.concat(), bytes, "{size}");
        }
    }

    #[tokio::test]
    async fn stream_ends_with_an_error_on_a_wrong_digest() {
        let json = Bytes::from_static(b"[1, 2]");
        let at = || ErrorContext::new(Operation::Read, "a test");
        let known = Generation::new("a", 1).with_size(6).with_digest(Digest::of(&json));
        let checked = |json: &Bytes, known| all(ChunkStream::from_bytes(json.clone()).checked(known, at()));
        assert_eq!(checked(&json, &known).await.expect("it is intact").concat(), json);
        let found = checked(&Bytes::from_static(b"[1, 3]"), &known).await.expect_err("another digest");
        assert!(matches!(found, MiniSnapError::Corrupt { found: Corruption::WrongDigest { .. }, .. }), "{found:?}");
        let found = checked(&Bytes::from_static(b"[1, 2] "), &known).await.expect_err("another size");
        assert!(matches!(found, MiniSnapError::Corrupt { found: Corruption::WrongSize { expected: 6, found: 7 }, .. }));
        checked(&json, &Generation::new("a", 1)).await.expect("the generation has no size and no digest");
    }

    #[tokio::test]
    async fn stream_ends_after_an_error() {
        let mut chunks = ChunkStream::unfold(0, |count| async move {
            match count {
                0 => Ok(Some((Bytes::from_static(b"["), 1))),
                _ => Err(MiniSnapError::corrupt(ErrorContext::new(Operation::Read, "a test"), Corruption::Missing)),
            }
        });
        assert!(matches!(chunks.next().await, Some(Ok(_))));
        assert!(matches!(chunks.next().await, Some(Err(_))));
        assert!(chunks.next().await.is_none());
    }
}
