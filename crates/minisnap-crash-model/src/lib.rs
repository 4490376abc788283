//! What is on the disk and what is only in memory, call by call; and every state a power loss may leave.
//!
//! A test records what a program did to a folder as [`Event`]s, in the order in which they took effect, and does the same
//! to a [`Model`]. At any point that tells every [`Tree`] that may be found if the power goes there.
//!
//! What is assumed, no more than POSIX and the common file systems give:
//!
//! - Data written since a file's last sync may be there, be cut off half-way, be zeros, or not be there at all. Its size
//!   and its bytes are lost apart from its name: a name may survive with an empty file.
//! - A file that was cut since its last sync may have its old length or the new one. In what was cut off, and in what was
//!   written there since, there may be the old bytes, the new ones, new ones up to some point and then old ones, or zeros:
//!   the length and the bytes reach the disk apart from each other. See `data.rs`.
//! - Each change of a folder's entries since its last sync (a name made, removed, or taken by another file) may be there
//!   or not, whatever became of the others; of two changes to one name the later wins if both are there.
//! - A rename within a folder is one change: old name gone, new name there. One across two folders is a change in each,
//!   and either may survive alone. File systems with a journal never do that, but nothing promises it.
//! - A synced file's data is there, under whatever names survive; a synced folder's entries are there, as they were.
//! - A folder whose name didn't survive takes what is in it with it, synced or not.
//! - A symbolic link is whole if its name is there: it can't be synced by itself, and short ones live in the inode.

#![cfg(unix)]

mod data;
mod event;
mod model;
mod tree;

pub use event::Event;
pub use model::{Beside, Model};
pub use tree::{Listing, Tree};
