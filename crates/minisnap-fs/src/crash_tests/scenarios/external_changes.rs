//! External changes, accepted and reverted.

use super::start::*;
use crate::{
    crash_tests::{
        expected::{EXTERNAL, Expected, Pair, Recovery, committed_over},
        run::Run,
        trace::Trace,
    },
    sys,
};
use minisnap_core::Digest;
use minisnap_crash_model::Tree;
use std::{fs, num::NonZeroUsize, sync::Arc};

/// A file replaces the link `snapshot.json` without a sync, as by `sed -i`.
pub(super) fn replaced_link() -> Run {
    let mut run = one_committed();
    let retain = NonZeroUsize::MAX;
    let committed = vec![Pair::new(1)];
    let accepted = committed_over(&committed, &edited(), retain);
    run.expect(vec![committed, accepted], Recovery::Accept);
    let (temporary, json) = (run.path().join("sedAbCdEf"), run.path().join("snapshot.json"));
    write(&temporary, &edited().json);
    sys::rename(&temporary, &json).expect("rename");
    run
}

pub(super) fn accept_of_a_replaced_link() -> Vec<Trace> {
    vec![
        replaced_link().make_all_durable().accept_external_changes().commit(2, 2).end(),
        replaced_link().accept_external_changes().check_from_here().commit(2, 2).end(),
    ]
}

/// An editor writes to the generation's file through the link.
fn edited_in_place() -> Run {
    let mut run = one_committed();
    fs::write(run.path().join("snapshot.json"), edited().json).expect("edit");
    run.expect(vec![vec![edited()]], Recovery::Accept);
    run.make_all_durable()
}

pub(super) fn accept_of_an_edit_in_place() -> Vec<Trace> {
    vec![edited_in_place().accept_external_changes().commit(2, 2).end()]
}

/// An older version of the program replaced both links.
fn externally_replaced() -> Run {
    let mut run = one_committed();
    for (name, text) in [("snapshot.json", EXTERNAL), ("snapshot.seq", "9")] {
        fs::remove_file(run.path().join(name)).expect("remove");
        fs::write(run.path().join(name), text).expect("write");
    }
    run.expect(vec![vec![Pair::new(1)]], Recovery::Revert);
    run.make_all_durable()
}

pub(super) fn revert() -> Vec<Trace> {
    vec![externally_replaced().revert_external_changes().commit(2, 2).end()]
}

pub(super) fn killed_in_an_accept() -> Vec<Trace> {
    let mut traces = killed(replaced_link().make_all_durable().accept_external_changes().end(), |run| {
        run.accept_revert_or_commit(2, 2)
    });
    traces.extend(killed(edited_in_place().accept_external_changes().end(), |run| run.accept_revert_or_commit(2, 2)));
    traces
}

pub(super) fn killed_in_a_revert() -> Vec<Trace> {
    killed(externally_replaced().revert_external_changes().end(), |run| run.accept_revert_or_commit(2, 2))
}

/// Links became files with their text, `snapshot.seq` among them. `extra` is another entry of the store's folder. The names of
/// the generations are normalized like those of a trace, since the text in a file isn't normalized.
fn with_text_of_links(extra: Option<(&str, Tree)>) -> Run {
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
    let entries = [seq, ("snapshots", snapshots)].into_iter().chain(extra);
    let state = Tree::Folder(entries.map(|(name, tree)| (name.to_owned(), Arc::new(tree))).collect());
    let expect = Expected { one_of: vec![vec![Pair::new(2), Pair::new(1)]], recovery: Recovery::RestoreLinks };
    Run::new("state", folder([("state", state)]), expect)
}

fn one_name_is_missing() -> Run {
    with_text_of_links(None)
}

/// Only one file with the text of its link has to be replaced. After that, both links exist, and the next commit assumes that
/// they are durable.
fn one_name_is_text() -> Run {
    with_text_of_links(Some(("snapshot.json", Tree::Link("snapshots/current/snapshot.json".into()))))
}

pub(super) fn links_restored() -> Vec<Trace> {
    [one_name_is_missing(), one_name_is_text()].map(|run| run.revert_external_changes().commit(3, 2).end()).into()
}

pub(super) fn killed_while_links_are_restored() -> Vec<Trace> {
    let next = |run: Run| run.revert_external_changes().commit(3, 2);
    let starts = [one_name_is_missing(), one_name_is_text()];
    starts.into_iter().flat_map(|run| killed(run.revert_external_changes().end(), next)).collect()
}
