//! What an object store costs: `docs/performance.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/object/Cargo.toml                           # from the root: all of it
//! $ cargo run --release --manifest-path bench/object/Cargo.toml -- large --rate 64
//! ```
//!
//! minisnap, and beside it what one would do by hand: a put of one object and a get, each in one stream. Both with the same
//! client, over HTTP, against the S3 server of the tests in this process, in turns.
//!
//! - `small`: a state of 1 KiB, with 0, 10 and 50 ms of latency that the server adds to each request; how long a create and
//!   a restore take in units of it. The handle is warm: it has created before.
//! - `large`: states of 256 MiB, with 10 ms of latency, and no connection faster than 32 MiB a second, in either direction,
//!   or what `--rate` says. Of much faster ones, eight at once are limited by the processor that has all of this to do.
//!
//! `--json FILE` adds the figures to a file. `MINISNAP_BENCH_ROUNDS` says how often large ones, and `TMPDIR` where the
//! server has its files.

mod limit;
mod side;

use limit::Limit;
use minisnap_s3_server::{Conditions, S3Server};
use shared::{
    Result,
    figure::{Case, Figure, Unit},
    progress, results, table,
    workload::{Registry, Text, Workload},
};
use side::{Bare, Side, Snapshots};
use std::{env, path::PathBuf, sync::Arc, time::Duration};

const SMALL: usize = 1 << 10;
const LARGE: usize = 256 << 20;
/// In milliseconds, and how often a small state is created and restored with each.
const LATENCIES: [(u64, usize); 3] = [(0, 101), (10, 51), (50, 21)];
const LATENCY_OF_LARGE: Duration = Duration::from_millis(10);
const ROUNDS: usize = 3;
const USAGE: &str = "usage: object [small | large] [--rate MIB_PER_SECOND] [--json FILE]";

fn main() -> Result<()> {
    let (mut small, mut large, mut rate, mut json) = (true, true, 32, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "small" => large = false,
            "large" => small = false,
            "--rate" => rate = arguments.next().ok_or(USAGE)?.parse()?,
            "--json" => json = Some(PathBuf::from(arguments.next().ok_or(USAGE)?)),
            _ => return Err(USAGE.into()),
        }
    }
    let rounds = env::var("MINISNAP_BENCH_ROUNDS").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tell = |figures: Vec<Figure>| {
        print!("{}", table::all(&figures));
        json.as_deref().map_or(Ok(()), |file| results::add(file, figures))
    };
    if small {
        tell(runtime.block_on(all_small())?)?;
    }
    if large {
        tell(runtime.block_on(one_large::<Text>(rate, rounds))?)?;
        tell(runtime.block_on(one_large::<Registry>(rate, rounds))?)?;
    }
    Ok(())
}

async fn all_small() -> Result<Vec<Figure>> {
    let state = Arc::new(Registry::of_size(SMALL));
    let (mut figures, mut without): (_, Option<[Times; 2]>) = (Vec::new(), None);
    for (milliseconds, repeat) in LATENCIES {
        let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(milliseconds));
        let circumstance = format!("{milliseconds} ms of latency");
        let case = Case { disk: String::new(), workload: Registry::NAME.into(), bytes: SMALL, circumstance };
        let times = in_turns(&server, server.endpoint(), &state, repeat, &case).await?;
        for (side, name) in [0, 1].into_iter().zip(SIDES) {
            figures.extend(times[side].figures(&case, name));
            if milliseconds > 0 {
                let latency = milliseconds as f64 / 1e3;
                figures.extend(times[side].in_latencies(
                    &case,
                    name,
                    latency,
                    without.as_ref().map(|without| &without[side]),
                ));
            }
        }
        without.get_or_insert(times);
    }
    Ok(figures)
}

async fn one_large<S: Workload>(rate: u64, rounds: usize) -> Result<Vec<Figure>> {
    let state = Arc::new(S::of_size(LARGE));
    let server = S3Server::start_with_latency(Conditions::Atomic, LATENCY_OF_LARGE);
    let limit = Limit::start(server.endpoint(), rate << 20)?;
    let circumstance = format!("{} ms of latency, {rate} MiB/s a connection", LATENCY_OF_LARGE.as_millis());
    let case = Case { disk: String::new(), workload: S::NAME.into(), bytes: LARGE, circumstance };
    let times = in_turns(&server, limit.endpoint(), &state, rounds, &case).await?;
    Ok(times.iter().zip(SIDES).flat_map(|(times, name)| times.figures(&case, name)).collect())
}

const SIDES: [&str; 2] = ["minisnap", "put and get"];

/// Lets both create and restore so many times, in turns.
async fn in_turns<S: Workload>(
    server: &S3Server,
    endpoint: &str,
    state: &Arc<S>,
    repeat: usize,
    case: &Case,
) -> Result<[Times; 2]> {
    let (snapshots, bare) = (Snapshots::open(server, endpoint)?, Bare::open(server, endpoint)?);
    let mut times = [Times::default(), Times::default()];
    // The first is something else: connections to make, the store to be checked. It needn't be large.
    let small = Arc::new(S::make(1));
    times[0].take(&snapshots, &small, 0).await?;
    times[1].take(&bare, &small, 0).await?;
    times = Default::default();
    for round in 1..=repeat {
        progress::show(&format!("{}, {}: {round} of {repeat}", case.workload, case.circumstance));
        times[0].take(&snapshots, state, round).await?;
        times[1].take(&bare, state, round).await?;
    }
    progress::clear();
    Ok(times)
}

/// How long each took, in seconds.
#[derive(Default)]
struct Times {
    creates: Vec<f64>,
    restores: Vec<f64>,
}

impl Times {
    async fn take<S: Workload>(&mut self, side: &impl Side, state: &Arc<S>, round: usize) -> Result<()> {
        let create = side.create(state, round as u64).await?;
        let (restored, restore) = side.restore::<S>().await?;
        if restored != **state {
            return Err("another state came back".into());
        }
        self.creates.push(create.as_secs_f64());
        self.restores.push(restore.as_secs_f64());
        Ok(())
    }

    fn figures(&self, case: &Case, contender: &str) -> [Figure; 2] {
        [("create", &self.creates), ("restore", &self.restores)]
            .map(|(operation, values)| figure(case, contender, operation, Unit::Seconds, values.clone()))
    }

    /// How many latencies each took; and how many beyond what it takes `without` any, which is work and not waiting.
    fn in_latencies(&self, case: &Case, contender: &str, latency: f64, without: Option<&Self>) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut add = |operation: &str, values: &[f64], less: f64| {
            let values = values.iter().map(|value| (value - less) / latency).collect();
            figures.push(figure(case, contender, operation, Unit::Times, values));
        };
        add("create in latencies", &self.creates, 0.0);
        add("restore in latencies", &self.restores, 0.0);
        if let Some(without) = without {
            let median = shared::figure::median;
            add("create less that at 0 ms", &self.creates, median(without.creates.clone()));
            add("restore less that at 0 ms", &self.restores, median(without.restores.clone()));
        }
        figures
    }
}

fn figure(case: &Case, contender: &str, operation: &str, unit: Unit, values: Vec<f64>) -> Figure {
    Figure { case: case.clone(), contender: contender.into(), operation: operation.into(), unit, values, note: None }
}
