//! What errors say, and what they keep to themselves.

use minisnap_core::{ErrorContext, Generation, MiniSnapError, Operation, format};
use std::io;

#[test]
fn an_error_keeps_its_place_and_kind_on_the_way_through_io() {
    let at = ErrorContext::new(Operation::Write, "/data/state/snapshot.json");
    let full =
        || MiniSnapError::Io { at: at.clone(), action: "write", source: io::Error::from(io::ErrorKind::StorageFull) };
    let io = full().into_io();
    assert_eq!(io.kind(), io::ErrorKind::StorageFull);
    let back = MiniSnapError::from_write(io, || unreachable!("it carries its own place"));
    assert_eq!(back.to_string(), full().to_string());
    assert_eq!(back.to_string(), "write (/data/state/snapshot.json): cannot write: no storage space");
}

#[test]
fn a_bare_io_error_gets_the_place_it_lacks() {
    let error = MiniSnapError::from_write(io::Error::from(io::ErrorKind::BrokenPipe), || {
        ErrorContext::new(Operation::Write, "memory:")
    });
    assert!(matches!(&error, MiniSnapError::Io { at, .. } if at.location == "memory:"), "{error}");
}

#[test]
fn of_a_url_nothing_is_shown_that_may_be_secret() {
    for (url, shown) in [
        ("s3://bucket/app/state", "s3://bucket/app/state"),
        ("s3://user:word@bucket/app", "s3://bucket/app"),
        ("s3://user:wo@rd@bucket", "s3://bucket"),
        ("s3://bucket/app?token=x#y", "s3://bucket/app"),
        ("s3://bucket#token", "s3://bucket"),
        ("s3://user:wo?rd@bucket", "s3://…"),
        ("user:word@host/app?token=x", "host/app"),
        ("/data/state", "/data/state"),
    ] {
        assert_eq!(ErrorContext::of_url(Operation::Open, url).location, shown, "{url}");
    }
}

#[test]
fn an_error_names_the_generations_it_is_about_and_says_whether_the_outcome_is_known() {
    let at = || ErrorContext::new(Operation::Commit, "memory:");
    let (old, new) = (Generation::new("9-x2", 9), Generation::new("10-k7", 10));
    let serde = |generation| MiniSnapError::Serde {
        at: at(),
        generation,
        source: format::check_json(b"").expect_err("nothing is no JSON"),
    };
    let corrupt = |intact| MiniSnapError::Corrupt { at: at(), found: "f".into(), remedy: "r".into(), intact };
    let unknown = |previous| MiniSnapError::OutcomeUnknown {
        at: at(),
        generation: new.clone(),
        previous,
        source: "no answer".into(),
    };
    let conflict = MiniSnapError::Conflict { at: at(), expected: None, current: Some(old.clone()) };
    for (error, known, part) in [
        (conflict, true, "the current snapshot is 9-x2, not none as the publish demanded"),
        (serde(None), true, "the JSON doesn't fit"),
        (serde(Some(old.clone())), true, "the JSON of generation 9-x2 doesn't fit"),
        (corrupt(Vec::new()), true, "intact older generations: none found"),
        (corrupt(vec![new.clone(), old.clone()]), true, "intact older generations: 10-k7, 9-x2"),
        (unknown(None), false, "whether 10-k7 was published over none: no answer"),
        (unknown(Some(old)), false, "whether 10-k7 was published over 9-x2: no answer"),
    ] {
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!((error.outcome_known(), error.at()), (known, &at()), "{error}");
    }
}

#[test]
fn an_error_stays_small_enough_to_return() {
    assert!(size_of::<MiniSnapError>() <= 120, "{}", size_of::<MiniSnapError>());
}
