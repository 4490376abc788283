# Sourced by scripts that run the conformance suite on a server: of a script `with-*`, or in the tests' process.
# shellcheck shell=bash

# The number of tests of the suite on a server: each case on two kinds of runtime, without those that need another hook
# (modules not_tested).
cases=250

# Runs the suite, and checks the number of its tests, since a filter without matches passes, too. The tests are built with all
# packages, so that no crate is compiled again. Eight run in parallel, because they mostly wait for the server.
suite_on() {
    local server=$1 with=() output
    output=$(mktemp)
    if [[ -e scripts/with-$server ]]; then with=("scripts/with-$server"); fi
    "${with[@]}" cargo test --test tests -- --ignored --skip not_tested --test-threads 8 "conformance::$server" | tee "$output"
    grep -E "^test result: ok\. $cases passed; 0 failed; 0 ignored" "$output" || {
        echo "$server: not all of the $cases tests ran" >&2
        exit 1
    }
}

# Runs the eight processes that commit by compare-and-swap, also while a server is killed, and checks the number of tests.
server_races_on() {
    local server=$1 output
    output=$(mktemp)
    "scripts/with-$server" cargo test --test tests -- --ignored --nocapture --test-threads 1 "server_races::$server" | tee "$output"
    grep "^test result: ok. 2 passed; 0 failed; 0 ignored" "$output" || {
        echo "$server: not both tests with eight processes ran" >&2
        exit 1
    }
}
