//! Spans around the operations of a store (feature `tracing`). Without the feature, a span does nothing.

use crate::{Generation, Operation, Result};
use std::{
    future::{Future, poll_fn},
    pin::pin,
};

/// A span with the target `minisnap`. The location is recorded at its start; generation, bytes, milliseconds and error at its end.
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "tracing")]
    since: std::time::Instant,
}

#[cfg(feature = "tracing")]
macro_rules! span {
    ($name:literal, $location:ident) => {
        tracing::info_span!(
            target: "minisnap",
            $name,
            location = $location,
            generation = tracing::field::Empty,
            bytes = tracing::field::Empty,
            milliseconds = tracing::field::Empty,
            error = tracing::field::Empty
        )
    };
}

impl Span {
    /// The span of a create (`Stage`), a commit, a restore, or a garbage collection.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(crate) fn new(operation: Operation, location: &str) -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: match operation {
                Operation::Stage => span!("create", location),
                Operation::Commit => span!("commit", location),
                Operation::Restore => span!("restore", location),
                _ => span!("collect_garbage", location),
            },
            #[cfg(feature = "tracing")]
            since: std::time::Instant::now(),
        }
    }

    /// Runs `work` within this span.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        work()
    }

    /// Awaits `call` within this span, and records its result.
    pub(crate) async fn around<T>(
        self,
        call: impl Future<Output = Result<T>>,
        generation: impl Fn(&T) -> Option<&Generation>,
    ) -> Result<T> {
        let mut call = pin!(call);
        let result = poll_fn(|context| self.within(|| call.as_mut().poll(context))).await;
        self.end(&result, generation);
        result
    }

    /// Records the result: the generation and its size, or the error.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::unused_self))]
    pub(crate) fn end<'t, T>(&self, result: &'t Result<T>, generation: impl Fn(&'t T) -> Option<&'t Generation>) {
        #[cfg(feature = "tracing")]
        {
            match result {
                Ok(done) => {
                    if let Some(generation) = generation(done) {
                        self.span.record("generation", generation.name());
                        self.span.record("bytes", generation.size());
                    }
                }
                Err(error) => drop(self.span.record("error", tracing::field::display(error))),
            }
            self.span.record("milliseconds", u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(all(test, feature = "tracing", feature = "mem"))]
mod tests {
    use crate::{MiniSnapError, Operation, SnapStore, mem::Fault, mem::MemBackend};
    use std::{
        collections::BTreeMap,
        fmt,
        sync::{Arc, Mutex},
    };
    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    type Fields = BTreeMap<String, String>;

    /// The recorded spans with their fields, in the order of their starts, and the recorded events.
    #[derive(Clone, Default)]
    struct Recorded(Arc<Mutex<(Vec<RecordedSpan>, Vec<Fields>)>>);

    /// A span's name, and its fields.
    type RecordedSpan = (String, Fields);

    struct FieldVisitor<'a>(&'a mut Fields);

    impl Visit for FieldVisitor<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0.insert(field.name().into(), format!("{value:?}"));
        }
    }

    impl Subscriber for Recorded {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "minisnap"
        }

        fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
            let mut fields = Fields::new();
            attributes.record(&mut FieldVisitor(&mut fields));
            let mut recorded = self.0.lock().expect("a lock that no panic poisoned");
            recorded.0.push((attributes.metadata().name().into(), fields));
            span::Id::from_u64(recorded.0.len() as u64)
        }

        fn record(&self, span: &span::Id, values: &span::Record<'_>) {
            let mut recorded = self.0.lock().expect("a lock that no panic poisoned");
            let index = usize::try_from(span.into_u64()).expect("few spans") - 1;
            values.record(&mut FieldVisitor(&mut recorded.0[index].1));
        }

        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields::new();
            event.record(&mut FieldVisitor(&mut fields));
            self.0.lock().expect("no panic").1.push(fields);
        }

        fn enter(&self, _span: &span::Id) {}

        fn exit(&self, _span: &span::Id) {}
    }

    impl Recorded {
        fn spans(&self) -> Vec<RecordedSpan> {
            std::mem::take(&mut self.0.lock().expect("no panic").0)
        }

        fn events(&self) -> Vec<Fields> {
            std::mem::take(&mut self.0.lock().expect("no panic").1)
        }
    }

    #[tokio::test]
    async fn operation_has_a_span_with_its_facts() {
        let recorded = Recorded::default();
        let _guard = tracing::subscriber::set_default(recorded.clone());
        let store = SnapStore::with_backend(MemBackend::new());
        let committed = store.create(&[1], 7).await.expect("a snapshot");
        let create = recorded.spans();
        assert_eq!(create.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["create", "commit"]);
        store.restore::<Vec<u8>>().await.expect("a snapshot");
        let restore = recorded.spans();
        for (name, fields) in create.iter().chain(&restore) {
            assert_eq!(fields["location"], "\"memory:\"", "{name}");
            assert_eq!(fields["generation"], format!("{:?}", committed.generation().name()), "{name}");
            assert_eq!(fields["bytes"], "7", "{name}: [, a line of one number, ]");
            assert!(fields["milliseconds"].parse::<u64>().is_ok() && !fields.contains_key("error"), "{name}");
        }
        assert_eq!(restore.len(), 1);
        store.collect_garbage().await.expect("nothing to collect");
        let [(name, fields)] = &recorded.spans()[..] else { panic!("one span") };
        assert!(name == "collect_garbage" && fields.contains_key("milliseconds"), "{fields:?}");
    }

    #[tokio::test]
    async fn error_is_in_its_span_and_retry_is_an_event() {
        let recorded = Recorded::default();
        let _guard = tracing::subscriber::set_default(recorded.clone());
        let mem = MemBackend::new();
        let store = SnapStore::with_backend(mem.clone());
        mem.fail(Operation::Commit).with(Fault::StageLost).once();
        store.create(&1, 1).await.expect("a second stage is committed");
        assert!(recorded.events()[0]["reason"].contains("lost"), "a retry is an event");
        recorded.spans();
        mem.fail(Operation::Stage).with(Fault::Busy).once();
        let busy = store.create(&1, 2).await.expect_err("the planned failure");
        assert!(matches!(busy, MiniSnapError::Busy { .. }));
        let [(_, fields)] = &recorded.spans()[..] else { panic!("one span, without a commit") };
        assert_eq!(fields["error"], busy.to_string());
        assert!(fields.contains_key("milliseconds") && !fields.contains_key("generation"));
    }
}
