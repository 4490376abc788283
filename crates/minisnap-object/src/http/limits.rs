//! The limits of time for a request: without progress, or in all.

use super::{target::Target, upload::Upload};
use crate::failure::Cause;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::{
    ClientConfigKey, ClientOptions, Error, Result,
    client::{HttpError, HttpErrorKind, HttpResponse, HttpResponseBody},
};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

/// How long a request may make no progress, unless an option sets another limit.
const IDLE: Duration = Duration::from_secs(30);

/// A longer limit is no limit, and may be later than the last moment that a clock can show.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How often an upload is observed within its limit without progress.
const LOOKS: u32 = 20;

/// The limits of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// From the beginning to the end of the answer (the option `timeout`).
    whole: Option<Duration>,
    /// Without progress (the option `read_timeout`).
    idle: Option<Duration>,
}

impl Limits {
    /// The client has a default for `timeout`, which counts only if the user set it.
    pub(super) fn new(options: &ClientOptions, is_timeout_set: bool) -> Result<Self> {
        let duration = |key| {
            let set = options.get_config_value(&key);
            let parsed = set
                .map(|text| humantime::parse_duration(&text).map_err(|error| invalid(&key, &text, error)))
                .transpose();
            parsed.map(|limit| limit.map(|limit| limit.min(LONGEST)))
        };
        let whole = if is_timeout_set { duration(ClientConfigKey::Timeout)? } else { None };
        let idle = duration(ClientConfigKey::ReadTimeout)?;
        Ok(Self { whole, idle: idle.or_else(|| whole.is_none().then_some(IDLE)) })
    }

    /// Waits for the answer to a request.
    pub(super) async fn apply<T>(&self, mut upload: Upload, answer: impl Future<Output = T>) -> Result<T, Cause> {
        let mut answer = pin!(answer);
        let end = self.whole.map(|limit| (Instant::now() + limit, limit));
        loop {
            let idle = self.idle.map(|limit| (upload.deadline(limit), limit));
            let next_look = self.idle.filter(|_| upload.size > 0).map(|limit| (Instant::now() + limit / LOOKS, limit));
            let Some((wake, _)) = earlier(earlier(end, idle), next_look) else { return Ok(answer.await) };
            if let Ok(answer) = timeout_at(wake, &mut answer).await {
                return Ok(answer);
            }
            upload.observe();
            let now = Instant::now();
            if let Some((_, limit)) = end.filter(|(end, _)| *end <= now) {
                return Err(Cause::Timeout { limit });
            }
            if let Some(limit) = self.idle.filter(|limit| upload.deadline(*limit) <= now) {
                return Err(match upload.sent_so_far() {
                    Some(sent) => Cause::UploadStalled { sent, size: upload.size, limit },
                    None => Cause::NoAnswer { upload: upload.size, limit: upload.shown_limit(limit) },
                });
            }
        }
    }

    /// Limits the time of an answer's body, and explains its failures. `start` is that of the request.
    pub(super) fn limit_body(&self, start: Instant, target: &Arc<Target>, answer: HttpResponse) -> HttpResponse {
        answer.map(|body| {
            HttpResponseBody::new(LimitedBody {
                body,
                end: self.whole.map(|limit| (start + limit, limit)),
                idle: self.idle,
                timer: None,
                target: target.clone(),
            })
        })
    }
}

fn earlier(one: Option<(Instant, Duration)>, other: Option<(Instant, Duration)>) -> Option<(Instant, Duration)> {
    one.into_iter().chain(other).min_by_key(|(deadline, _)| *deadline)
}

fn invalid(key: &ClientConfigKey, text: &str, error: humantime::DurationError) -> Error {
    let (key, what) = (key.as_ref(), format!("`{text}` is no duration such as `30s`: {error}"));
    Error::Generic { store: "HTTP client", source: format!("the option {key}: {what}").into() }
}

/// The body of an answer. A timer runs while data is awaited.
struct LimitedBody {
    body: HttpResponseBody,
    end: Option<(Instant, Duration)>,
    idle: Option<Duration>,
    timer: Option<(Pin<Box<Sleep>>, Cause)>,
    target: Arc<Target>,
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| this.target.explain(error))));
        }
        let (end, idle) = (this.end, this.idle.map(|limit| (Instant::now() + limit, limit)));
        if this.timer.is_none() {
            this.timer = earlier(end, idle).map(|(deadline, limit)| {
                let is_end = end.is_some_and(|(end, _)| end == deadline);
                let cause = if is_end { Cause::Timeout { limit } } else { Cause::AnswerStalled { limit } };
                (Box::pin(sleep_until(deadline)), cause)
            });
        }
        let Some((timer, cause)) = &mut this.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(this.target.failed(HttpErrorKind::Timeout, cause.clone(), None))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(options: ClientOptions, is_timeout_set: bool) -> (Option<u64>, Option<u64>) {
        let limits = Limits::new(&options, is_timeout_set).unwrap();
        (limits.whole.map(|limit| limit.as_secs()), limits.idle.map(|limit| limit.as_secs()))
    }

    #[test]
    fn thirty_seconds_without_progress_unless_a_limit_is_set() {
        let none = ClientOptions::new;
        assert_eq!(limits(none(), false), (None, Some(30)));
        assert_eq!(limits(none().with_config(ClientConfigKey::Timeout, "30s"), true), (Some(30), None));
        assert_eq!(limits(none().with_config(ClientConfigKey::ReadTimeout, "5 s"), false), (None, Some(5)));
        let both = none().with_config(ClientConfigKey::Timeout, "2m").with_config(ClientConfigKey::ReadTimeout, "5s");
        assert_eq!(limits(both, true), (Some(120), Some(5)));
        let forever = none().with_config(ClientConfigKey::ReadTimeout, "500000000000y");
        assert_eq!(limits(forever, false), (None, Some(LONGEST.as_secs())));
        let invalid = none().with_config(ClientConfigKey::ReadTimeout, "soon");
        assert!(Limits::new(&invalid, false).unwrap_err().to_string().contains("read_timeout: `soon`"));
    }
}
