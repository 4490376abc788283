//! The recording of a child process: each change that it makes to a disk, and every state that a power loss may leave.
//!
//! The child runs under the tracer, with the folder `root` as its disk. Each system call that changes a file under `root`, or
//! makes it durable, becomes an event of the model in `minisnap-crash-model`. So the crate that makes the call doesn't
//! matter, and the product needs no support for the recording.
//!
//! ```text
//! fn test() {
//!     if let Some(job) = child_process::job() {
//!         job.send("ready"); // the content of the disk is durable now
//!         job.receive();
//!         ...
//!         job.send("committed"); // from here on, a power loss must preserve the commit
//!         ...
//!         return job.send("done");
//!     }
//!     let recording = record(root, child_process::of(test).dir(root));
//!     recording.for_each_state(|disk, output| ...);
//! }
//! ```
//!
//! Calls that change the disk are executed one at a time, so that their order is certain. It is one of the orders that the
//! kernel may choose. An unsupported call fails the test: see `syscall_effects.rs`. At the end, the recorded events must
//! result in the content of the disk.

/// The states after a power loss.
mod crash_states;
/// The memory and open files of a stopped process, read from `/proc`.
mod procfs;
/// The effects of system calls on the disk.
mod syscall_effects;
/// Tests of the recording.
mod tests;

use super::tracer::{self, Stop, Tracer};
use crate::child_process::{ChildBuilder, MARK};
use minisnap_crash_model::{Event, Model, Tree};
use std::{collections::VecDeque, fs, path::Path, sync::Arc};
use syscall_effects::{Attempt, Effect, Watch};

/// An entry of a recording.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Changed(Event),
    /// The child sent this line.
    Printed(String),
}

/// The initial content of a disk, which was durable, and the steps of a child since then.
#[derive(Clone)]
pub(crate) struct Recording {
    start: Arc<Tree>,
    pub(crate) steps: Vec<Step>,
}

/// Starts a child that sends "ready", starts its job, and records all changes under `root` until it sends "done".
///
/// # Panics
///
/// If the child makes an unsupported call, or if this process can't trace the child.
pub(crate) fn record(root: &Path, child: ChildBuilder) -> Recording {
    let root = fs::canonicalize(root).expect("the root");
    let mut child = child.start();
    assert_eq!(child.receive(), "ready");
    let start = read_tree(&root);
    let steps = tracer::trace(&mut child, |tracer| trace_changes(tracer, &root, Model::of(&start)));
    child.kill();
    let mut model = Model::of(&start);
    for step in &steps {
        if let Step::Changed(event) = step {
            model.apply(event);
        }
    }
    let (recorded, found) = (model.now(), read_tree(&root));
    assert!(recorded == found, "the recording is incomplete: it results in\n{recorded}\ninstead of\n{found}");
    Recording { start, steps }
}

fn read_tree(root: &Path) -> Arc<Tree> {
    Tree::read_from(root, &str::to_owned).expect("to read the disk")
}

fn trace_changes(mut tracer: Tracer<'_>, root: &Path, model: Model) -> Vec<Step> {
    let mut watch = Watch::new(tracer.id(), root, model);
    let mut output = Output::default();
    let mut steps = Vec::new();
    // The thread that executes a call with a possible effect, and the threads that wait for its end.
    let mut active: Option<(_, Attempt)> = None;
    let mut waiting = VecDeque::new();
    tracer.send_go();
    loop {
        let (thread, stop) = tracer.next();
        match stop {
            Stop::Beginning(call) if call.may_have_an_effect() => waiting.push_back((thread, call)),
            Stop::Beginning(_) => tracer.resume(thread),
            Stop::End(result) => {
                if let Some((_, attempt)) = active.take_if(|(active, _)| *active == thread) {
                    match watch.end(attempt, result) {
                        Some(Effect::Change(event)) => steps.push(Step::Changed(event)),
                        Some(Effect::Output(bytes)) => steps.extend(output.add(&bytes).into_iter().map(Step::Printed)),
                        None => {}
                    }
                    if steps.pop_if(|step| *step == Step::Printed("done".into())).is_some() {
                        return steps;
                    }
                }
                tracer.resume(thread);
            }
        }
        if active.is_none()
            && let Some((thread, call)) = waiting.pop_front()
        {
            active = Some((thread, watch.begin(&call)));
            tracer.resume(thread);
        }
    }
}

/// The output of a child: its own lines, and those of the test harness.
#[derive(Default)]
struct Output {
    line: Vec<u8>,
}

impl Output {
    /// Adds bytes, and returns the lines of the child that are complete now.
    fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        self.line.extend_from_slice(bytes);
        let complete = self.line.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text: Vec<u8> = self.line.drain(..complete).collect();
        let text = String::from_utf8(text).expect("text");
        text.lines().filter_map(|line| line.strip_prefix(MARK)).map(str::to_owned).collect()
    }
}
