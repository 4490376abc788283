//! Malicious folders: the cases of `crates/minisnap-fs/tests/hostile`.

#![no_main]

#[path = "../../crates/minisnap-fs/tests/hostile/case.rs"]
mod case;
#[path = "../../crates/minisnap-fs/tests/hostile/check.rs"]
mod check;
#[path = "../../crates/minisnap-fs/tests/hostile/listing.rs"]
mod listing;
#[path = "../../crates/minisnap-fs/tests/hostile/names.rs"]
mod names;
#[path = "../../crates/minisnap-fs/tests/hostile/sandbox.rs"]
mod sandbox;

use case::Case;
use libfuzzer_sys::fuzz_target;
use sandbox::Sandbox;
use std::sync::LazyLock;

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new_in(&std::env::temp_dir()));

fuzz_target!(|case: Case| check::check(&SANDBOX, &case));
