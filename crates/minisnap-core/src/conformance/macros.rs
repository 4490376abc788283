//! The macro that makes a `#[test]` for each case of the table.

// The options of the next macros are `([HOOK…] [ATTRIBUTE…])`.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($options:tt $($table:tt)*) => {
        mod current_thread {
            $crate::__conformance_groups! { $options CurrentThread $($table)* }
        }
        mod multi_thread {
            $crate::__conformance_groups! { $options MultiThread $($table)* }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_groups {
    ($options:tt $flavour:ident $($group:ident $cases:tt)* ; $($variant:ident $hook:ident $hook_cases:tt)*) => {
        $($crate::__conformance_group! { $options $flavour $group $cases })*
        $($crate::__conformance_hook! { $hook $options { $options $flavour $hook $hook_cases } })*
    };
}

/// Makes the tests of a group.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_group {
    (($hooks:tt $attributes:tt) $flavour:ident $group:ident { $($case:ident,)* }) => {
        mod $group {
            $($crate::__conformance_test! { $attributes $flavour $group $case })*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test {
    ([$(#[$attribute:meta])*] $flavour:ident $group:ident $case:ident) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            $crate::conformance::run_test::<super::super::StoreOfTheConformanceTests>(
                concat!(module_path!(), "::", stringify!($case)),
                concat!(stringify!($group), "::", stringify!($case)),
                $crate::conformance::Flavour::$flavour,
                super::super::HOOKS_OF_THE_CONFORMANCE_TESTS,
            );
        }
    };
}

/// Makes the tests of a hook if it is listed. If it isn't, makes tests that are ignored.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_hook {
    (processes ([processes $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (read_only ([read_only $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (write_lock ([write_lock $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (corrupt ([corrupt $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (unreachable ([unreachable $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (lost_answer ([lost_answer $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (neighbour ([neighbour $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (time_to_live ([time_to_live $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    (power_cut ([power_cut $($rest:ident)*] $attributes:tt) $tests:tt) => { $crate::__conformance_group! $tests };
    ($hook:ident ([$other:ident $($rest:ident)*] $attributes:tt) $tests:tt) => {
        $crate::__conformance_hook! { $hook ([$($rest)*] $attributes) $tests }
    };
    ($hook:ident ([] $attributes:tt) $tests:tt) => { $crate::__conformance_not_tested! $tests };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_not_tested {
    ($options:tt $flavour:ident $hook:ident { $($case:ident,)* }) => {
        mod $hook {
            mod not_tested {
                $(
                    #[test]
                    #[ignore = "the store under test has no such hook"]
                    fn $case() {
                        panic!("not tested: the store under test has no hook `{}`", stringify!($hook));
                    }
                )*
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_hook_variant {
    (processes) => {
        $crate::conformance::Hook::Processes
    };
    (read_only) => {
        $crate::conformance::Hook::ReadOnly
    };
    (write_lock) => {
        $crate::conformance::Hook::WriteLock
    };
    (corrupt) => {
        $crate::conformance::Hook::Corrupt
    };
    (unreachable) => {
        $crate::conformance::Hook::Unreachable
    };
    (lost_answer) => {
        $crate::conformance::Hook::LostAnswer
    };
    (neighbour) => {
        $crate::conformance::Hook::Neighbour
    };
    (time_to_live) => {
        $crate::conformance::Hook::TimeToLive
    };
    (power_cut) => {
        $crate::conformance::Hook::PowerCut
    };
    ($other:ident) => {
        compile_error!(concat!("the suite has no hook `", stringify!($other), "`"))
    };
}

/// Makes a `#[test]` of every case of the suite, for one [`StoreUnderTest`], on both kinds of runtime.
///
/// The tests are in the modules `current_thread` and `multi_thread`, with a module for each group. They need no other crate than
/// `minisnap-core` with the feature `conformance`. For several stores in a file, call the macro once in a module for each store.
///
/// After the store, list the [hooks](crate::conformance::Hook) that it offers: `conformance_tests!(MyStore, hooks = [processes, corrupt])`.
/// The tests of the other hooks are ignored, in modules named `not_tested`, and the report at the end of the run names their guarantees.
///
/// The macro sets attributes at its end on all these tests. If the tests need a server, ignore them by default:
/// `conformance_tests!(MyStore, hooks = [corrupt], #[ignore = "needs a server"])`. Run them in CI with
/// `cargo test -- --ignored --skip not_tested`.
///
/// The module [`conformance`](crate::conformance) has a complete example.
///
/// [`StoreUnderTest`]: crate::conformance::StoreUnderTest
#[macro_export]
macro_rules! conformance_tests {
    ($store:ty $(, #[$attribute:meta])*) => {
        $crate::conformance_tests!($store, hooks = [] $(, #[$attribute])*);
    };
    ($store:ty, hooks = [$($hook:ident),* $(,)?] $(, #[$attribute:meta])*) => {
        type StoreOfTheConformanceTests = $store;
        const HOOKS_OF_THE_CONFORMANCE_TESTS: &[$crate::conformance::Hook] = &[$($crate::__conformance_hook_variant!($hook)),*];
        $crate::__conformance_table!(__conformance_tests ([$($hook)*] [$(#[$attribute])*]));
    };
}
