//! The progress of an upload, which the HTTP client doesn't report.
//!
//! The client holds a clone of each piece of a body from when it takes the piece until it has written it to the connection. A
//! `Bytes` with memory of its own tells whether it has a clone. So the body is cut into small pieces, and the last byte of each
//! piece is copied to memory of its own: the mark of the piece. The other bytes aren't copied.
//!
//! The client takes what fits its queue, which may end between a piece and its mark. If only this piece is still to be written,
//! no mark is held, as at the end of the upload. So no held mark means: written in whole, or stalled at one piece.

use http_body::Body;
use object_store::{PutPayload, client::HttpRequest};
use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::Instant;

/// The size of a piece. With 30 seconds without progress, a link needs about 2 KiB a second.
const PIECE: usize = 64 << 10;

/// An upload, and how much of it was written to the connection.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) size: usize,
    start: Instant,
    /// For each piece, where it ends in the body, and where its mark is in `payload`.
    pieces: Vec<(usize, usize)>,
    /// The body with its marks. The request has the same one, and so no clone of a mark.
    payload: PutPayload,
    /// The first and the last piece that the client held when it was last observed.
    held: Option<(usize, usize)>,
    last_progress: Instant,
}

impl Upload {
    /// Prepares to observe the upload of a request. A body that isn't data of ours is small, and isn't observed.
    pub(super) fn prepare(request: HttpRequest) -> (HttpRequest, Self) {
        let start = Instant::now();
        let mut upload =
            Self { size: 0, start, pieces: Vec::new(), payload: PutPayload::new(), held: None, last_progress: start };
        if request.body().as_bytes().is_some() || request.body().content_length() == 0 {
            return (request, upload);
        }
        let (parts, mut body) = request.into_parts();
        let mut chunks = Vec::new();
        // The body is in memory, so it is always ready.
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
            let Ok(mut bytes) = frame.into_data() else { continue };
            while !bytes.is_empty() {
                let mut piece = bytes.split_to(bytes.len().min(PIECE));
                upload.size += piece.len();
                let mark = piece.split_off(piece.len() - 1).to_vec().into();
                chunks.extend([piece, mark]);
                upload.pieces.push((upload.size, chunks.len() - 1));
            }
        }
        upload.payload = chunks.into_iter().collect();
        (HttpRequest::from_parts(parts, upload.payload.clone().into()), upload)
    }

    /// Finds out which pieces the client holds. Call it several times within the limit of time.
    pub(super) fn observe(&mut self) {
        let is_held = |&(_, mark): &(usize, usize)| !self.payload.as_ref()[mark].is_unique();
        let first = self.pieces.iter().position(is_held);
        let held = first.zip(self.pieces.iter().rposition(is_held));
        if held != self.held {
            self.held = held;
            self.last_progress = Instant::now();
        }
    }

    /// How many bytes were written to the connection, if the client certainly holds more to write.
    pub(super) fn sent_so_far(&self) -> Option<usize> {
        let (first, _) = self.held?;
        Some(first.checked_sub(1).map_or(0, |before| self.pieces[before].0))
    }

    /// When `idle` has passed without progress.
    ///
    /// Written data may still be in the system's buffers, which may be as large as half of a part. So the answer may take as
    /// much longer as the upload took. (If the server stops acknowledging the buffered data, the system ends the connection
    /// after 30 seconds.)
    pub(super) fn deadline(&self, idle: Duration) -> Instant {
        self.last_progress + idle + self.time_for_answer()
    }

    /// The time from the last progress to the [`deadline`](Self::deadline), as messages show it: `idle`, and whole seconds.
    pub(super) fn shown_limit(&self, idle: Duration) -> Duration {
        idle + Duration::from_secs(self.time_for_answer().as_secs())
    }

    fn time_for_answer(&self) -> Duration {
        match self.held {
            Some(_) => Duration::ZERO,
            None => self.last_progress - self.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use object_store::client::HttpRequestBody;

    fn put(body: HttpRequestBody) -> HttpRequest {
        let mut request = HttpRequest::new(body);
        *request.method_mut() = hyper::Method::PUT;
        request
    }

    /// The data of a request's body. The rest of the request is retained, as the client does.
    fn data(body: &mut HttpRequestBody) -> Vec<Bytes> {
        let mut found = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(frame)) = Pin::new(&mut *body).poll_frame(&mut context) {
            found.push(frame.unwrap().into_data().unwrap());
        }
        found
    }

    #[tokio::test(start_paused = true)]
    async fn written_pieces_are_progress() {
        let (first, second) = (vec![1; PIECE + 1], vec![2; PIECE]);
        let payload: PutPayload = [Bytes::from(first.clone()), Bytes::from(second.clone())].into_iter().collect();
        let (mut request, mut upload) = Upload::prepare(put(payload.into()));
        assert_eq!((request.body().content_length(), upload.size), (2 * PIECE + 1, 2 * PIECE + 1));
        upload.observe();
        assert_eq!(upload.sent_so_far(), None);
        let mut chunks = data(request.body_mut());
        assert_eq!(chunks.concat(), [first, second].concat());

        let (start, idle, pause) = (Instant::now(), Duration::from_secs(30), Duration::from_secs(20));
        tokio::time::advance(pause).await;
        upload.observe();
        assert_eq!((upload.sent_so_far(), upload.deadline(idle)), (Some(0), start + pause + idle));
        // Without progress, the deadline stays.
        tokio::time::advance(pause).await;
        upload.observe();
        assert_eq!((upload.sent_so_far(), upload.deadline(idle)), (Some(0), start + pause + idle));
        // The first piece and its mark are written.
        chunks.drain(..2);
        upload.observe();
        assert_eq!((upload.sent_so_far(), upload.deadline(idle)), (Some(PIECE), start + 2 * pause + idle));
        // The answer may take as much longer as the upload took.
        tokio::time::advance(pause).await;
        drop(chunks);
        upload.observe();
        assert_eq!((upload.sent_so_far(), upload.deadline(idle)), (None, start + 3 * pause + idle + 3 * pause));
        assert_eq!(upload.shown_limit(idle), idle + 3 * pause);
    }

    #[tokio::test]
    async fn small_bodies_of_the_client_are_left_as_they_are() {
        let (request, upload) = Upload::prepare(put(Bytes::from("<Delete/>").into()));
        assert_eq!(request.body().as_bytes().map(|bytes| &bytes[..]), Some(&b"<Delete/>"[..]));
        assert_eq!(upload.size, 0);
    }
}
