//! Formats sizes, times and generations, as text and as JSON.

use anstyle::{AnsiColor, Style};
use indicatif::BinaryBytes;
use minisnap::{Committed, Generation};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Titles of tables.
pub(crate) const TITLE: Style = Style::new().bold();
/// An intact or added value.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// A corrupt or removed value.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// `1.65 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// `2026-11-22 23:15:02 UTC`, or `unknown`.
pub(crate) fn time(time: SystemTime) -> String {
    representable(time).map_or_else(
        || "unknown".into(),
        |time| humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC"),
    )
}

/// The time, if RFC 3339 can represent it; humantime panics on others. A wrong clock or `touch` may produce such a time.
fn representable(time: SystemTime) -> Option<SystemTime> {
    const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);
    time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since < YEAR_10000).then_some(time)
}

/// When a generation was committed, if that is known and representable.
pub(crate) fn known_time(generation: &Generation) -> Option<SystemTime> {
    generation.time().and_then(representable)
}

/// The age: `3 h 12 min`.
pub(crate) fn age(time: SystemTime) -> String {
    time.elapsed().map_or_else(|ahead| format!("-{}", duration(ahead.duration())), duration)
}

/// `3 h 12 min ago`.
pub(crate) fn ago(time: SystemTime) -> String {
    match time.elapsed() {
        Ok(age) => format!("{} ago", duration(age)),
        Err(ahead) => format!("{} ahead of this machine's clock", duration(ahead.duration())),
    }
}

/// `3 h 12 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// `seq 10  1.65 MiB  NAME`: a line of a list.
pub(crate) fn line(generation: &Generation) -> String {
    let size = generation.size().map_or_else(|| "size unknown".into(), size);
    format!("seq {}  {size}  {generation}", generation.seq())
}

/// `2 expired and 1 orphan`.
pub(crate) fn garbage(expired: usize, orphans: usize) -> String {
    let s = if orphans == 1 { "" } else { "s" };
    format!("{expired} expired and {orphans} orphan{s}")
}

/// `seq 10, 7, 5`.
pub(crate) fn seqs(generations: &[Generation]) -> String {
    let seqs: Vec<_> = generations.iter().map(|generation| generation.seq().to_string()).collect();
    format!("seq {}", seqs.join(", "))
}

/// `seq 10 (NAME), seq 7 (NAME)`: the newest ten.
pub(crate) fn named(generations: &[Generation]) -> String {
    const SHOWN: usize = 10;
    let name = |generation: &Generation| format!("seq {} ({generation})", generation.seq());
    let mut names: Vec<_> = generations.iter().take(SHOWN).map(name).collect();
    if let Some(more @ 1..) = generations.len().checked_sub(SHOWN) {
        names.push(format!("and {more} more, which `history --json` lists"));
    }
    names.join(", ")
}

/// The result of a commit as JSON: the same in every command.
pub(crate) fn committed(committed: &Committed, truncation_point: Option<u64>) -> Value {
    json!({
        "committed": generation(committed.generation()),
        "retained": committed.retained().iter().map(generation).collect::<Vec<_>>(),
        "truncation_point": truncation_point,
    })
}

/// A generation as JSON: the same in every command.
pub(crate) fn generation(generation: &Generation) -> Value {
    json!({
        "name": generation.name(),
        "seq": generation.seq(),
        "size": generation.size(),
        "digest": generation.digest().map(|digest| digest.to_string()),
        "time": known_time(generation).map(|time| humantime::format_rfc3339_nanos(time).to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_has_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3599, "59 min 59 s"),
            (7260, "2 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn time_ahead_of_the_clock_is_shown() {
        let ahead = SystemTime::now() + Duration::from_secs(3600);
        assert!(age(ahead).starts_with("-59 min") || age(ahead).starts_with("-1 h"), "{}", age(ahead));
        assert!(ago(ahead).ends_with(" ahead of this machine's clock"), "{}", ago(ahead));
        assert_eq!(ago(SystemTime::now()), "0 s ago");
        assert_eq!(time(SystemTime::UNIX_EPOCH), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn time_is_unknown_when_rfc_3339_has_no_form_for_it() {
        let (epoch, last) = (SystemTime::UNIX_EPOCH, Duration::from_secs(253_402_300_799));
        assert_eq!(time(epoch + last), "9999-12-31 23:59:59 UTC");
        for invalid in [epoch + last + Duration::from_secs(1), epoch - Duration::from_nanos(1)] {
            assert_eq!((time(invalid).as_str(), representable(invalid)), ("unknown", None));
        }
    }
}
