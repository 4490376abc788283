//! A model of a disk for crash tests: it tracks which changes are durable, and computes every state that a power loss may leave.
//!
//! A test records the calls of a program on a folder as [`Event`]s, in the order in which they took effect. It applies the events to a
//! [`Model`]. At any point, [`Model::after_power_loss`] returns every [`Tree`] that may be found.
//!
//! # Assumptions
//!
//! The model assumes no more than POSIX and common file systems guarantee:
//!
//! - *File data.* Bytes written since the last sync of a file may survive completely, partially, as zeros, or not at all. The name
//!   of the file survives independently: a name may survive with an empty file.
//! - *Truncation.* A file that was truncated since its last sync may have its old length or the new one. The truncated range may have
//!   the old bytes, the new ones, new ones followed by old ones, or zeros. The length and the bytes become durable separately.
//! - *Writes at an offset.* Each write and each truncation since the last sync of the file may survive or not, independently of the others.
//!   If several write the same bytes, the later surviving one applies. The last surviving write may be torn: only its first or only
//!   its second half survives, divided at a boundary of sectors (512 bytes). A sector is written completely or not at all, and bytes
//!   that no write contains don't change (SQLite calls this *powersafe overwrite*). The length may survive without the bytes, which are
//!   zeros then. A file with more than five pending changes has too many combinations. The model returns those in which only the first
//!   *n* survive, only the last *n*, only one, and all but one.
//! - *Folder entries.* Each change of an entry since the last sync of its folder may survive or not, independently of the others. If
//!   two changes of one name survive, the later one applies.
//! - *Renames.* A rename within a folder is one change. A rename across folders is one change in each, and either may survive alone.
//! - *Syncs.* The data of a synced file survives under each name that survives. The entries of a synced folder survive.
//! - *Folders.* If the name of a folder doesn't survive, no entry in the folder survives, synced or not.
//! - *Symbolic links.* A link is complete if its name survives.
//!
//! # Examples
//!
//! ```
//! use minisnap_crash_model::{Event, Listing, Model, Tree};
//!
//! let mut model = Model::of(&Tree::Folder(Listing::new()));
//! model.apply(&Event::CreateFile("log".into()));
//! model.apply(&Event::Write("log".into(), b"ab".to_vec()));
//! model.apply(&Event::Sync("log".into()));
//! // The data is synced, and the name isn't: the file may be missing.
//! assert_eq!(model.after_power_loss(&|_, _| false).len(), 2);
//!
//! model.apply(&Event::Sync(String::new())); // the root folder
//! assert_eq!(model.after_power_loss(&|_, _| false), [model.now()]);
//! ```

#![cfg(unix)]

mod data;
mod event;
mod model;
mod overwrites;
mod tree;

pub use event::Event;
pub use model::{Model, Siblings};
pub use tree::{Listing, Tree};
