//! The rules of the model, each on a small disk with all its states listed.

use minisnap_crash_model::{Event, Model, Siblings, Tree};
use std::{collections::BTreeSet, sync::Arc};

/// Asserts the states after `events` on a disk and a power loss. A tree is written as its lines, separated by spaces.
#[track_caller]
fn assert_states<const N: usize>(start: Tree, events: impl IntoIterator<Item = Event>, expected: [&str; N]) {
    let events: Vec<_> = events.into_iter().collect();
    let mut model = Model::of(&start);
    events.iter().for_each(|event| model.apply(event));
    let durable = lines_of(&model.durable());
    assert!(expected.contains(&durable.as_str()), "the state without pending changes is one of them, not {durable}");
    assert_states_if(start, events, |_, _| false, expected);
}

#[track_caller]
fn assert_states_if<const N: usize>(
    start: Tree,
    events: impl IntoIterator<Item = Event>,
    is_never_read: impl Fn(&str, &Siblings<'_>) -> bool,
    expected: [&str; N],
) {
    let mut model = Model::of(&start);
    events.into_iter().for_each(|event| model.apply(&event));
    let states = model.after_power_loss(&is_never_read);
    let distinct: BTreeSet<_> = states.iter().map(|tree| lines_of(tree)).collect();
    assert_eq!(distinct, expected.into_iter().map(str::to_owned).collect());
    assert!(distinct.contains(&lines_of(&model.now())), "the state that programs see is one of them");
}

/// The lines of a tree, without the root, and with 0 for a zero byte.
fn lines_of(tree: &Tree) -> String {
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

fn write_at(path: &str, offset: usize, text: &str) -> Event {
    Event::WriteAt(path.into(), offset, text.as_bytes().to_vec())
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
fn unsynced_data_may_be_complete_truncated_zeros_or_lost() {
    let log = || folder([("log", file("ab"))]);
    assert_states(log(), [write("log", "cd")], ["log:ab", "log:abc", "log:ab00", "log:abcd"]);
    assert_states(log(), [write("log", "c"), write("log", "d")], ["log:ab", "log:abc", "log:ab00", "log:abcd"]);
    assert_states(log(), [write("log", "cd"), sync("log")], ["log:abcd"]);
    assert_states(log(), [write("log", "cd"), sync("log"), write("log", "e")], ["log:abcd", "log:abcd0", "log:abcde"]);
}

#[test]
fn folder_sync_does_not_sync_file_data() {
    let start = || folder([]);
    assert_states(start(), [create("a"), write("a", "xy"), sync("a")], ["", "a:xy"]);
    assert_states(start(), [create("a"), write("a", "xy"), sync("")], ["a:", "a:x", "a:00", "a:xy"]);
    assert_states(start(), [create("a"), write("a", "xy"), sync("a"), sync("")], ["a:xy"]);
}

#[test]
fn name_changes_survive_in_any_combination() {
    assert_states(folder([]), [create("a"), create("b")], ["", "a:", "b:", "a: b:"]);
    let start = || folder([("a", file("1")), ("b", file("2"))]);
    assert_states(start(), [remove("a"), remove("b")], ["a:1 b:2", "a:1", "b:2", ""]);
    assert_states(start(), [remove("a"), remove("b"), sync("")], [""]);
    // If two changes of one name survive, the later one applies.
    assert_states(start(), [remove("a"), Event::Link("b".into(), "a".into())], ["a:1 b:2", "b:2", "a->b b:2"]);
}

#[test]
fn rename_within_a_folder_is_one_change() {
    let start = || folder([("new", file("2")), ("now", file("1"))]);
    assert_states(start(), [rename("new", "now")], ["new:2 now:1", "now:2"]);
    assert_states(start(), [rename("new", "now"), sync("")], ["now:2"]);
    // The new file isn't durable either.
    let events = [create("new"), write("new", "x"), sync("new"), rename("new", "now")];
    assert_states(folder([("now", file("1"))]), events, ["now:1", "new:x now:1", "now:x"]);
}

#[test]
fn rename_across_folders_is_one_change_in_each() {
    let start = || folder([("a", folder([("f", file("1"))])), ("b", folder([]))]);
    let events = || [rename("a/f", "b/f")];
    assert_states(start(), events(), ["a/f:1 a/ b/", "a/ b/", "a/f:1 a/ b/f:1 b/", "a/ b/f:1 b/"]);
    assert_states(start(), events().into_iter().chain([sync("b")]), ["a/f:1 a/ b/f:1 b/", "a/ b/f:1 b/"]);
}

#[test]
fn lost_folder_loses_its_contents() {
    let events = || [Event::CreateFolders("a/b".into()), create("a/b/f"), sync("a/b/f"), sync("a/b")];
    assert_states(folder([]), events(), ["", "a/", "a/b/f: a/b/ a/"]);
    assert_states(folder([]), events().into_iter().chain([sync("a")]), ["", "a/b/f: a/b/ a/"]);
    assert_states(folder([]), events().into_iter().chain([sync("a"), sync("")]), ["a/b/f: a/b/ a/"]);
}

#[test]
fn truncated_file_has_its_old_length_or_the_new_one() {
    let log = || folder([("log", file("abcd"))]);
    assert_states(log(), [set_length("log", 2)], ["log:abcd", "log:ab", "log:ab00"]);
    assert_states(log(), [set_length("log", 2), sync("log")], ["log:ab"]);
    assert_states(log(), [set_length("log", 6)], ["log:abcd", "log:abcd0", "log:abcd00"]);
    assert_states(log(), [set_length("log", 4)], ["log:abcd"]);
}

#[test]
fn data_after_an_unsynced_truncation_may_mix_with_old_data() {
    let log = || folder([("log", file("abcd"))]);
    assert_states(
        log(),
        [set_length("log", 1), write("log", "XY")],
        [
            // The truncation, alone and with the states of a write.
            "log:a", "log:aX", "log:a00", "log:aXY",
            // The old bytes, with the old length and the new ones.
            "log:abcd", "log:ab", "log:abc", // The old length, with new bytes or zeros.
            "log:aXcd", "log:aXYd", "log:a00d", "log:aX00", "log:aXY0", "log:a000",
        ],
    );
    // A sync in between separates the two changes.
    let events = [set_length("log", 1), sync("log"), write("log", "XY")];
    assert_states(log(), events, ["log:a", "log:aX", "log:a00", "log:aXY"]);
}

#[test]
fn truncated_unsynced_data_may_survive() {
    let events = [write("log", "bc"), set_length("log", 2)];
    assert_states(folder([("log", file("a"))]), events, ["log:a", "log:ab", "log:a00", "log:abc", "log:ab0"]);
}

#[test]
fn writes_at_offsets_survive_in_any_combination() {
    let file_of = |text| folder([("db", file(text))]);
    let two = || [write_at("db", 0, "X"), write_at("db", 2, "Y")];
    assert_states(file_of("abcd"), two(), ["db:abcd", "db:Xbcd", "db:abYd", "db:XbYd"]);
    assert_states(file_of("abcd"), two().into_iter().chain([sync("db")]), ["db:XbYd"]);
    // Of two writes of the same bytes, the later surviving one applies.
    assert_states(file_of("a"), [write_at("db", 0, "X"), write_at("db", 0, "Y")], ["db:a", "db:X", "db:Y"]);
    assert_states(file_of("a"), [write_at("db", 0, "X"), sync("db"), write_at("db", 0, "Y")], ["db:X", "db:Y"]);
}

#[test]
fn length_may_survive_without_the_bytes_written_beyond_the_end() {
    let log = || folder([("db", file("ab"))]);
    assert_states(log(), [write_at("db", 2, "cd")], ["db:ab", "db:ab00", "db:abcd"]);
    assert_states(log(), [write_at("db", 3, "d")], ["db:ab", "db:ab00", "db:ab0d"]);
    // An append is a write at the end, once the file was written at an offset.
    let events = || [write_at("db", 0, "X"), write("db", "c")];
    assert_states(log(), events(), ["db:ab", "db:ab0", "db:abc", "db:Xb", "db:Xb0", "db:Xbc"]);
    let events = || [write("db", "c"), write_at("db", 0, "X")];
    assert_states(log(), events(), ["db:ab", "db:ab0", "db:abc", "db:Xb", "db:Xb0", "db:Xbc"]);
}

#[test]
fn truncation_between_writes_at_offsets_may_survive_or_not() {
    let events = [set_length("db", 1), write_at("db", 0, "X")];
    assert_states(folder([("db", file("ab"))]), events, ["db:ab", "db:a", "db:Xb", "db:X"]);
    let events = [write_at("db", 0, "X"), set_length("db", 0), sync("db")];
    assert_states(folder([("db", file("ab"))]), events, ["db:"]);
}

#[test]
fn last_surviving_write_may_be_torn_between_sectors() {
    let blocks = |letters: &str| letters.chars().map(|letter| letter.to_string().repeat(512)).collect::<String>();
    let of = |letters: &str| format!("db:{}", blocks(letters));
    let states_after = |events: Vec<Event>, expected: &[&str]| {
        let mut model = Model::of(&folder([("db", file(&blocks("abcd")))]));
        events.iter().for_each(|event| model.apply(event));
        let states: BTreeSet<_> = model.after_power_loss(&|_, _| false).iter().map(|tree| lines_of(tree)).collect();
        assert_eq!(states, expected.iter().map(|letters| of(letters)).collect(), "{expected:?}");
    };
    // The length may survive with the first half alone.
    let appended = vec![write_at("db", 2048, &blocks("YZ"))];
    states_after(appended, &["abcd", "abcd00", "abcdY", "abcdY0", "abcd0Z", "abcdYZ"]);
    // Four sectors are torn in the middle, and one sector isn't torn.
    states_after(vec![write_at("db", 0, &blocks("WXYZ"))], &["abcd", "WXcd", "abYZ", "WXYZ"]);
    states_after(vec![write_at("db", 512, &blocks("X"))], &["abcd", "aXcd"]);
    // The earlier write survives completely below a later torn one.
    let two = vec![write_at("db", 0, &blocks("X")), write_at("db", 1024, &blocks("YZ"))];
    states_after(two, &["abcd", "Xbcd", "abYd", "abcZ", "abYZ", "XbYd", "XbcZ", "XbYZ"]);
}

#[test]
fn many_writes_survive_from_an_end_alone_or_all_but_one() {
    let states_after = |writes| {
        let mut model = Model::of(&folder([("db", file("......"))]));
        (0..writes).for_each(|offset| model.apply(&write_at("db", offset, "X")));
        let states = model.after_power_loss(&|_, _| false);
        states.iter().map(|tree| lines_of(tree)).collect::<BTreeSet<_>>()
    };
    assert_eq!(states_after(5).len(), 32, "of five writes, each combination survives");
    let states = states_after(6);
    for survivors in ["......", "X.....", "XXX...", "...XXX", "..X...", "XX.XXX", "XXXXXX"] {
        assert!(states.contains(&format!("db:{survivors}")), "{survivors} is missing");
    }
    assert_eq!(
        states.len(),
        1 + 2 * 6 - 1 + 2 * 4,
        "none, the first n, the last n, one in the middle, all but one there"
    );
}

#[test]
fn durable_state_has_no_pending_change() {
    let mut model = Model::of(&folder([("a", file("1")), ("b", file("2")), ("c", file("3"))]));
    let events = [write("a", "x"), write_at("b", 0, "x"), sync("b"), write_at("b", 0, "y"), remove("c"), create("d")];
    events.iter().for_each(|event| model.apply(event));
    assert_eq!(lines_of(&model.durable()), "a:1 b:x c:3");
    model.apply(&write_at("a", 0, "y"));
    assert_eq!(lines_of(&model.durable()), "a:1 b:x c:3", "an append before a write at an offset isn't durable");
    model.apply(&sync(""));
    assert_eq!(lines_of(&model.durable()), "a:1 b:x d:");
}

#[test]
fn file_is_read_as_programs_see_it() {
    let mut model = Model::of(&folder([("db", file("ab"))]));
    model.apply(&write_at("db", 1, "X"));
    assert_eq!(model.read("db"), Some(&b"aX"[..]));
    assert_eq!((model.read(""), model.read("none")), (None, None));
}

#[test]
fn data_that_is_never_read_is_complete() {
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
    let is_never_read = |name: &str, siblings: &Siblings<'_>| name == "a" && siblings.link("now") == Some("b");
    assert_states_if(start(), events(), is_never_read, of_b.each_ref().map(String::as_str));
}

#[test]
fn written_tree_round_trips() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let tree = folder([("a", folder([("f", file("\0x"))])), ("l", Tree::Link("a/f".into()))]);
    let path = directory.path().join("disk");
    tree.write_to(&path).expect("the tree is written");
    let read = |normalize: fn(&str) -> String| Tree::read_from(&path, &normalize).expect("the tree is read");
    assert_eq!(*read(str::to_owned), tree);
    assert_eq!(lines_of(&read(str::to_uppercase)), "A/F:0x A/ L->A/F");
}

#[test]
#[should_panic(expected = "there is no a to rename")]
fn impossible_event_panics() {
    Model::of(&folder([])).apply(&rename("a", "b"));
}
