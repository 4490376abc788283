//! The benchmark of the object store backend; its results are in `docs/performance.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path bench/object/Cargo.toml                           # from the root: all cases
//! $ cargo run --release --manifest-path bench/object/Cargo.toml -- large --rate 64
//! ```
//!
//! Compares minisnap with a plain put and get of one object, each in one stream. Both use the same client over HTTP, and the
//! S3 server of the tests, in this process. They alternate.
//!
//! - `small`: a state of 1 KiB. The server adds a latency of 0, 10 and 50 ms to each request. The results are also in units of
//!   the latency. The handle has created before, so its cache is filled.
//! - `large`: states of 256 MiB, with a latency of 10 ms. A proxy limits each connection to 32 MiB/s, or to `--rate`. With
//!   much faster connections, the processor that runs both sides would be the limit.
//!
//! `--json FILE` adds the figures to a file. `MINISNAP_BENCH_ROUNDS` is the number of rounds of `large`, and `TMPDIR` the folder
//! of the server's files.

mod contenders;
mod throttled_proxy;

use contenders::{Contender, PutAndGet, Snapshots};
use minisnap_s3_server::{Conditions, S3Server};
use shared::{
    Result,
    figure::{Case, Figure, Unit},
    progress, results, table,
    workload::{Registry, Text, Workload},
};
use std::{env, path::PathBuf, sync::Arc, time::Duration};
use throttled_proxy::ThrottledProxy;

const SMALL: usize = 1 << 10;
const LARGE: usize = 256 << 20;
/// The latencies of `small` in milliseconds, each with its number of rounds.
const LATENCIES: [(u64, usize); 3] = [(0, 101), (10, 51), (50, 21)];
const LARGE_LATENCY: Duration = Duration::from_millis(10);
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
    let report = |figures: Vec<Figure>| {
        print!("{}", table::all(&figures));
        json.as_deref().map_or(Ok(()), |file| results::add(file, figures))
    };
    if small {
        report(runtime.block_on(measure_small())?)?;
    }
    if large {
        report(runtime.block_on(measure_large::<Text>(rate, rounds))?)?;
        report(runtime.block_on(measure_large::<Registry>(rate, rounds))?)?;
    }
    Ok(())
}

async fn measure_small() -> Result<Vec<Figure>> {
    let state = Arc::new(Registry::of_size(SMALL));
    let (mut figures, mut at_zero): (_, Option<[Times; 2]>) = (Vec::new(), None);
    for (milliseconds, repeat) in LATENCIES {
        let server = S3Server::start_with_latency(Conditions::Atomic, Duration::from_millis(milliseconds));
        let circumstance = format!("{milliseconds} ms of latency");
        let case = Case { disk: String::new(), workload: Registry::NAME.into(), bytes: SMALL, circumstance };
        let times = in_turns(&server, server.endpoint(), &state, repeat, &case).await?;
        for (index, name) in [0, 1].into_iter().zip(CONTENDERS) {
            figures.extend(times[index].figures(&case, name));
            if milliseconds > 0 {
                let latency = milliseconds as f64 / 1e3;
                figures.extend(times[index].in_latencies(
                    &case,
                    name,
                    latency,
                    at_zero.as_ref().map(|at_zero| &at_zero[index]),
                ));
            }
        }
        at_zero.get_or_insert(times);
    }
    Ok(figures)
}

async fn measure_large<S: Workload>(rate: u64, rounds: usize) -> Result<Vec<Figure>> {
    let state = Arc::new(S::of_size(LARGE));
    let server = S3Server::start_with_latency(Conditions::Atomic, LARGE_LATENCY);
    let proxy = ThrottledProxy::start(server.endpoint(), rate << 20)?;
    let circumstance = format!("{} ms of latency, {rate} MiB/s a connection", LARGE_LATENCY.as_millis());
    let case = Case { disk: String::new(), workload: S::NAME.into(), bytes: LARGE, circumstance };
    let times = in_turns(&server, proxy.endpoint(), &state, rounds, &case).await?;
    Ok(times.iter().zip(CONTENDERS).flat_map(|(times, name)| times.figures(&case, name)).collect())
}

const CONTENDERS: [&str; 2] = ["minisnap", "put and get"];

/// Lets both contenders create and restore `repeat` times, in turns.
async fn in_turns<S: Workload>(
    server: &S3Server,
    endpoint: &str,
    state: &Arc<S>,
    repeat: usize,
    case: &Case,
) -> Result<[Times; 2]> {
    let (snapshots, put_and_get) = (Snapshots::open(server, endpoint)?, PutAndGet::open(server, endpoint)?);
    let mut times = [Times::default(), Times::default()];
    // The first round isn't counted: it opens connections and checks the store. A small state suffices.
    let small = Arc::new(S::make(1));
    times[0].take(&snapshots, &small, 0).await?;
    times[1].take(&put_and_get, &small, 0).await?;
    times = Default::default();
    for round in 1..=repeat {
        progress::show(&format!("{}, {}: {round} of {repeat}", case.workload, case.circumstance));
        times[0].take(&snapshots, state, round).await?;
        times[1].take(&put_and_get, state, round).await?;
    }
    progress::clear();
    Ok(times)
}

/// The times of each create and restore, in seconds.
#[derive(Default)]
struct Times {
    creates: Vec<f64>,
    restores: Vec<f64>,
}

impl Times {
    async fn take<S: Workload>(&mut self, contender: &impl Contender, state: &Arc<S>, round: usize) -> Result<()> {
        let create = contender.create(state, round as u64).await?;
        let (restored, restore) = contender.restore::<S>().await?;
        if restored != **state {
            return Err("the restored state differs".into());
        }
        self.creates.push(create.as_secs_f64());
        self.restores.push(restore.as_secs_f64());
        Ok(())
    }

    fn figures(&self, case: &Case, contender: &str) -> [Figure; 2] {
        [("create", &self.creates), ("restore", &self.restores)]
            .map(|(operation, values)| figure(case, contender, operation, Unit::Seconds, values.clone()))
    }

    /// The times in units of the latency. With the times `at_zero` latency, also the times without the work that isn't waiting.
    fn in_latencies(&self, case: &Case, contender: &str, latency: f64, at_zero: Option<&Self>) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut add = |operation: &str, values: &[f64], less: f64| {
            let values = values.iter().map(|value| (value - less) / latency).collect();
            figures.push(figure(case, contender, operation, Unit::Times, values));
        };
        add("create in latencies", &self.creates, 0.0);
        add("restore in latencies", &self.restores, 0.0);
        if let Some(at_zero) = at_zero {
            let median = shared::figure::median;
            add("create less that at 0 ms", &self.creates, median(at_zero.creates.clone()));
            add("restore less that at 0 ms", &self.restores, median(at_zero.restores.clone()));
        }
        figures
    }
}

fn figure(case: &Case, contender: &str, operation: &str, unit: Unit, values: Vec<f64>) -> Figure {
    Figure { case: case.clone(), contender: contender.into(), operation: operation.into(), unit, values, note: None }
}
