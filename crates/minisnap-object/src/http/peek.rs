//! Looking at the beginning of an answer's body, and leaving the body complete.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpResponse, HttpResponseBody};
use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// The first bytes of an answer's body: at least `wanted`, if the body has as many. The answer's body is as before.
pub(super) async fn peek(answer: HttpResponse, wanted: usize) -> Result<(HttpResponse, Vec<u8>), HttpError> {
    let (parts, mut body) = answer.into_parts();
    let (mut first, mut seen) = (VecDeque::new(), Vec::new());
    while seen.len() < wanted {
        let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await else { break };
        let frame = frame?;
        if let Some(bytes) = frame.data_ref() {
            seen.extend_from_slice(&bytes[..bytes.len().min(wanted - seen.len())]);
        }
        first.push_back(frame);
    }
    let body = HttpResponseBody::new(Peeked { first, rest: body });
    Ok((HttpResponse::from_parts(parts, body), seen))
}

/// A body of which the first frames were already read.
struct Peeked {
    first: VecDeque<Frame<Bytes>>,
    rest: HttpResponseBody,
}

impl Body for Peeked {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match self.first.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first: u64 = self.first.iter().filter_map(Frame::data_ref).map(|bytes| bytes.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + first);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn peeked_body_is_complete() {
        for wanted in [0, 3, 10] {
            let answer = HttpResponse::new(Bytes::from("abcdef").into());
            let (answer, seen) = peek(answer, wanted).await.unwrap();
            assert_eq!(seen, b"abcdef"[..wanted.min(6)]);
            assert_eq!(answer.body().size_hint().exact(), Some(6));
            assert_eq!(answer.into_body().bytes().await.unwrap(), "abcdef");
        }
    }
}
