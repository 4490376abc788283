//! JSON as it is written: what `serde_json::Value` would lose (a number's digits) is kept, because an operator's tool must
//! not change what it moves.

pub(crate) mod changes;
pub(crate) mod exact;
pub(crate) mod pretty;
mod tokens;
#[cfg(test)]
mod written;
