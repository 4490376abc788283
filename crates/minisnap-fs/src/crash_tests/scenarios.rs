//! The cases: what programs did before the power went.

use super::{
    expect::{Expect, FOREIGN, OrElse, Pair, published_over},
    history,
    recorder::Step,
    run::{Run, Seen, Trace, block_on},
};
use crate::sys;
use minisnap_core::{Digest, SnapshotBackend};
use minisnap_crash_model::Tree;
use std::{fs, num::NonZeroUsize, path::Path, sync::Arc, time::Instant};

macro_rules! cases {
    ($($name:ident)* ; slow: $($slow:ident)*) => {
        /// Every case, by name.
        pub(super) const ALL: &[(&str, fn() -> Vec<Trace>)] =
            &[$((stringify!($name), $name),)* $((stringify!($slow), $slow)),*];

        mod survives {
            $(#[test] fn $name() { super::survive(stringify!($name), super::$name()) })*
            $(
                #[test]
                #[ignore = "tens of seconds: run with --ignored, as .ci/run does"]
                fn $slow() { super::survive(stringify!($slow), super::$slow()) }
            )*
        }
    };
}

cases! {
    first_publish first_publish_without_parents second_publish tenth_publish retiring two_writers
    two_writers_at_each_step two_first_writers_at_each_step
    two_writers_who_retire_at_each_step adoption
    adoption_of_an_unsynced_pair leftovers reseal_of_a_replaced_link reseal_of_an_edit_in_place set_aside
    half_a_pair killed_in_the_first_publish killed_in_the_second_publish killed_in_an_adoption
    killed_in_a_reseal killed_in_a_set_aside history_after_a_kill history_of_a_plain_pair
    history_during_a_publish history_during_a_first_publish history_during_an_adoption
    history_of_a_pair_that_is_replaced sweep_after_a_kill
    expiry expiry_of_an_unsynced_commit expiry_while_another_is_staged killed_in_an_expiry
    expiry_killed_before_a_commit_that_retains_more stale_after_a_kill stale_while_another_is_killed healing killed_in_a_healing giving_up
    killed_while_giving_up going_back killed_while_going_back links_put_back killed_while_links_are_put_back
    one_handle killed_with_one_handle
    power_loss_in_the_first_publish_after_a_power_loss power_loss_in_an_adoption_after_a_power_loss
    ; slow: two_adopters_at_each_step
}

fn survive(name: &str, traces: Vec<Trace>) {
    let (start, mut seen) = (Instant::now(), Seen::default());
    for trace in &traces {
        if let Err(violation) = trace.cut_power(&mut seen) {
            panic!("{name}: {violation}");
        }
    }
    println!("{name}: {} runs, {} states, all of them ({:.1?})", traces.len(), seen.count(), start.elapsed());
}

fn folder<const N: usize>(entries: [(&str, Tree); N]) -> Tree {
    Tree::Folder(entries.into_iter().map(|(name, tree)| (name.to_owned(), Arc::new(tree))).collect())
}

fn file(text: &str) -> Tree {
    Tree::File(text.as_bytes().to_vec())
}

fn nothing() -> Expect {
    Expect { one_of: vec![Vec::new()], or_else: OrElse::Nothing }
}

/// A machine with an empty folder, there since long ago.
fn empty() -> Run {
    Run::new("state", folder([("state", folder([]))]), nothing())
}

/// A machine with a store in which 1 was published long ago.
fn one_published() -> Run {
    empty().commit(1, 2).let_time_pass()
}

fn first_publish() -> Vec<Trace> {
    vec![empty().commit(1, 2).end()]
}

fn first_publish_without_parents() -> Vec<Trace> {
    vec![Run::new("a/b/state", folder([]), nothing()).commit(1, 2).end()]
}

fn second_publish() -> Vec<Trace> {
    vec![one_published().commit(2, 2).end()]
}

/// With three retained, and one retired each time since the fourth.
fn tenth_publish() -> Vec<Trace> {
    let run = (2..10).fold(one_published(), |run, seq| run.commit(seq, 3));
    vec![run.let_time_pass().commit(10, 3).end()]
}

/// The third retires the first, and the fourth comes before that is durable.
fn retiring() -> Vec<Trace> {
    vec![one_published().commit(2, 2).let_time_pass().commit(3, 2).commit(4, 1).end()]
}

/// One is published while the other is being written.
fn two_writers() -> Vec<Trace> {
    let run = one_published();
    let first = block_on(run.backend().stage(2)).expect("stage");
    vec![run.commit(3, 2).publish_staged(first, 2, 2).end()]
}

/// One is published in the middle of another: after it was linked to the history, for one, so that it must be linked again.
fn two_writers_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(one_published, 2)
}

fn two_first_writers_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(|| Run::new("b/state", folder([]), nothing()), 2)
}

fn two_adopters_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(plain_pair, 2)
}

/// Here each one retires what was before it.
fn two_writers_who_retire_at_each_step() -> Vec<Trace> {
    interrupted_at_each_step(one_published, 1)
}

fn interrupted_at_each_step(start: fn() -> Run, retain: usize) -> Vec<Trace> {
    (1..).map_while(|after| Some(start().publish_interrupted(2, 3, retain, after)?.end())).collect()
}

/// What an older version left: no newline, and nothing but the two files.
fn plain_pair() -> Run {
    let pair = folder([("snapshot.json", file(&Pair::new(1).json)), ("snapshot.seq", file("1"))]);
    let expect = Expect { one_of: vec![vec![Pair::new(1)]], or_else: OrElse::Nothing };
    Run::new("state", folder([("state", pair)]), expect)
}

fn adoption() -> Vec<Trace> {
    vec![plain_pair().commit(2, 2).end()]
}

/// A backup that was just copied here, say.
fn unsynced_plain_pair() -> Run {
    let mut run = empty();
    run.expect(vec![vec![], vec![Pair::new(1)]], OrElse::TornPlainPair);
    write(&run.path().join("snapshot.json"), &Pair::new(1).json);
    write(&run.path().join("snapshot.seq"), "1");
    run
}

fn adoption_of_an_unsynced_pair() -> Vec<Trace> {
    vec![unsynced_plain_pair().commit(2, 2).end()]
}

fn write(path: &Path, text: &str) {
    let written = sys::create_file(path, 0o666).and_then(|file| sys::write_all(&file, path, text.as_bytes()));
    written.expect("write");
}

/// Dead writers left a stage, a generation that was never published and a link to publish it with, not all of it whole.
fn leftovers() -> Vec<Trace> {
    let run = one_published();
    let snapshots = run.path().join("snapshots");
    for name in [".stage-abcdefghijklmnop", "00000000000000000002-0123456789abcdef-abcdefghijklmnop"] {
        fs::create_dir(snapshots.join(name)).expect("make a folder");
        fs::write(snapshots.join(name).join("snapshot.json"), "{").expect("write");
    }
    std::os::unix::fs::symlink("00000000000000000002-0123456789abcdef-abcdefghijklmnop", snapshots.join(".next"))
        .expect("make a link");
    vec![run.let_time_pass().commit(2, 2).end()]
}

fn edited() -> Pair {
    Pair { json: "{\"edited\": true}".into(), ..Pair::new(1) }
}

/// `sed -i`: a plain file takes the link's place, and isn't synced.
fn replaced_link() -> Run {
    let mut run = one_published();
    let retain = NonZeroUsize::MAX;
    let published = vec![Pair::new(1)];
    let resealed = published_over(&published, &edited(), retain);
    run.expect(vec![published, resealed], OrElse::Reseal);
    let (temporary, json) = (run.path().join("sedAbCdEf"), run.path().join("snapshot.json"));
    write(&temporary, &edited().json);
    sys::rename(&temporary, &json).expect("rename");
    run
}

fn reseal_of_a_replaced_link() -> Vec<Trace> {
    vec![
        replaced_link().let_time_pass().accept_external_changes().commit(2, 2).end(),
        replaced_link().accept_external_changes().look_from_here().commit(2, 2).end(),
    ]
}

/// An editor that writes to the file behind the link.
fn edited_in_place() -> Run {
    let mut run = one_published();
    fs::write(run.path().join("snapshot.json"), edited().json).expect("edit");
    run.expect(vec![vec![edited()]], OrElse::Reseal);
    run.let_time_pass()
}

fn reseal_of_an_edit_in_place() -> Vec<Trace> {
    vec![edited_in_place().accept_external_changes().commit(2, 2).end()]
}

/// An older version of the program replaced both links.
fn foreign() -> Run {
    let mut run = one_published();
    for (name, text) in [("snapshot.json", FOREIGN), ("snapshot.seq", "9")] {
        fs::remove_file(run.path().join(name)).expect("remove");
        fs::write(run.path().join(name), text).expect("write");
    }
    run.expect(vec![vec![Pair::new(1)]], OrElse::SetAside);
    run.let_time_pass()
}

fn set_aside() -> Vec<Trace> {
    vec![foreign().revert_external_changes().commit(2, 2).end()]
}

/// What an older version left that was killed in its first save.
fn half_a_pair() -> Vec<Trace> {
    let expect = Expect { or_else: OrElse::SetAside, ..nothing() };
    let half = folder([("state", folder([("snapshot.json", file(FOREIGN))]))]);
    vec![Run::new("state", half, expect).commit(1, 2).end()]
}

fn killed_in_the_first_publish() -> Vec<Trace> {
    killed(Run::new("b/state", folder([]), nothing()).commit(1, 1).end(), |run| run.commit(2, 2))
}

/// The next one finds a commit record that may not be durable, and what it says is retired.
fn killed_in_the_second_publish() -> Vec<Trace> {
    killed(one_published().commit(2, 1).end(), |run| run.commit(3, 2))
}

fn killed_in_an_adoption() -> Vec<Trace> {
    killed(plain_pair().stage(2).end(), |run| run.commit(3, 2))
}

fn killed_in_a_reseal() -> Vec<Trace> {
    let mut traces = killed(replaced_link().let_time_pass().accept_external_changes().end(), |run| run.go_on(2, 2));
    traces.extend(killed(edited_in_place().accept_external_changes().end(), |run| run.go_on(2, 2)));
    traces
}

fn killed_in_a_set_aside() -> Vec<Trace> {
    killed(foreign().revert_external_changes().end(), |run| run.go_on(2, 2))
}

fn history_after_a_kill() -> Vec<Trace> {
    let mut traces = killed(one_published().commit(2, 1).end(), Run::history);
    traces.extend(killed(Run::new("b/state", folder([]), nothing()).commit(1, 2).end(), Run::history));
    traces.extend(killed(plain_pair().stage(2).end(), Run::history));
    traces.extend(killed(replaced_link().let_time_pass().accept_external_changes().end(), Run::history));
    traces
}

fn history_of_a_plain_pair() -> Vec<Trace> {
    vec![unsynced_plain_pair().history().end()]
}

/// In the end it retains one, and then two.
fn history_during_a_publish() -> Vec<Trace> {
    [1, 2].into_iter().flat_map(|retain| history::at_each_call(one_published, retain)).collect()
}

fn history_during_a_first_publish() -> Vec<Trace> {
    history::at_each_call(|| Run::new("b/state", folder([]), nothing()), 2)
}

fn history_during_an_adoption() -> Vec<Trace> {
    history::at_each_call(unsynced_plain_pair, 2)
}

fn history_of_a_pair_that_is_replaced() -> Vec<Trace> {
    history::at_each_call_by_an_old_version(plain_pair)
}

fn sweep_after_a_kill() -> Vec<Trace> {
    killed(one_published().commit(2, 1).end(), Run::collect_garbage)
}

fn two_committed() -> Run {
    one_published().commit(2, 3).let_time_pass()
}

/// A machine with three retained.
fn three_committed() -> Run {
    one_published().commit(2, 3).commit(3, 3).let_time_pass()
}

fn expiry() -> Vec<Trace> {
    vec![three_committed().expire(2).expire(1).end()]
}

/// What expires is all that there is, if the record that was killed before its sync isn't there after a power loss.
fn expiry_of_an_unsynced_commit() -> Vec<Trace> {
    killed(one_published().commit(2, 2).end(), |run| run.expire(1))
}

fn expiry_while_another_is_staged() -> Vec<Trace> {
    let run = two_committed();
    let staged = block_on(run.backend().stage(4)).expect("stage");
    vec![run.expire(1).publish_staged(staged, 4, 3).end()]
}

/// The next one finds a reduced retention that may not be durable, and generations that are only retained without it.
fn killed_in_an_expiry() -> Vec<Trace> {
    let next: [fn(Run) -> Run; 4] = [|run| run.commit(4, 3), |run| run.expire(1), Run::collect_garbage, Run::history];
    next.into_iter().flat_map(|next| killed(two_committed().expire(1).end(), next)).collect()
}

fn expiry_killed_before_a_commit_that_retains_more() -> Vec<Trace> {
    killed(three_committed().expire(2).end(), |run| run.stage(4).commit(5, 9))
}

fn corrupt() -> Run {
    three_committed().corrupt_current(3, vec![Pair::new(2), Pair::new(1)])
}

fn healing() -> Vec<Trace> {
    vec![corrupt().heal(4, 3).end()]
}

/// The next one finds what is corrupt in its place, current or not.
fn killed_in_a_healing() -> Vec<Trace> {
    killed(corrupt().heal(4, 3).end(), |run| run.heal(5, 4))
}

fn stale_while_another_is_killed() -> Vec<Trace> {
    history::stale_at_each_call(one_published)
}

/// The commit record is no link of ours, and both names were replaced by another program.
fn lost() -> Run {
    let mut run = one_published();
    for (name, text) in [("snapshot.json", FOREIGN), ("snapshot.seq", "9"), ("snapshots/current", "?")] {
        fs::remove_file(run.path().join(name)).expect("remove");
        fs::write(run.path().join(name), text).expect("write");
    }
    run.expect(vec![Vec::new()], OrElse::GiveUp);
    run.let_time_pass()
}

fn giving_up() -> Vec<Trace> {
    vec![lost().give_up().commit(2, 2).end()]
}

fn killed_while_giving_up() -> Vec<Trace> {
    killed(lost().give_up().end(), |run| run.give_up().commit(2, 2))
}

/// The commit record is gone. The newest generation may never have been committed; the one before is its parent.
fn without_record() -> Run {
    let mut run = three_committed();
    fs::remove_file(run.path().join("snapshots/current")).expect("remove");
    run.expect(vec![vec![Pair::new(2), Pair::new(1)]], OrElse::Reset);
    run.let_time_pass()
}

fn going_back() -> Vec<Trace> {
    vec![without_record().reset().end()]
}

fn killed_while_going_back() -> Vec<Trace> {
    killed(without_record().reset().end(), |run| run.reset().commit(4, 3))
}

/// Links became files with their text; `also` is at the two names as well as `snapshot.seq`. Each name is as a run would
/// write it in a trace, since a file's text is not.
fn with_text_of_links(also: Option<(&str, Tree)>) -> Run {
    let pairs = [Pair::new(1), Pair::new(2)];
    let name = |pair: &Pair| format!("{:020}-{}-randomgeneration", pair.seq, Digest::of(pair.json.as_bytes()));
    let [first, second] = [&pairs[0], &pairs[1]].map(name);
    let generation = |pair: &Pair, links: Vec<(&str, Tree)>| {
        let files = [("snapshot.json", file(&pair.json)), ("snapshot.seq", file(&format!("{}\n", pair.seq)))];
        let entries = files.into_iter().chain(links);
        Tree::Folder(entries.map(|(name, tree)| (name.to_owned(), Arc::new(tree))).collect())
    };
    let links = vec![("parent", file(&format!("../{first}"))), ("retained", file("2"))];
    let snapshots = folder([
        ("current", file(&second)),
        (&first, generation(&pairs[0], vec![("retained", Tree::Link("1".into()))])),
        (&second, generation(&pairs[1], links)),
    ]);
    let seq = ("snapshot.seq", file("snapshots/current/snapshot.seq"));
    let entries = [seq, ("snapshots", snapshots)].into_iter().chain(also);
    let state = Tree::Folder(entries.map(|(name, tree)| (name.to_owned(), Arc::new(tree))).collect());
    let expect = Expect { one_of: vec![vec![Pair::new(2), Pair::new(1)]], or_else: OrElse::PutLinksBack };
    Run::new("state", folder([("state", state)]), expect)
}

fn one_name_is_missing() -> Run {
    with_text_of_links(None)
}

/// Then nothing but the text has to be replaced, and the next commit takes both links for durable.
fn one_name_is_text() -> Run {
    with_text_of_links(Some(("snapshot.json", Tree::Link("snapshots/current/snapshot.json".into()))))
}

fn links_put_back() -> Vec<Trace> {
    [one_name_is_missing(), one_name_is_text()].map(|run| run.revert_external_changes().commit(3, 2).end()).into()
}

fn killed_while_links_are_put_back() -> Vec<Trace> {
    let next = |run: Run| run.revert_external_changes().commit(3, 2);
    let starts = [one_name_is_missing(), one_name_is_text()];
    starts.into_iter().flat_map(|run| killed(run.revert_external_changes().end(), next)).collect()
}

/// Two were committed by the handle that does the rest.
fn two_by_one_handle() -> Run {
    let run = empty().by_one_handle().commit(1, 2).commit(2, 2).let_time_pass().stage(3);
    assert!(run.is_at_rest(), "a small stage of such a handle is in memory");
    run
}

/// The third makes the first expire, and after `expire` what the handle remembers is out of date.
fn one_handle() -> Vec<Trace> {
    vec![two_by_one_handle().commit(3, 2).expire(1).commit(4, 2).end()]
}

fn killed_with_one_handle() -> Vec<Trace> {
    killed(two_by_one_handle().commit(3, 2).end(), |run| run.commit(4, 2))
}

/// The way on after an unknown outcome: who is told that it is stale takes that for a success.
fn stale_after_a_kill() -> Vec<Trace> {
    let first = || Run::new("b/state", folder([]), nothing()).commit(2, 2).end();
    let mut traces = killed(one_published().commit(2, 2).end(), |run| run.commit_if_newer(2, 2));
    traces.extend(killed(first(), |run| run.commit_if_newer(2, 2)));
    traces
}

fn power_loss_in_the_first_publish_after_a_power_loss() -> Vec<Trace> {
    let trace = Run::new("b/state", folder([]), nothing()).commit(1, 2).end();
    trace.restarted_after_power_loss().map(|run| run.commit(2, 1).end()).collect()
}

fn power_loss_in_an_adoption_after_a_power_loss() -> Vec<Trace> {
    let trace = plain_pair().stage(2).end();
    trace.restarted_after_power_loss().map(|run| run.commit(2, 2).end()).collect()
}

fn killed(trace: Trace, next: impl Fn(Run) -> Run) -> Vec<Trace> {
    trace.killed_at_each_step().map(|run| next(run).end()).collect()
}

/// A version that understands only older formats reads the record first: it must find the format then.
#[test]
fn format_is_stated_before_the_record_is_placed() {
    for trace in first_publish().into_iter().chain(adoption()) {
        let first = |path: &str| {
            let is_it = |step: &Step| matches!(step, Step::Did(_, event) if format!("{event:?}").contains(path));
            trace.steps.iter().position(is_it).expect("it is made")
        };
        // A record is made at its place, or renamed to it.
        assert!(first("snapshots/format\")") < first("snapshots/current\")"));
    }
}
