//! Tests of the public API: journal, recovery and checkpoints.

mod arbitrary_files;
mod checkpoint;
mod corruption;
mod failed_open;
mod inspect;
mod journal;
mod ministore;
mod numbering;
mod recovery;
mod split_off;
mod support;
