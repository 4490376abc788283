//! The tables of `docs/recovery.md`.

use crate::Measured;
use std::time::Duration;

pub fn header(name: &str) -> String {
    format!(
        "| {name}: changes | log | log alone | snapshot | tail, changes | snapshot plus tail | ratio |\n\
         |---:|---:|---:|---:|---:|---:|---:|"
    )
}

pub fn row(measured: &Measured) -> String {
    let Measured { layout, log_alone, with_snapshot } = measured;
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |",
        grouped(layout.changes),
        bytes(layout.log),
        time(*log_alone),
        bytes(layout.snapshot),
        grouped(layout.tail),
        time(*with_snapshot),
        three_digits(log_alone.as_secs_f64() / with_snapshot.as_secs_f64()),
    )
}

fn grouped(number: u64) -> String {
    match number {
        1_000_000.. => format!("{} {:03} {:03}", number / 1_000_000, number / 1000 % 1000, number % 1000),
        10_000.. => format!("{} {:03}", number / 1000, number % 1000),
        _ => number.to_string(),
    }
}

fn bytes(number: u64) -> String {
    match number as f64 {
        number if number < 1e6 => format!("{} kB", three_digits(number / 1e3)),
        number => format!("{} MB", three_digits(number / 1e6)),
    }
}

fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{} ms", three_digits(seconds * 1e3)),
        seconds => format!("{} s", three_digits(seconds)),
    }
}

fn three_digits(number: f64) -> String {
    match number {
        _ if number < 10.0 => format!("{number:.2}"),
        _ if number < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
