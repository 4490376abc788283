//! Checks at the end of a history: what the clients got, against the records and the deletions that the server accepted.

use super::{
    chain::{self, Chain},
    client::Client,
    profile::{ClientOptions, Profile},
    reader,
};
use crate::{
    fault_tests::{
        operations::{Attempt, Outcome},
        results::Results,
        simulation::short_name,
        violation::{Kind, Violation},
    },
    layout::ObjectKind,
};
use futures_util::TryStreamExt;
use minisnap_core::{Digest, SnapshotBackend};
use object_store::ObjectStore;
use std::collections::{HashMap, HashSet};

/// Checks that a fresh handle can read all retained generations, and that after a collection there are no other objects. No
/// fault is injected any more.
pub(super) async fn check_objects(client: &Client, options: &ClientOptions) {
    let (recorder, handle) = (&client.recorder, client.open(&options.patient()));
    let Some(retained) = reader::read_history(client, &handle).await else {
        return recorder.violation(Kind::OperationFailed, "history fails although no fault is injected");
    };
    for generation in &retained {
        if let Err(error) = reader::read_generation(client, &handle, generation).await {
            let found = format!("{generation} can't be read although no fault is injected: {error}");
            recorder.violation(Kind::OperationFailed, found);
        }
    }
    if let Err(error) = handle.collect_garbage().await {
        recorder.violation(Kind::OperationFailed, format!("a collection fails although no fault is injected: {error}"));
    }
    let listed = handle.store.list(Some(recorder.layout.snapshots())).try_collect::<Vec<_>>().await;
    let listed = match listed {
        Ok(listed) => listed.into_iter().map(|meta| meta.location).collect::<HashSet<_>>(),
        Err(error) => return recorder.violation(Kind::OperationFailed, format!("no listing: {error}")),
    };
    let mut expected: HashSet<_> =
        retained.iter().flat_map(|retained| recorder.layout.files(retained.name())).collect();
    expected.insert(recorder.layout.current());
    // A collection spares young probes.
    let is_probe = |path: &&object_store::path::Path| recorder.layout.identify(path) == Some(ObjectKind::Probe);
    let orphans: Vec<_> = listed.difference(&expected).filter(|path| !is_probe(path)).collect();
    let missing: Vec<_> = expected.difference(&listed).collect();
    if !orphans.is_empty() || !missing.is_empty() {
        let found = format!("after a collection there are the orphans {orphans:?}, and {missing:?} are missing");
        recorder.violation(Kind::UnexpectedObjects, found);
    }
}

/// Checks all results. Call it when no request is in flight.
pub(super) fn check_results(client: &Client, profile: &Profile) {
    let recorder = &client.recorder;
    let exchanges = client.proxy.exchanges();
    match Chain::of(&exchanges, recorder)
        .and_then(|chain| committed(client, &chain).map(|committed| (chain, committed)))
    {
        Err(violation) => report(client, violation),
        Ok((chain, committed)) => {
            let deleted = deleted_too_early(&chain, &chain::deletions(&exchanges, recorder));
            deleted.into_iter().for_each(|violation| report(client, violation));
            check_reads(client, &chain, &committed, profile.class.reads_are_fresh());
            check_operations(client, &chain, committed, profile.class.reads_are_fresh());
        }
    }
}

fn report(client: &Client, Violation { kind, found }: Violation) {
    client.recorder.violation(kind, found);
}

/// The commits in order, with the numbers of the attempts. Each attempt committed at most once.
fn committed(client: &Client, chain: &Chain) -> Result<Vec<(String, usize)>, Violation> {
    let state = client.recorder.state();
    let attempts: HashMap<_, _> =
        state.attempts.iter().enumerate().map(|(number, attempt)| (Digest::of(&attempt.json), number)).collect();
    let mut committed: Vec<(String, usize)> = Vec::new();
    for (name, digest) in chain.committed() {
        let short = short_name(&name);
        let number = digest.and_then(|digest| attempts.get(&digest).copied());
        let number =
            number.ok_or_else(|| Violation::new(Kind::MixedPair, format!("no writer wrote the JSON of {short}")))?;
        if committed.iter().any(|(other, earlier)| *other == name || *earlier == number) {
            return Err(Violation::new(
                Kind::CommittedTwice,
                format!("attempt {number} was committed again as {short}"),
            ));
        }
        committed.push((name, number));
    }
    Ok(committed)
}

/// Files of committed generations that were certainly deleted before the generation expired.
fn deleted_too_early(chain: &Chain, deletions: &[chain::Deletion]) -> Option<Violation> {
    let committed: HashSet<_> = chain.committed().into_iter().map(|(name, _)| name).collect();
    let too_early = |deletion: &&chain::Deletion| {
        let expired = chain.expired_by(&deletion.name).map_or(u64::MAX, |link| link.sent);
        committed.contains(&deletion.name) && deletion.answered < expired
    };
    let deletion = deletions.iter().find(too_early)?;
    let found = format!("a file of {} was deleted before it expired", short_name(&deletion.name));
    Some(Violation::new(Kind::RetainedFileDeleted, found))
}

/// Checks the JSONs that readers got, and the generations that were reported as expired.
fn check_reads(client: &Client, chain: &Chain, committed: &[(String, usize)], reads_are_fresh: bool) {
    let (reads, attempts) = {
        let state = client.recorder.state();
        (state.reads.clone(), state.attempts.clone())
    };
    let numbers: HashMap<_, _> = committed.iter().map(|(name, number)| (name, *number)).collect();
    for read in reads {
        let attempt: Option<&Attempt> = numbers.get(&read.name).map(|number| &attempts[*number]);
        let expired_by = chain.expired_by(&read.name);
        let violation = match (attempt, &read.json) {
            (None, _) => Some((Kind::NeverCommitted, "was never committed")),
            (Some(attempt), Some(json)) if attempt.json != *json => {
                Some((Kind::MixedPair, "has other bytes than were written"))
            }
            (Some(attempt), _) if attempt.seq != read.seq => Some((Kind::MixedPair, "has another sequence number")),
            (Some(_), Some(_)) if reads_are_fresh && expired_by.is_some_and(|link| link.answered < read.called) => {
                Some((Kind::IncorrectExpiry, "had expired before"))
            }
            (Some(_), None) if expired_by.is_none_or(|link| link.sent > read.ended) && reads_are_fresh => {
                Some((Kind::IncorrectExpiry, "was retained all the time, and is reported as expired"))
            }
            _ => None,
        };
        if let Some((kind, found)) = violation {
            client.recorder.violation(kind, format!("a reader reads {}, which {found}", short_name(&read.name)));
        }
    }
}

/// Checks the results of all operations against the commits and against each other.
///
/// Where a read may return an older record, a refusal and an observation needn't be the latest. Then the commits alone have
/// to be linearizable, and each observation is one of the records.
fn check_operations(client: &Client, chain: &Chain, committed: Vec<(String, usize)>, reads_are_fresh: bool) {
    let mut results = {
        let state = client.recorder.state();
        Results {
            attempts: state.attempts.clone(),
            observations: state.observations.clone(),
            expiries: state.expiries.clone(),
            committed,
        }
    };
    // All requests have arrived: what isn't committed by now never will be.
    let arrived: HashSet<_> = results.committed.iter().map(|(_, number)| *number).collect();
    for (number, attempt) in results.attempts.iter_mut().enumerate() {
        if attempt.outcome == Outcome::Open && !arrived.contains(&number) {
            attempt.outcome = Outcome::Failed("it never arrived");
        }
    }
    if !reads_are_fresh {
        for observation in std::mem::take(&mut results.observations) {
            let fits = |retained: Vec<&str>| match observation.only_current {
                true => retained.first().copied() == observation.retained.first().map(String::as_str),
                false => retained == observation.retained,
            };
            let before = chain.links.iter().take_while(|link| link.sent < observation.ended);
            let found = before.map(|link| link.record.retained().map(|retained| retained.name()).collect());
            if !found.chain([Vec::new()]).any(fits) {
                let found = format!("a reader got {:?}, which was never in the record", observation.retained);
                client.recorder.violation(Kind::NeverCommitted, found);
            }
        }
        let refused = |attempt: &&mut Attempt| matches!(attempt.outcome, Outcome::Refused(_));
        for attempt in results.attempts.iter_mut().filter(refused) {
            attempt.outcome = Outcome::Failed("refused, perhaps by an older record");
        }
    }
    let (violations, explained) = results.check();
    for operation in explained {
        client.recorder.note(format!("explained: {operation:?}"));
    }
    violations.into_iter().for_each(|violation| report(client, violation));
}
