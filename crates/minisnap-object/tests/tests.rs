//! The backend as its users call it, on stores in memory, faulty stores and servers. One binary with a module for each topic.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

/// A commit has no effects after it has returned.
mod after_return;
/// Reading as a stream, and discarding a stage.
mod chunks;
/// The check of a store's conditional writes.
mod condition_check;
/// Stores that ignore the conditions of conditional writes.
mod conditions;
/// The suite that every backend must pass.
mod conformance;
/// JSONs that are corrupt or missing.
mod corrupt_json;
/// Commit records that are corrupt, missing or of a later version.
mod corrupt_record;
/// Reducing the retention.
mod expire;
/// Objects of other programs under the prefix, whose keys the client rejects.
mod external_keys;
/// Requests that fail, over real connections: the error, its causes, its advice, and how soon it comes.
mod failures;
/// Garbage collection.
mod garbage;
/// Giving up a store.
mod give_up;
/// Google's rate limit: one write a second to an object.
mod google;
/// Moving corrupt generations aside.
mod move_aside;
/// Uploads and downloads in parts.
mod multipart;
/// Opening by URL and options.
mod open;
/// Maintenance operations over HTTP.
mod over_http;
/// Garbage that is overdue.
mod overdue;
/// Servers that minisnap refuses.
mod refused;
/// How many requests an operation makes.
mod requests;
/// Stores for tests.
mod support;
/// Commits that get no answer, or an error, from the store.
mod uncertain_commits;
/// Objects that can't be deleted, and stores without bulk delete.
mod undeletable;
/// Verifying a store.
mod verify;
