//! The backend as its users have it, against memory, faulty stores and servers. One binary, a module per topic.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

/// Nothing goes on after the answer of a commit.
mod answered;
/// What a store without conditional writes is answered.
mod conditions;
/// The suite that every backend has to pass.
mod conformance;
/// Objects that are missing, cut short or not what the record says.
mod damage;
/// Reducing the retention.
mod expire;
/// Giving up a store.
mod give_up;
/// Corruption that is moved aside.
mod heal;
/// Opening by URL and options.
mod opening;
/// Maintenance, over HTTP.
mod over_http;
/// Reading in pieces.
mod pieces;
/// How many requests an operation makes.
mod requests;
/// Stores to test with.
mod support;
/// Uploads and downloads in parts.
mod transfers;
/// Checking a whole store.
mod verify;
