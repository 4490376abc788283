//! Errors: texts, advice, causes and conversions. No text shows secrets.

use minisnap_core::{
    Absence, Corruption, ErrorContext, ExternalChange, Generation, MiniSnapError, Operation, Problem, Verification,
    VerifiedGeneration, format,
};
use std::{error::Error, io, time::Duration};

#[test]
fn error_keeps_its_context_and_kind_through_an_io_error() {
    let at = ErrorContext::new(Operation::Write, "/data/state/snapshot.json");
    let full =
        || MiniSnapError::Io { at: at.clone(), action: "write", source: io::Error::from(io::ErrorKind::StorageFull) };
    let io = io::Error::from(full());
    assert_eq!(io.kind(), io::ErrorKind::StorageFull);
    let back = MiniSnapError::from_write(io, || unreachable!("the error has its own context"));
    assert_eq!(back.to_string(), full().to_string());
    assert_eq!(back.to_string(), "write (/data/state/snapshot.json): cannot write");
}

#[test]
fn plain_io_error_gets_the_context_of_the_write() {
    let error = MiniSnapError::from_write(io::Error::from(io::ErrorKind::BrokenPipe), || {
        ErrorContext::new(Operation::Write, "memory:")
    });
    assert!(matches!(&error, MiniSnapError::Io { at, .. } if at.location() == "memory:"), "{error}");
}

#[test]
fn context_of_a_url_has_no_secrets() {
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
        assert_eq!(ErrorContext::of_url(Operation::Open, url).location(), shown, "{url}");
    }
}

#[test]
fn error_names_its_generations() {
    let at = || ErrorContext::new(Operation::Commit, "memory:");
    let (old, new) = (Generation::new("9-x2", 9), Generation::new("10-k7", 10));
    let serde = |generation, source| MiniSnapError::Serde { at: at(), generation, source };
    let other_type = || serde_json::from_str::<u8>("[]").expect_err("an array is no number");
    let unknown = |previous| MiniSnapError::OutcomeUnknown {
        at: at(),
        generation: new.clone(),
        previous,
        source: "no answer".into(),
    };
    let conflict = MiniSnapError::Conflict { at: at(), expected: None, current: Some(old.clone()) };
    for (error, known, part) in [
        (conflict, true, "the current snapshot is 9-x2, not none as expected"),
        (serde(None, not_json()), true, "the text isn't valid JSON"),
        (serde(None, other_type()), true, "the state can't be stored as JSON"),
        (serde(Some(old.clone()), not_json()), true, "the JSON of generation 9-x2 isn't valid"),
        (
            serde(Some(old.clone()), other_type()),
            true,
            "the JSON of generation 9-x2 doesn't match the type of the state",
        ),
        (unknown(None), false, "whether 10-k7 was committed over none"),
        (unknown(Some(old)), false, "whether 10-k7 was committed over 9-x2"),
    ] {
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!((error.outcome_known(), error.at()), (known, &at()), "{error}");
    }
}

fn not_json() -> serde_json::Error {
    format::check_json(b"").expect_err("an empty text is not JSON")
}

/// Errors of each variant, with a cause where the variant has one.
fn one_of_each_variant() -> Vec<MiniSnapError> {
    let at = || ErrorContext::new(Operation::Commit, "/data/state");
    let generation = || Generation::new("10-k7", 10);
    let corrupt =
        |intact, unconfirmed| MiniSnapError::Corrupt { at: at(), found: Corruption::Missing, intact, unconfirmed };
    let io = |kind| MiniSnapError::Io { at: at(), action: "sync", source: io::Error::new(kind, "the cause") };
    vec![
        MiniSnapError::NotFound { at: at(), found: Absence::Empty },
        MiniSnapError::NotFound { at: at(), found: Absence::OnlyAbove { seq: 3, retained: vec![9, 7] } },
        MiniSnapError::NotFound { at: at(), found: Absence::HalfPair { there: "a", missing: "b" } },
        MiniSnapError::Expired { at: at(), generation: generation() },
        MiniSnapError::Stale { at: at(), seq: 9, current: generation() },
        MiniSnapError::Conflict { at: at(), expected: None, current: Some(generation()) },
        MiniSnapError::Busy { at: at(), waited: Duration::ZERO, reason: "locked".into() },
        MiniSnapError::StageLost { at: at(), reason: "collected".into() },
        MiniSnapError::OutcomeUnknown {
            at: at(),
            generation: generation(),
            previous: None,
            source: "the cause".into(),
        },
        io(io::ErrorKind::StorageFull),
        io(io::ErrorKind::TimedOut),
        MiniSnapError::Backend { at: at(), transient: true, source: "the cause".into(), help: None },
        MiniSnapError::Backend { at: at(), transient: false, source: "the cause".into(), help: Some("look".into()) },
        MiniSnapError::Backend { at: at(), transient: false, source: "the cause".into(), help: None },
        MiniSnapError::Serde { at: at(), generation: Some(generation()), source: not_json() },
        MiniSnapError::MapKey { at: at(), path: String::new(), key_type: "()", source: not_json() },
        MiniSnapError::Unrestorable { at: at(), reason: "NaN".into() },
        MiniSnapError::InvalidSequence { at: at(), found: "x".into() },
        corrupt(Vec::new(), Vec::new()),
        corrupt(vec![generation()], Vec::new()),
        corrupt(Vec::new(), vec![generation()]),
        MiniSnapError::NewerFormat { at: at(), found: 3, supported: 2 },
        MiniSnapError::ExternalChange { at: at(), found: ExternalChange::Replaced { current: 3 } },
        MiniSnapError::InsideStore { at: at(), store: Some("/data".into()) },
        MiniSnapError::InsideStore { at: at(), store: None },
        MiniSnapError::Unsupported { at: at(), what: "links".into(), help: None },
        MiniSnapError::InvalidUrl { at: at(), reason: "no scheme".into(), help: Some("write ./ before it".into()) },
    ]
}

#[test]
fn display_is_one_line_with_the_location_and_no_cause() {
    for error in one_of_each_variant() {
        let text = error.to_string();
        assert!(text.starts_with("commit (/data/state): ") && !text.contains('\n'), "{text}");
        let cause = error.source().map(|cause| cause.to_string());
        assert!(cause.is_none_or(|cause| !text.contains(&cause)), "Display doesn't repeat the cause: {text}");
        let help = error.help();
        assert!(help.as_ref().is_none_or(|help| !text.contains(&**help)), "no advice: {text}");
        assert!(help.is_none_or(|help| !help.ends_with('.')), "{text}");
    }
}

#[test]
fn help_names_the_intact_generations_of_the_store() {
    let help = |index: usize| one_of_each_variant().swap_remove(index).help().map(|help| help.into_owned());
    let find = |part: &str| {
        one_of_each_variant().iter().position(|error| error.help().is_some_and(|help| help.contains(part)))
    };
    assert!(find("possibly never committed: 10-k7; `FsBackend::reset_to` makes").is_some());
    assert!(find("restore the newest intact generation, 10-k7").is_some());
    assert!(find("bring the store back from a backup").is_some(), "nothing is intact");
    assert!(find("free disk space").is_some());
    assert!(find("did you mean /data?").is_some());
    assert!(help(0).is_some_and(|help| help.contains("start from an empty state")));
}

#[test]
fn transient_errors_are_those_a_retry_may_resolve() {
    let transient: Vec<_> =
        one_of_each_variant().into_iter().filter(MiniSnapError::is_transient).map(|error| kind(&error)).collect();
    assert_eq!(transient, ["Busy", "StageLost", "OutcomeUnknown", "Io", "Backend"]);
}

/// The name of the variant.
fn kind(error: &MiniSnapError) -> String {
    let shown = format!("{error:?}");
    shown.split([' ', '(']).next().unwrap_or_default().to_owned()
}

#[test]
fn io_error_keeps_its_kind_and_others_get_a_fitting_kind() {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, ResourceBusy, StorageFull, TimedOut, Unsupported};
    for error in one_of_each_variant() {
        let expected = match kind(&error).as_str() {
            "NotFound" | "Expired" => NotFound,
            "Busy" => ResourceBusy,
            "Io" if error.is_transient() => TimedOut,
            "Io" => StorageFull,
            "Serde" | "InvalidSequence" | "Corrupt" | "ExternalChange" => InvalidData,
            "MapKey" | "Unrestorable" | "InsideStore" | "InvalidUrl" => InvalidInput,
            "Unsupported" | "NewerFormat" => Unsupported,
            _ => Other,
        };
        let text = error.to_string();
        let io = io::Error::from(error);
        assert_eq!((io.kind(), io.to_string()), (expected, text));
    }
}

/// An error that describes the store becomes a problem. An error that prevents a verification stays an error.
#[test]
fn error_is_a_problem_when_it_describes_the_store() {
    for error in one_of_each_variant() {
        let kind = kind(&error);
        let is_of_the_store = matches!(kind.as_str(), "NotFound" | "InvalidSequence" | "Corrupt" | "ExternalChange");
        match Problem::try_from(error) {
            Ok(problem) => {
                assert!(is_of_the_store, "{kind}: {problem}");
                assert_eq!(problem.location, "/data/state", "{kind}");
            }
            Err(error) => assert!(!is_of_the_store && error.at().location() == "/data/state", "{error}"),
        }
    }
}

/// A backend knows the failed operation only at its boundary.
#[test]
fn error_has_another_operation_after_during() {
    for error in one_of_each_variant() {
        let (kind, location) = (kind(&error), error.at().location().to_owned());
        let error = error.during(Operation::Verify);
        assert_eq!(*error.at(), ErrorContext::new(Operation::Verify, location), "{kind}");
        assert!(error.to_string().starts_with("verify (/data/state): "), "{error}");
    }
    let at = || ErrorContext::new(Operation::Commit, "/data/state");
    let source = Box::new(MiniSnapError::WriterClosed { at: at() });
    let unknown =
        MiniSnapError::OutcomeUnknown { at: at(), generation: Generation::new("1", 1), previous: None, source };
    let error = unknown.during(Operation::Reset);
    let cause = error.source().expect("the cause").to_string();
    assert!(cause.starts_with("reset (/data/state): "), "{cause}");
}

#[test]
fn newer_format_names_both_versions() {
    let at = ErrorContext::new(Operation::Open, "/data/state");
    let error = MiniSnapError::NewerFormat { at, found: 3, supported: 2 };
    let text = "open (/data/state): the store has format 3, but this version of minisnap supports formats up to 2";
    assert_eq!(error.to_string(), text);
    assert!(error.outcome_known() && !error.is_transient());
}

#[test]
fn error_size_is_at_most_120_bytes() {
    assert!(size_of::<MiniSnapError>() <= 120, "{}", size_of::<MiniSnapError>());
}

#[test]
fn intact_generations_are_added_to_corrupt_errors_only() {
    let at = || ErrorContext::new(Operation::Read, "app.db");
    let lists = |error: MiniSnapError| match error {
        MiniSnapError::Corrupt { intact, unconfirmed, .. } => [intact, unconfirmed].map(|list| format!("{list:?}")),
        other => panic!("{other}"),
    };
    let named =
        |names: &[&str]| format!("{:?}", names.iter().map(|name| Generation::new(*name, 1)).collect::<Vec<_>>());
    let corrupt = || MiniSnapError::corrupt(at(), Corruption::Missing);
    let generations = || ["c", "a"].map(|name| Generation::new(name, 1));

    let mut verification = Verification::new(vec![
        VerifiedGeneration::intact(Generation::new("c", 1)),
        VerifiedGeneration::corrupt(Generation::new("b", 1), Problem::new("app.db/b", Corruption::Missing)),
        VerifiedGeneration::intact(Generation::new("a", 1)),
    ]);
    verification.unconfirmed.push(Generation::new("x", 1));
    assert_eq!(verification.newest_intact().map(Generation::name), Some("c"));
    assert_eq!(lists(corrupt().with_verification(&verification)), [named(&["c", "a"]), named(&["x"])]);
    assert_eq!(lists(corrupt().with_intact(generations())), [named(&["c", "a"]), named(&[])]);

    // The first lists stay: those of the place that found the corruption.
    let known = corrupt().with_intact([Generation::new("z", 1)]);
    assert_eq!(lists(known.with_intact(generations()).with_verification(&verification)), [named(&["z"]), named(&[])]);
    let unconfirmed_only = MiniSnapError::Corrupt {
        at: at(),
        found: Corruption::Missing,
        intact: Vec::new(),
        unconfirmed: vec![Generation::new("y", 1)],
    };
    assert_eq!(lists(unconfirmed_only.with_verification(&verification)), [named(&[]), named(&["y"])]);

    for error in one_of_each_variant() {
        if !matches!(error, MiniSnapError::Corrupt { .. }) {
            let before = format!("{error:?}");
            assert_eq!(format!("{:?}", error.with_intact(generations()).with_verification(&verification)), before);
        }
    }
}
