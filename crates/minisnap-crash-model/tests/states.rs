//! What may be found after a power loss, by hand: each rule of the model on a disk so small that all states can be written
//! down.

use minisnap_crash_model::{Beside, Event, Model, Tree};
use std::{collections::BTreeSet, sync::Arc};

/// A disk, what is done to it, and what may be found then. A tree is written as its lines, with spaces between.
#[track_caller]
fn expect<const N: usize>(start: Tree, events: impl IntoIterator<Item = Event>, expected: [&str; N]) {
    expect_if(start, events, |_, _| false, expected);
}

#[track_caller]
fn expect_if<const N: usize>(
    start: Tree,
    events: impl IntoIterator<Item = Event>,
    is_never_read: impl Fn(&str, &Beside<'_>) -> bool,
    expected: [&str; N],
) {
    let mut model = Model::of(&start);
    events.into_iter().for_each(|event| model.apply(&event));
    let states = model.after_power_loss(&is_never_read);
    let distinct: BTreeSet<_> = states.iter().map(|tree| draw(tree)).collect();
    assert_eq!(distinct, expected.into_iter().map(str::to_owned).collect());
    assert!(distinct.contains(&draw(&model.now())), "what programs see is one of them");
}

/// Without the line of the root, and with 0 for a byte of that value.
fn draw(tree: &Tree) -> String {
    let lines = tree.to_string().replace(": ", ":").replace(" -> ", "->").replace(r"\x00", "0");
    lines.lines().filter(|line| *line != "/").map(|line| line.trim_start_matches('/')).collect::<Vec<_>>().join(" ")
}

fn folder<const N: usize>(entries: [(&str, Tree); N]) -> Tree {
    Tree::Folder(entries.into_iter().map(|(name, tree)| (name.to_owned(), Arc::new(tree))).collect())
}

fn file(text: &str) -> Tree {
    Tree::File(text.as_bytes().to_vec())
}

fn create(path: &str) -> Event {
    Event::CreateFile(path.into())
}

fn write(path: &str, text: &str) -> Event {
    Event::Write(path.into(), text.as_bytes().to_vec())
}

fn set_length(path: &str, length: usize) -> Event {
    Event::SetLength(path.into(), length)
}

fn rename(from: &str, to: &str) -> Event {
    Event::Rename(from.into(), to.into())
}

fn remove(path: &str) -> Event {
    Event::Remove(path.into())
}

fn sync(path: &str) -> Event {
    Event::Sync(path.into())
}

#[test]
fn unsynced_data_is_there_or_cut_off_or_zeros_or_gone() {
    let log = || folder([("log", file("ab"))]);
    expect(log(), [write("log", "cd")], ["log:ab", "log:abc", "log:ab00", "log:abcd"]);
    expect(log(), [write("log", "c"), write("log", "d")], ["log:ab", "log:abc", "log:ab00", "log:abcd"]);
    expect(log(), [write("log", "cd"), sync("log")], ["log:abcd"]);
    expect(log(), [write("log", "cd"), sync("log"), write("log", "e")], ["log:abcd", "log:abcd0", "log:abcde"]);
}

#[test]
fn a_synced_folder_says_nothing_of_the_data_in_it() {
    let start = || folder([]);
    expect(start(), [create("a"), write("a", "xy"), sync("a")], ["", "a:xy"]);
    expect(start(), [create("a"), write("a", "xy"), sync("")], ["a:", "a:x", "a:00", "a:xy"]);
    expect(start(), [create("a"), write("a", "xy"), sync("a"), sync("")], ["a:xy"]);
}

#[test]
fn changes_of_names_survive_in_any_combination() {
    expect(folder([]), [create("a"), create("b")], ["", "a:", "b:", "a: b:"]);
    let start = || folder([("a", file("1")), ("b", file("2"))]);
    expect(start(), [remove("a"), remove("b")], ["a:1 b:2", "a:1", "b:2", ""]);
    expect(start(), [remove("a"), remove("b"), sync("")], [""]);
    // The later one of two wins, if both are there.
    expect(start(), [remove("a"), Event::Link("b".into(), "a".into())], ["a:1 b:2", "b:2", "a->b b:2"]);
}

#[test]
fn a_rename_within_a_folder_is_one_change() {
    let start = || folder([("new", file("2")), ("now", file("1"))]);
    expect(start(), [rename("new", "now")], ["new:2 now:1", "now:2"]);
    expect(start(), [rename("new", "now"), sync("")], ["now:2"]);
    // Over a name that is as little durable.
    let events = [create("new"), write("new", "x"), sync("new"), rename("new", "now")];
    expect(folder([("now", file("1"))]), events, ["now:1", "new:x now:1", "now:x"]);
}

#[test]
fn a_rename_from_folder_to_folder_is_one_change_in_each() {
    let start = || folder([("a", folder([("f", file("1"))])), ("b", folder([]))]);
    let events = || [rename("a/f", "b/f")];
    expect(start(), events(), ["a/f:1 a/ b/", "a/ b/", "a/f:1 a/ b/f:1 b/", "a/ b/f:1 b/"]);
    expect(start(), events().into_iter().chain([sync("b")]), ["a/f:1 a/ b/f:1 b/", "a/ b/f:1 b/"]);
}

#[test]
fn a_folder_that_is_lost_takes_what_is_in_it_with_it() {
    let events = || [Event::CreateFolders("a/b".into()), create("a/b/f"), sync("a/b/f"), sync("a/b")];
    expect(folder([]), events(), ["", "a/", "a/b/f: a/b/ a/"]);
    expect(folder([]), events().into_iter().chain([sync("a")]), ["", "a/b/f: a/b/ a/"]);
    expect(folder([]), events().into_iter().chain([sync("a"), sync("")]), ["a/b/f: a/b/ a/"]);
}

#[test]
fn a_cut_file_has_its_old_length_or_the_new_one() {
    let log = || folder([("log", file("abcd"))]);
    expect(log(), [set_length("log", 2)], ["log:abcd", "log:ab", "log:ab00"]);
    expect(log(), [set_length("log", 2), sync("log")], ["log:ab"]);
    expect(log(), [set_length("log", 6)], ["log:abcd", "log:abcd0", "log:abcd00"]);
    expect(log(), [set_length("log", 4)], ["log:abcd"]);
}

#[test]
fn what_is_written_after_an_unsynced_cut_may_mix_with_what_was_cut_off() {
    let log = || folder([("log", file("abcd"))]);
    expect(
        log(),
        [set_length("log", 1), write("log", "XY")],
        [
            // The cut alone, and with what any write may leave.
            "log:a", "log:aX", "log:a00", "log:aXY",
            // The old bytes, with the old length, and with the new ones.
            "log:abcd", "log:ab", "log:abc",
            // The old length, and new bytes in it, or zeros in their place.
            "log:aXcd", "log:aXYd", "log:a00d", "log:aX00", "log:aXY0", "log:a000",
        ],
    );
    // A sync in between makes it two plain cases.
    let events = [set_length("log", 1), sync("log"), write("log", "XY")];
    expect(log(), events, ["log:a", "log:aX", "log:a00", "log:aXY"]);
}

#[test]
fn a_cut_of_unsynced_data_leaves_what_there_was_before_it() {
    let events = [write("log", "bc"), set_length("log", 2)];
    expect(folder([("log", file("a"))]), events, ["log:a", "log:ab", "log:a00", "log:abc", "log:ab0"]);
}

#[test]
fn data_that_is_never_read_is_there_as_a_whole() {
    let start = || folder([("now", Tree::Link("b".into()))]);
    let events = || {
        let of = |name: &str| {
            [
                Event::CreateFolder(name.into()),
                create(&format!("{name}/f")),
                write(&format!("{name}/f"), "xy"),
                sync(name),
            ]
        };
        [of("a"), of("b")].into_iter().flatten().chain([sync("")])
    };
    let of_b = ["b/f: b/", "b/f:x b/", "b/f:00 b/", "b/f:xy b/"].map(|b| format!("a/f:xy a/ {b} now->b"));
    let is_never_read = |name: &str, beside: &Beside<'_>| name == "a" && beside.link("now") == Some("b");
    expect_if(start(), events(), is_never_read, of_b.each_ref().map(String::as_str));
}

#[test]
fn what_was_laid_out_is_read_back() {
    let machine = tempfile::tempdir().expect("a temporary folder");
    let tree = folder([("a", folder([("f", file("\0x"))])), ("l", Tree::Link("a/f".into()))]);
    let path = machine.path().join("disk");
    tree.write_to(&path).expect("to lay it out");
    let read = |tame: fn(&str) -> String| Tree::read_from(&path, &tame).expect("to read it");
    assert_eq!(*read(str::to_owned), tree);
    assert_eq!(draw(&read(str::to_uppercase)), "A/F:0x A/ L->A/F");
}

#[test]
#[should_panic(expected = "there is no a to rename")]
fn what_cannot_have_happened_is_refused() {
    Model::of(&folder([])).apply(&rename("a", "b"));
}
