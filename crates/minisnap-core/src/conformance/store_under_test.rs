//! The trait that a backend's tests implement: a store that the suite can create, open, inspect, and (by hooks) break.

use super::Profile;
use crate::{Generation, SnapshotBackend, async_trait};
use std::sync::Arc;

/// A store that the suite can create, open, and inspect. Dropping the value deletes the store.
///
/// Four methods are required. The [profile](Self::profile) and the [maximal size](Self::max_size) have defaults. The other methods are
/// *hooks*, which are optional: see [the list](super#hooks). Write those that your medium allows, and list them in
/// [`conformance_tests!`](crate::conformance_tests). A hook that isn't listed is never called, and its guarantee is reported as *not
/// tested*. The default of a hook returns `None`, and a listed hook must return `Some`.
#[async_trait]
pub trait StoreUnderTest: Sized + Send + Sync + 'static {
    /// Creates an empty store at a location of its own.
    async fn fresh() -> Self;

    /// Opens the store: returns a new handle.
    ///
    /// If all earlier handles were dropped, the store is *reopened*: the handle must see only what the medium holds.
    async fn open(&self) -> Arc<dyn SnapshotBackend>;

    /// Lists the garbage in the store: stages, data of expired generations, data of generations that were never committed.
    ///
    /// Look on the medium, past the backend. The commit record, the retained generations and permanent files (a lock file, links) don't
    /// count. The suite expects an empty list after later commits, and after a collection: it waits for that for ten seconds. If the
    /// backend has a grace time, [`open`](Self::open) sets one that is longer than a commit takes: a second or two.
    async fn garbage(&self) -> Vec<String>;

    /// The capabilities that this backend lacks. The suite checks that the backend refuses them with
    /// [`Unsupported`](crate::MiniSnapError::Unsupported).
    fn lacks() -> &'static [Capability];

    /// The amount of work of the cases. [`Profile::local`] unless overridden.
    #[must_use]
    fn profile() -> Profile {
        Profile::local()
    }

    /// The size of the largest JSON that the backend stores, in bytes; `None` without a limit.
    ///
    /// With a limit, no case writes a larger JSON, except the one that checks that the backend refuses it with
    /// [`Unsupported`](crate::MiniSnapError::Unsupported). The limit is at least 64 KiB.
    #[must_use]
    fn max_size() -> Option<usize> {
        None
    }

    /// Hook `processes`: the address of the store, by which another process opens it with [`open_address`](Self::open_address).
    ///
    /// The suite starts the test binary again as the other process, so the address is text: a path or a URL. It contains all that the
    /// other process can't know, such as the port of a server that [`fresh`](Self::fresh) started. This hook works only in the tests of
    /// [`conformance_tests!`](crate::conformance_tests), not in [`run_all`](super::run_all).
    fn address(&self) -> Option<String> {
        None
    }

    /// Hook `processes`: opens the store at the address, in another process than the one that created it.
    ///
    /// It must open the store as [`open`](Self::open) does, and create nothing.
    #[must_use]
    async fn open_address(address: &str) -> Option<Arc<dyn SnapshotBackend>> {
        let _ = address;
        None
    }

    /// Hook `read_only`: opens the store for a user who may read it, and may not write to it.
    ///
    /// The suite also opens an empty store, in which nothing was staged yet. If an administrator creates the tables of your stores, create
    /// them in [`fresh`](Self::fresh).
    ///
    /// - `PostgreSQL`, `MySQL`: a role that has `SELECT` on the tables, and nothing else.
    /// - `SQLite`: a connection with `SQLITE_OPEN_READONLY`.
    /// - Redis: a user whose ACL is `+@read`.
    /// - An object store: credentials that may get and list, or a wrapper around the client that refuses every other request.
    /// - A folder: a user without write permission. Root ignores permissions. So a test that runs as root needs a read-only mount, or a
    ///   wrapper that refuses to write.
    async fn open_read_only(&self) -> Option<Arc<dyn SnapshotBackend>> {
        None
    }

    /// Hook `write_lock`: takes the lock or the transaction that serializes the writers, as a writer that stops before its commit does.
    /// Dropping the value releases it. This hook is for a backend whose writers wait for each other.
    ///
    /// Take the lock past the backend. While it is held, the suite expects reads within 20 seconds, and a commit that is `Busy` within a
    /// minute. If the backend has an option for that time, [`open`](Self::open) sets a short one.
    ///
    /// - `SQLite`: a connection after `BEGIN IMMEDIATE`.
    /// - `PostgreSQL`, `MySQL`: a connection in a transaction that has locked the row of the commit record.
    /// - A folder: the file of the lock, locked.
    async fn hold_write_lock(&self) -> Option<Box<dyn Send>> {
        None
    }

    /// Hook `corrupt`: changes a byte of the stored JSON of `generation`, and nothing else: not its size, and not the recorded digest.
    ///
    /// The suite has dropped its handles, and opens new ones afterwards. If the JSON is compressed or in several rows, change any of its
    /// bytes.
    ///
    /// - A database: read the column, change a byte, and `UPDATE` the row, past the backend.
    /// - Redis: `SETRANGE`, on the key of the JSON.
    /// - An object store: put the changed bytes under the same key.
    /// - A folder: write a byte in the middle of the file.
    async fn corrupt(&self, generation: &Generation) -> Option<()> {
        let _ = generation;
        None
    }

    /// Hook `unreachable`: a handle on this store that can't reach it: its requests are refused, or never sent.
    ///
    /// Each call has to end with an error within 30 seconds: open the handle with short timeouts. Its [`location`] may differ from that of
    /// other handles. The store itself has to stay as it is: the suite reads it again through [`open`](Self::open).
    ///
    /// - A server: an address on which nothing listens, a wrong password, or a host that doesn't exist. If your backend connects when it
    ///   is opened, put a proxy in between, and close it after the handle was opened.
    /// - `SQLite`: a handle on another database, whose file you delete after it was opened.
    /// - A folder: a path that goes through a file.
    /// - An object store: a wrapper around the client that fails every request, or a bucket that doesn't exist.
    ///
    /// [`location`]: crate::SnapshotBackend::location
    async fn unreachable(&self) -> Option<Arc<dyn SnapshotBackend>> {
        None
    }

    /// Hook `lost_answer`: a handle whose next commit takes effect, but the answer to it is lost.
    ///
    /// Lose the answer to the one request that makes the commit happen. Requests before it and after it are answered, also those that read
    /// the outcome. Repeated attempts of the same commit are answered, too.
    ///
    /// The commit returns `OutcomeUnknown`, or `Ok` if the backend reads the outcome. To test both in a backend that reads the outcome,
    /// write a second store under test. Its hook also fails the requests of that commit that read the outcome.
    ///
    /// - `PostgreSQL`, `MySQL`: a proxy that forwards `COMMIT`, and closes the connection before it forwards the answer.
    /// - Redis: the same for `EXEC` or the script.
    /// - An object store: a wrapper around the client that puts the commit record, and returns an error.
    /// - `SQLite`: a virtual file system whose sync at the end of `COMMIT` succeeds, and returns an error.
    async fn lose_next_answer(&self) -> Option<Arc<dyn SnapshotBackend>> {
        None
    }

    /// Hook `neighbour`: another empty store on the same medium, with a similar name.
    ///
    /// The suite uses both values concurrently, and drops them in any order: share the medium by an [`Arc`].
    ///
    /// - A database: another store in the same tables. Use names of which one is the beginning of the other, with a wildcard of `LIKE`:
    ///   `state` and `state_2`.
    /// - Redis: another key prefix of that kind in the same database.
    /// - An object store: the prefixes `app/state` and `app/state-2` in the same bucket.
    /// - Files: two files or folders in one folder, as `state.db` and `state.db2`.
    async fn neighbour(&self) -> Option<Self> {
        None
    }

    /// Hook `time_to_live`: deletes now all that the medium would delete by itself at a later time. For a backend that sets such times,
    /// on its stages for example.
    ///
    /// - Redis: `PEXPIRE` with one millisecond, on each key of the store that has a time to live.
    /// - `MongoDB`, `DynamoDB`: delete each entry with a value in the field of the time to live.
    /// - An object store with a lifecycle rule: delete each object that the rule matches.
    async fn end_times_to_live(&self) -> Option<()> {
        None
    }

    /// Hook `power_cut`: cuts the power of the medium: everything that isn't durable is lost.
    ///
    /// The suite has dropped all its handles and futures. Work of a cancelled call may still be running for a moment. Killing the process
    /// that writes the files isn't enough: the operating system still has what it wrote.
    ///
    /// - A server: store its data on a file system that can forget what wasn't synced (`LazyFS`, a virtual machine that is reset). Kill the
    ///   server, let the file system forget, and start the server again. Without such a file system, kill the server by `kill -9` or
    ///   `pg_ctl stop -m immediate`. That finds less: `synchronous_commit = off`, for example.
    /// - `SQLite`, files: the same file system, or a layer under your backend that keeps what wasn't synced in memory.
    /// - A program that records its system calls can test every point of a power loss, without this hook: see the crate
    ///   `minisnap-crash-model`.
    async fn power_cut(&self) -> Option<()> {
        None
    }
}

/// A capability that a backend may lack. Everything else is mandatory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Committing with [`Precondition::IfNewer`](crate::Precondition::IfNewer).
    IfNewer,
    /// Committing with [`Precondition::IfCurrent`](crate::Precondition::IfCurrent).
    IfCurrent,
}
