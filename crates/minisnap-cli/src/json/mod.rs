//! JSON as text: formatting and comparison preserve the digits of numbers, which `serde_json::Value` would lose. A tool for
//! operators must not change the data.

mod align;
pub(crate) mod changes;
mod equality;
mod list_alignment;
mod memory_budget;
pub(crate) mod pretty;
mod scan;
mod skip_index;
mod spans;
#[cfg(test)]
mod test_documents;
mod tokens;
