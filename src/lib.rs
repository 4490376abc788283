//! Saves a program's whole state as an atomic, human-readable snapshot, and restores it.
