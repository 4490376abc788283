//! One history over HTTP: three writers in processes of their own, two readers, and sometimes an expirer share a prefix.

use super::{
    chain::Chain,
    checks,
    client::{Client, Process},
    profile::{Class, Profile, Writer},
    reader,
    recorder::Recorder,
    server::Server,
    writer,
};
use crate::{
    ObjectBackend,
    fault_tests::violation::{Kind, Violation},
    layout::Layout,
    record::Record,
};
use minisnap_fault_proxy::{FaultProxy, Plan, Rng};
use minisnap_s3_server::Conditions;
use object_store::{ObjectStore, PutMode};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{task::JoinSet, time::timeout};

/// Longer than a history takes on a busy machine: a few seconds, or minutes if clients have to repeat what is too slow for them.
const LIMIT: Duration = Duration::from_secs(900);

/// After this time without a request, none follows.
const QUIET: Duration = Duration::from_millis(150);

/// The result of a history.
#[derive(Debug)]
pub(super) struct Report {
    /// How often each fault and each result happened.
    pub(super) tally: BTreeMap<String, u64>,
    pub(super) operations: usize,
    pub(super) requests: usize,
    pub(super) violations: Vec<Violation>,
    pub(super) trace: Vec<String>,
}

/// The server of a history.
#[derive(Debug, Clone)]
pub(super) enum Setting {
    /// On a server of its own in this process.
    InProcess,
    /// The same. After the handles have checked its conditions, a server with these conditions replaces it.
    ReplacedBy(Conditions),
    Seaweedfs(Arc<Server>),
}

/// Runs a history.
pub(super) async fn run(setting: Setting, seed: u64, class: Class) -> Report {
    let unique = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let prefix = format!("over-http/{unique}-{seed}");
    let server = match &setting {
        Setting::InProcess | Setting::ReplacedBy(_) => Arc::new(Server::start(Conditions::Atomic)),
        Setting::Seaweedfs(server) => server.clone(),
    };
    let honours_conditions = !matches!(setting, Setting::ReplacedBy(Conditions::Ignored | Conditions::CheckThenWrite));
    let replaced_by = match setting {
        Setting::ReplacedBy(conditions) => Some(Server::start(conditions)),
        _ => None,
    };
    let profile = Profile::draw(&mut Rng::new(seed ^ 0x6874_7470), class, server.part_size);
    let client = Client {
        name: "end".into(),
        recorder: Arc::new(Recorder::new(seed, Layout::new(prefix.as_str().into()))),
        proxy: Arc::new(FaultProxy::start(&server.endpoint, seed ^ 0x0070_726f_7879)),
        server,
        url: format!("s3://minisnap/{prefix}"),
        reads_are_fresh: class.reads_are_fresh(),
        honours_conditions,
    };
    client.recorder.note(format!("{profile:?}"));
    if timeout(LIMIT, history(&client, &profile, replaced_by.as_ref())).await.is_err() {
        client.recorder.violation(Kind::NotTerminated, "the history doesn't end");
    }
    checks::check_results(&client, &profile);
    report(&client)
}

async fn history(client: &Client, profile: &Profile, replaced_by: Option<&Server>) {
    let faults_in_check = profile.faults_in_check && replaced_by.is_none();
    if faults_in_check {
        client.proxy.set_plan(profile.plan.clone());
    }
    let mut writers = Vec::new();
    for (index, plan) in profile.writers.iter().enumerate() {
        writers.push(RunningWriter::start(client.named(format!("w{index}")), plan, !faults_in_check).await);
    }
    if let Some(server) = replaced_by {
        replace_server(client, profile, server).await;
    }
    client.proxy.set_plan(profile.plan.clone());
    let ended = run_clients(client, profile, writers).await;
    client.proxy.set_plan(Plan::calm());
    client.proxy.wait_until_idle(QUIET).await;
    client.recorder.note("from now on no faults are injected");
    // Of a server without conditions, only the violations count that it has led to.
    if replaced_by.is_none() {
        end_in_calm(client, profile, ended).await;
    }
}

/// A writer with its process and its handle.
struct RunningWriter {
    client: Client,
    plan: Writer,
    process: Process,
    handle: ObjectBackend,
}

impl RunningWriter {
    async fn start(client: Client, plan: &Writer, checks_conditions: bool) -> Self {
        let (process, handle) = (Process::start(), client.open(&plan.client));
        if checks_conditions {
            let (client, handle) = (client.clone(), handle.clone());
            process.run(async move { client.check_conditions(&handle).await }, None).await;
        }
        Self { client, plan: plan.clone(), process, handle }
    }

    /// Runs to the end of the plan. After its process was killed, it continues in a new process.
    async fn run(mut self) -> Self {
        let left = Arc::new(AtomicU64::new(self.plan.commits));
        let mut killed_after = self.plan.killed_after;
        loop {
            let running = writer::run(self.client.clone(), self.plan.clone(), self.handle.clone(), left.clone());
            if self.process.run(running, killed_after.take()).await.is_some() {
                return self;
            }
            self.process = Process::start();
            self.client.note("is killed");
            self.client.recorder.count("process killed");
            self.client.recorder.end_interrupted(&self.client.name);
            self.client = self.client.named(format!("{}'", self.client.name));
            self.handle = self.client.open(&self.plan.client);
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        }
    }
}

/// Runs all clients to the ends of their plans. Returns the writers.
async fn run_clients(client: &Client, profile: &Profile, started: Vec<RunningWriter>) -> Vec<RunningWriter> {
    let (mut writers, mut others) = (JoinSet::new(), JoinSet::new());
    for writer in started {
        writers.spawn(writer.run());
    }
    for (index, plan) in profile.readers.iter().cloned().enumerate() {
        others.spawn(reader::run(client.named(format!("r{index}")), plan));
    }
    if let Some(plan) = profile.expirer.clone() {
        others.spawn(reader::run_expirer(client.named("x"), plan));
    }
    let mut ended = Vec::new();
    while let Some(writer) = writers.join_next().await {
        match writer {
            Ok(writer) => ended.push(writer),
            Err(panicked) => client.recorder.violation(Kind::Panicked, panicked.to_string()),
        }
    }
    while let Some(other) = others.join_next().await {
        if let Err(panicked) = other {
            client.recorder.violation(Kind::Panicked, panicked.to_string());
        }
    }
    ended
}

/// Checks that each handle, and a fresh one, can commit, and what the store has then.
async fn end_in_calm(client: &Client, profile: &Profile, mut ended: Vec<RunningWriter>) {
    let plan = Writer { client: profile.writers[0].client.patient(), ..profile.writers[0].clone() };
    ended.push(RunningWriter::start(client.clone(), &plan, false).await);
    for RunningWriter { client, plan, process, handle } in ended {
        process.run(writer::commit_in_calm(client, plan, handle), None).await;
    }
    // The ends of the processes cancelled what they did in the background.
    client.proxy.wait_until_idle(QUIET).await;
    checks::check_objects(client, &plan.client).await;
}

/// Replaces the server. The other one gets the same empty record.
async fn replace_server(client: &Client, profile: &Profile, server: &Server) {
    client.proxy.set_upstream(&server.endpoint);
    let handle = client.open(&profile.writers[0].client.patient());
    let (record, mode) = (Record::default().to_text(), PutMode::Create);
    handle.store.put_opts(&handle.layout.current(), record.into(), mode.into()).await.expect("a put");
}

fn report(client: &Client) -> Report {
    let exchanges = client.proxy.exchanges();
    let mut state = client.recorder.state();
    let mut trace = std::mem::take(&mut state.trace);
    let mut tally = std::mem::take(&mut state.tally);
    let violations = std::mem::take(&mut state.violations);
    let operations = state.attempts.len() + state.observations.len() + state.expiries.len() + state.reads.len();
    drop(state);
    let faults = client.proxy.tally().into_iter().map(|(fault, times)| (format!("fault: {fault}"), times));
    tally.extend(faults);
    if !violations.is_empty() {
        for exchange in &exchanges {
            let (sent, answered) =
                (client.recorder.event_at(exchange.sent), client.recorder.event_at(exchange.answered));
            let line = format!(
                "server: {} {} {:?} {:?}: {:?} {:?}",
                exchange.method,
                exchange.target,
                exchange.if_match,
                exchange.if_none_match,
                exchange.status,
                exchange.tag
            );
            trace.push(format!("{:>9.3} to {:>9.3} ms  {line}", sent as f64 / 1e6, answered as f64 / 1e6));
        }
        if let Ok(chain) = Chain::of(&exchanges, &client.recorder) {
            trace.extend(chain.links.iter().map(|link| format!("record: {link:?}")));
        }
    }
    Report { tally, operations, requests: exchanges.len(), violations, trace }
}
