//! Runs the program on folders and on an S3 server in this process. One binary, a module per command or topic.

#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

/// `accept` and `revert`.
mod accept;
/// Signals while the output is blocked.
mod blocked_output;
/// `collect-garbage`.
mod collect_garbage;
/// Completions, man pages, and the help.
mod completions_and_man;
/// `copy`.
mod copy;
/// `copy --onto`.
mod copy_onto;
/// `create`.
mod create;
/// Credentials and endpoints in the environment.
mod credentials;
/// `diff`.
mod diff;
/// Invalid endpoints and buckets.
mod endpoints;
/// Help that can be pasted.
mod help;
/// `history`.
mod history;
/// `import`.
mod import;
/// Ctrl-C and SIGTERM.
mod interrupt;
/// Errors as JSON.
mod json_errors;
/// Resource limits.
mod limits;
/// Links that are missing or replaced.
mod links;
/// `log`.
mod log;
/// The owner of journals.
mod log_access;
/// Edge cases of `log`.
mod log_edge_cases;
/// A lost commit record or current generation.
mod lost_record;
/// Mistakes, history gaps and races that must not lose data.
mod no_data_loss;
/// Paths inside a store, links as text, no threads.
mod path_mistakes;
/// Paths that are not UTF-8, folders that are no store.
mod paths;
/// Starting, pausing and killing the program.
mod processes;
/// `prune`.
mod prune;
/// `restore` and `cat`.
mod restore;
/// The access rights of a restored file.
mod restore_access;
/// The order of system calls of `restore`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod restore_order;
/// `rollback`.
mod rollback;
/// Selecting a snapshot by seq or name.
mod select;
/// `show`.
mod show;
/// A store in each state that an operator may meet.
mod store_states;
/// Sandboxes, and running the program in them.
mod support;
/// Output on a pseudo-terminal.
mod terminal;
/// Tracing system calls.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tracer;
/// Times that can't be represented.
mod unrepresentable_times;
/// `verify`.
mod verify;
/// `verify` of a store with files of root.
mod verify_access;
/// `watch`.
mod watch;
