//! The time that `--since` takes: a date, a time in RFC 3339, or a duration before now.

use std::{
    str::FromStr,
    time::{Duration, SystemTime},
};

/// The earliest time of the snapshots to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StartTime(SystemTime);

impl StartTime {
    /// Whether a snapshot of this time is listed. An unknown time can't be excluded.
    pub(crate) fn includes(self, time: Option<SystemTime>) -> bool {
        time.is_none_or(|time| time >= self.0)
    }
}

impl FromStr for StartTime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ago = || SystemTime::now().checked_sub(humantime::parse_duration(text).ok()?);
        let time = point_in_time(text).or_else(ago);
        time.map(Self).ok_or("expected a date (2026-11-01), a time (2026-11-01T08:30:00Z) or a duration (2h)")
    }
}

/// A date is its start in UTC. A time without an offset is UTC, as in the output of `history`.
fn point_in_time(text: &str) -> Option<SystemTime> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if text.len() == "2026-11-01".len() {
        return humantime::parse_rfc3339_weak(&format!("{text}T00:00:00")).ok();
    }
    let (local, offset) = match text.split_at_checked(text.len().saturating_sub("+01:00".len())) {
        Some((local, offset)) if offset.starts_with(['+', '-']) && local.contains([':']) => (local, Some(offset)),
        _ => (text, None),
    };
    let time = humantime::parse_rfc3339_weak(local).ok()?;
    match offset.map(seconds_of) {
        None => Some(time),
        Some(seconds) => {
            let (is_east, seconds) = seconds?;
            if is_east { time.checked_sub(seconds) } else { time.checked_add(seconds) }
        }
    }
}

/// Parses `+01:30`: whether it is east of Greenwich, and the duration.
fn seconds_of(offset: &str) -> Option<(bool, Duration)> {
    let (hours, minutes) = offset[1..].split_once(':')?;
    let number = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u64>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then(|| (offset.starts_with('+'), Duration::from_secs(hours * 3600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_parsed_in_each_of_its_forms() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_485_800);
        for text in [
            "2026-10-31T22:30:00Z",
            "2026-10-31 22:30:00",
            "2026-10-31 22:30:00 UTC",
            "2026-10-31T22:30:00.000Z",
            "2026-11-01T00:00:00+01:30",
            "2026-10-31T18:00:00-04:30",
        ] {
            assert_eq!(text.parse(), Ok(StartTime(expected)), "{text}");
        }
        assert_eq!("2026-10-31".parse(), "2026-10-31T00:00:00Z".parse::<StartTime>());
    }

    #[test]
    fn duration_is_subtracted_from_now() {
        let StartTime(time) = "2h".parse().expect("a duration");
        let ago = time.elapsed().expect("a time in the past");
        assert!((7200..7260).contains(&ago.as_secs()), "{ago:?}");
    }

    #[test]
    fn invalid_time_is_rejected() {
        for text in [
            "",
            "soon",
            "2026",
            "2026-13-01",
            "2026-11-01T08:30:00+25:00",
            "2026-11-01T08:30:00+1:000",
            "2026-11-01T08:30:00+é:00",
            "0001-01-01",
            "9999999999999999999years",
            "-2h",
            "12:00",
        ] {
            assert!(text.parse::<StartTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn unknown_time_is_included() {
        let since: StartTime = "1h".parse().expect("a duration");
        assert!(since.includes(None) && since.includes(Some(SystemTime::now())));
        assert!(!since.includes(Some(SystemTime::UNIX_EPOCH)));
    }
}
