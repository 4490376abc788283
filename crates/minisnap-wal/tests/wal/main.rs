//! The log, recovery and compaction, from the outside.

mod checkpoint;
mod damage;
mod hostile;
mod inspect;
mod journal;
mod kit;
mod ministore;
mod recovery;
mod split_off;
mod start;
