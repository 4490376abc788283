//! JSON as it is written: what `serde_json::Value` would lose (a number's digits) is kept, because an operator's tool must
//! not change what it moves.

mod align;
mod budget;
pub(crate) mod changes;
mod identity;
mod landmarks;
mod lists;
mod pass;
pub(crate) mod pretty;
mod spans;
mod tokens;
#[cfg(test)]
mod written;
