//! A buffer between the synchronous writes of a stage and a client that is only asynchronous.

use crate::{Bytes, Digest, Digester};
use std::{collections::VecDeque, fmt, io, mem};

/// The bytes of a stage, in parts for a client that is only asynchronous.
///
/// The writes of a [`StagedSnapshot`](crate::StagedSnapshot) are synchronous. An asynchronous client can upload only in
/// [`drain`](crate::StagedSnapshot::drain) and in [`commit`](crate::StagedSnapshot::commit). This buffer is an [`io::Write`] that never
/// blocks and never fails. It divides the bytes into [parts](UploadPart) of equal size, and computes the size and the digest of all
/// bytes. The last part may be smaller.
///
/// The concatenation of all parts is the JSON. A JSON of zero bytes is one empty part. A part is complete only when more bytes follow,
/// so a JSON that fits into one part is uploaded by the commit, in one request.
///
/// # Cancel safety
///
/// A part stays in the buffer until [`mark_uploaded`](Self::mark_uploaded). If `drain` is dropped during an upload, the next call uploads
/// the same part again. Store a part under its [index](UploadPart::index), so that the repeated upload replaces the first one. If the
/// client can only append, compare the stored length with the [offset](UploadPart::offset) first, and append only the missing bytes.
///
/// # Examples
///
/// The stage of a store whose client has one method, `put_part`:
///
/// ```
/// use minisnap_core::{Bytes, Result, UploadBuffer};
/// use std::io::{self, Write};
/// # use minisnap_core::Digest;
/// # #[derive(Default)]
/// # struct Client(std::collections::BTreeMap<u64, Bytes>);
/// # impl Client {
/// #     async fn put_part(&mut self, index: u64, bytes: Bytes) -> Result<()> {
/// #         self.0.insert(index, bytes);
/// #         Ok(())
/// #     }
/// # }
///
/// struct Stage {
///     client: Client,
///     buffer: UploadBuffer,
/// }
///
/// impl Write for Stage {
///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         self.buffer.write(bytes)
///     }
///
///     fn flush(&mut self) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// // The methods of `StagedSnapshot` that upload.
/// impl Stage {
///     async fn drain(&mut self) -> Result<()> {
///         while let Some(part) = self.buffer.next_part() {
///             self.client.put_part(part.index, part.bytes).await?; // cancelled here, the part stays in the buffer
///             self.buffer.mark_uploaded(part.index);
///         }
///         Ok(())
///     }
///
///     async fn commit(mut self) -> Result<()> {
///         self.buffer.finish();
///         self.drain().await?;
///         // Now commit a generation with `self.buffer.size()` and `self.buffer.digest()`.
/// #       assert_eq!(self.client.0.into_values().collect::<Vec<_>>(), ["[1,2", ",3]"]);
/// #       assert_eq!((self.buffer.size(), self.buffer.digest()), (7, Digest::of(b"[1,2,3]")));
///         Ok(())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let mut stage = Stage { client: Client::default(), buffer: UploadBuffer::new(4) };
/// # stage.write_all(b"[1,2").expect("memory");
/// # assert!(stage.buffer.next_part().is_none());
/// # stage.write_all(b",3]").expect("memory");
/// # stage.drain().await?;
/// # stage.commit().await
/// # }
/// ```
#[derive(Clone)]
pub struct UploadBuffer {
    part_size: usize,
    /// The complete parts that aren't uploaded yet, in order.
    parts: VecDeque<UploadPart>,
    /// The bytes since the last complete part: at most `part_size`.
    rest: Vec<u8>,
    /// How many parts were completed.
    completed: u64,
    size: u64,
    digester: Digester,
}

/// A part of a JSON: see [`UploadBuffer`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadPart {
    /// Its number, counted from zero.
    pub index: u64,
    /// The position of its first byte in the JSON.
    pub offset: u64,
    /// Its bytes. Only the last part is smaller than the part size.
    pub bytes: Bytes,
}

impl UploadBuffer {
    /// Creates an empty buffer for parts of `part_size` bytes. A size of zero counts as one.
    ///
    /// [`CHUNK`](crate::format::CHUNK) is the size of the typed store's writes. Choose a multiple of it that your client sends in one
    /// request.
    #[must_use]
    pub fn new(part_size: usize) -> Self {
        Self {
            part_size: part_size.max(1),
            parts: VecDeque::new(),
            rest: Vec::new(),
            completed: 0,
            size: 0,
            digester: Digester::new(),
        }
    }

    /// Returns the first complete part that isn't uploaded yet; `None` if there is none. The part stays in the buffer.
    ///
    /// This is cheap: the part shares its bytes with the buffer.
    #[must_use]
    pub fn next_part(&self) -> Option<UploadPart> {
        self.parts.front().cloned()
    }

    /// Returns all complete parts that aren't uploaded yet, in order, for a client that uploads several parts in parallel.
    pub fn parts(&self) -> impl Iterator<Item = &UploadPart> {
        self.parts.iter()
    }

    /// Removes a part, after its upload has succeeded. Returns whether the part was in the buffer.
    pub fn mark_uploaded(&mut self, index: u64) -> bool {
        // Most parts are uploaded in order, so the first one is found at once.
        let position = self.parts.iter().position(|part| part.index == index);
        position.and_then(|position| self.parts.remove(position)).is_some()
    }

    /// Completes the last part, for the commit. The last part is empty only if the JSON is. Calling this again changes nothing.
    ///
    /// Write nothing after it: the next byte would begin another part.
    pub fn finish(&mut self) {
        if !self.rest.is_empty() || self.completed == 0 {
            self.complete_part(Vec::new());
        }
    }

    /// Returns the number of all bytes that were written, uploaded or not.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the digest of all bytes that were written, uploaded or not.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digester.digest()
    }

    /// Returns the number of bytes in memory: in complete parts, and after the last one.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum::<usize>() + self.rest.len()
    }

    fn complete_part(&mut self, next: Vec<u8>) {
        let bytes = Bytes::from(mem::replace(&mut self.rest, next));
        let offset = self.size - bytes.len() as u64;
        self.parts.push_back(UploadPart { index: self.completed, offset, bytes });
        self.completed += 1;
    }
}

impl io::Write for UploadBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut remaining = bytes;
        while !remaining.is_empty() {
            if self.rest.len() == self.part_size {
                self.complete_part(Vec::with_capacity(self.part_size));
            }
            let (fitting, others) = remaining.split_at(remaining.len().min(self.part_size - self.rest.len()));
            self.rest.extend_from_slice(fitting);
            self.size += fitting.len() as u64;
            remaining = others;
        }
        self.digester.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Without the bytes, which may be many.
impl fmt::Debug for UploadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadBuffer")
            .field("part_size", &self.part_size)
            .field("parts", &self.parts)
            .field("rest", &self.rest.len())
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Without the bytes, which may be many.
impl fmt::Debug for UploadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, offset, bytes } = self;
        f.debug_struct("UploadPart").field("index", index).field("offset", offset).field("size", &bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::BTreeMap,
        future::{Future, poll_fn},
        io::Write,
        pin::pin,
        task::Poll,
    };
    use tokio::task::yield_now;

    /// Writes `pieces`, uploads what is complete after each of them, and the rest at the end. Returns the uploaded parts.
    fn upload(buffer: &mut UploadBuffer, pieces: &[&[u8]]) -> Vec<UploadPart> {
        let mut uploaded = Vec::new();
        for piece in pieces {
            assert_eq!(buffer.write(piece).expect("memory"), piece.len(), "it takes all bytes");
            uploaded.extend(drain(buffer));
        }
        buffer.finish();
        buffer.finish();
        uploaded.extend(drain(buffer));
        uploaded
    }

    fn drain(buffer: &mut UploadBuffer) -> Vec<UploadPart> {
        let mut uploaded = Vec::new();
        while let Some(part) = buffer.next_part() {
            assert!(buffer.mark_uploaded(part.index));
            uploaded.push(part);
        }
        uploaded
    }

    fn texts(parts: &[UploadPart]) -> Vec<&str> {
        parts.iter().map(|part| str::from_utf8(&part.bytes).expect("ASCII")).collect()
    }

    #[test]
    fn parts_have_equal_size_in_any_division_into_writes() {
        for pieces in [&[&b"0123456789"[..]][..], &[b"0", b"12", b"", b"345678", b"9"], &[b"0123", b"4567", b"89"]] {
            let mut buffer = UploadBuffer::new(4);
            let parts = upload(&mut buffer, pieces);
            assert_eq!(texts(&parts), ["0123", "4567", "89"]);
            let positions: Vec<_> = parts.iter().map(|part| (part.index, part.offset)).collect();
            assert_eq!(positions, [(0, 0), (1, 4), (2, 8)]);
            assert_eq!((buffer.size(), buffer.digest()), (10, Digest::of(b"0123456789")));
            assert_eq!(buffer.buffered(), 0);
        }
    }

    #[test]
    fn last_part_is_never_empty_unless_the_json_is() {
        for (size, parts) in
            [(0, &[0][..]), (1, &[1]), (3, &[3]), (4, &[4]), (5, &[4, 1]), (8, &[4, 4]), (9, &[4, 4, 1])]
        {
            let json = vec![b'x'; size];
            let mut buffer = UploadBuffer::new(4);
            let uploaded = upload(&mut buffer, &[&json]);
            assert_eq!(uploaded.iter().map(|part| part.bytes.len()).collect::<Vec<_>>(), parts);
            assert_eq!((buffer.size(), buffer.digest()), (size as u64, Digest::of(&json)));
        }
        assert_eq!(texts(&upload(&mut UploadBuffer::new(0), &[b"ab"])), ["a", "b"], "zero counts as one");
    }

    #[test]
    fn part_is_complete_only_when_more_bytes_follow() {
        let mut buffer = UploadBuffer::new(4);
        buffer.write_all(b"0123").expect("memory");
        assert_eq!((buffer.next_part(), buffer.buffered()), (None, 4));
        buffer.write_all(b"").expect("memory");
        assert_eq!(buffer.next_part(), None);
        buffer.write_all(b"4").expect("memory");
        assert_eq!((texts(&Vec::from_iter(buffer.next_part())), buffer.buffered()), (vec!["0123"], 5));
    }

    #[test]
    fn part_stays_in_the_buffer_until_it_is_marked_as_uploaded() {
        let mut buffer = UploadBuffer::new(2);
        buffer.write_all(b"012345").expect("memory");
        buffer.finish();
        let first = buffer.next_part();
        assert_eq!(buffer.next_part(), first, "a cancelled upload is repeated");
        assert_eq!(texts(&buffer.parts().cloned().collect::<Vec<_>>()), ["01", "23", "45"]);
        // The second upload of several in parallel ends first.
        assert!(buffer.mark_uploaded(1));
        assert!(!buffer.mark_uploaded(1) && !buffer.mark_uploaded(3));
        assert_eq!(texts(&drain(&mut buffer)), ["01", "45"]);
        assert_eq!((buffer.size(), buffer.digest()), (6, Digest::of(b"012345")), "of all bytes");
    }

    /// The pattern of the documentation, with an await before and after each request takes effect.
    async fn upload_by_index(buffer: &mut UploadBuffer, stored: &mut BTreeMap<u64, Bytes>) {
        while let Some(part) = buffer.next_part() {
            yield_now().await;
            stored.insert(part.index, part.bytes);
            yield_now().await;
            buffer.mark_uploaded(part.index);
        }
    }

    #[tokio::test]
    async fn no_byte_is_lost_or_doubled_when_drain_is_cancelled_anywhere() {
        for polls in 0..8 {
            let (mut buffer, mut stored) = (UploadBuffer::new(4), BTreeMap::new());
            buffer.write_all(b"0123456789").expect("memory");
            {
                let mut cancelled = pin!(upload_by_index(&mut buffer, &mut stored));
                for _ in 0..polls {
                    let polled = poll_fn(|context| Poll::Ready(cancelled.as_mut().poll(context))).await;
                    if polled.is_ready() {
                        break;
                    }
                }
            }
            buffer.write_all(b"ab").expect("memory");
            buffer.finish();
            upload_by_index(&mut buffer, &mut stored).await;
            let json: Vec<u8> = stored.values().flatten().copied().collect();
            assert_eq!(str::from_utf8(&json), Ok("0123456789ab"), "cancelled after {polls} polls");
            assert_eq!((buffer.size(), buffer.digest()), (12, Digest::of(&json)));
        }
    }

    #[test]
    fn debug_text_has_no_bytes_of_the_json() {
        let mut buffer = UploadBuffer::new(2);
        buffer.write_all(b"XYXYXY").expect("memory");
        let text = format!("{buffer:?} {:?}", buffer.next_part());
        assert!(!text.contains("XY") && text.contains("size: 6"), "{text}");
    }
}
