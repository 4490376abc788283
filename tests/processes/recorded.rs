//! What a process did to a disk, call by call, and every state that a power loss may leave of it.
//!
//! A peer runs under the tracer, with `root` as its disk, and each of its system calls that changes what is under `root`,
//! or makes it durable, becomes an event of the model in `minisnap-crash-model`. So it doesn't matter in which crate the
//! calls are made, and nothing in the product has to know of it.
//!
//! ```text
//! fn deed() {
//!     if let Some(job) = peers::job() {
//!         job.say("ready"); // and what is on the disk now is durable
//!         job.hear();
//!         ...
//!         job.say("what is acknowledged"); // from here on it may be found, and nothing else
//!         ...
//!         return job.say("done");
//!     }
//!     let recording = recorded(root, peers::of(deed).dir(root));
//!     recording.for_each_state(|disk, said| ...);
//! }
//! ```
//!
//! Calls that change the disk are let through one at a time, so that their order is certain; it is one of those that the
//! system may choose. A call that this doesn't understand ends the test: see `calls.rs`. And at the end what was recorded
//! must add up to what is on the disk.

/// System calls, and what they do to the disk.
mod calls;
/// What `/proc` tells of a process that stands still.
mod memory;
/// States after a power loss.
mod states;
/// What is recorded of each call, and what ends the test.
mod understood;

use super::tracer::{self, Stop, Tracer};
use crate::peers::{MARK, Start};
use calls::{Attempt, Effect, Watch};
use minisnap_crash_model::{Event, Model, Tree};
use std::{collections::VecDeque, fs, path::Path, sync::Arc};

/// An entry of a recording.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Did(Event),
    /// The peer said this line.
    Said(String),
}

/// What a peer did to a disk that was at rest before.
#[derive(Clone)]
pub(crate) struct Recording {
    start: Arc<Tree>,
    pub(crate) steps: Vec<Step>,
}

/// Starts a peer that says "ready", tells it to go, and records what it does to all that is under `root` until it says
/// "done".
///
/// # Panics
///
/// If it makes a call that isn't understood, or if this process may not trace another.
pub(crate) fn recorded(root: &Path, peer: Start) -> Recording {
    let root = fs::canonicalize(root).expect("the root");
    let mut peer = peer.start();
    assert_eq!(peer.hear(), "ready");
    let start = look(&root);
    let steps = tracer::trace(&mut peer, |tracer| record(tracer, &root, Model::of(&start)));
    peer.kill();
    let mut model = Model::of(&start);
    for step in &steps {
        if let Step::Did(event) = step {
            model.apply(event);
        }
    }
    let (recorded, found) = (model.now(), look(&root));
    assert!(recorded == found, "not all of it was recorded:\n{recorded}\ninstead of\n{found}");
    Recording { start, steps }
}

fn look(root: &Path) -> Arc<Tree> {
    Tree::read_from(root, &str::to_owned).expect("to read the disk")
}

fn record(mut tracer: Tracer<'_>, root: &Path, model: Model) -> Vec<Step> {
    let mut watch = Watch::new(tracer.id(), root, model);
    let mut output = Output::default();
    let mut steps = Vec::new();
    // A thread in the middle of a call that may have an effect, and those that wait for it to be over.
    let mut at_work: Option<(_, Attempt)> = None;
    let mut waiting = VecDeque::new();
    tracer.tell_to_go();
    loop {
        let (thread, stop) = tracer.next();
        match stop {
            Stop::Beginning(call) if call.may_have_an_effect() => waiting.push_back((thread, call)),
            Stop::Beginning(_) => tracer.resume(thread),
            Stop::End(result) => {
                if let Some((_, attempt)) = at_work.take_if(|(at_work, _)| *at_work == thread) {
                    match watch.end(attempt, result) {
                        Some(Effect::Change(event)) => steps.push(Step::Did(event)),
                        Some(Effect::Output(bytes)) => steps.extend(output.add(&bytes).into_iter().map(Step::Said)),
                        None => {}
                    }
                    if steps.pop_if(|step| *step == Step::Said("done".into())).is_some() {
                        return steps;
                    }
                }
                tracer.resume(thread);
            }
        }
        if at_work.is_none()
            && let Some((thread, call)) = waiting.pop_front()
        {
            at_work = Some((thread, watch.begin(&call)));
            tracer.resume(thread);
        }
    }
}

/// What a peer wrote to its output: lines of its own, and the test harness's.
#[derive(Default)]
struct Output {
    line: Vec<u8>,
}

impl Output {
    /// Returns what the peer said that is complete by now.
    fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        self.line.extend_from_slice(bytes);
        let complete = self.line.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text: Vec<u8> = self.line.drain(..complete).collect();
        let text = String::from_utf8(text).expect("text");
        text.lines().filter_map(|line| line.strip_prefix(MARK)).map(str::to_owned).collect()
    }
}
