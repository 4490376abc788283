//! Programs that publish: each on a fresh file system, each with a ledger of what it did.

use crate::ledger::{Ledger, Scribe};
use minisnap_power_loss::{Dice, Disk, FileSystem, Image, Recording};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A program: what it does to a folder before the recording begins, and after.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Below the file system's root.
    pub(crate) dir: &'static str,
    prepare: fn(&Path),
    work: fn(&Scribe<'_>, Dice),
    /// Whether another program uses the disk meanwhile.
    has_neighbour: bool,
}

/// All of them.
pub(crate) const PROGRAMS: [Program; 5] = [
    Program {
        name: "the first publishes, in folders that are missing",
        dir: "srv/app/state",
        prepare: |_| {},
        work: |scribe, dice| one_after_the_other(scribe, dice, 4, |_| 20, 2),
        has_neighbour: false,
    },
    Program {
        name: "a plain pair is adopted",
        dir: "state",
        prepare: write_plain_pair,
        work: |scribe, dice| one_after_the_other(scribe, dice, 4, |_| 20, 2),
        has_neighbour: false,
    },
    Program {
        name: "large states and small ones, some generations kept",
        dir: "state",
        prepare: |_| {},
        work: |scribe, dice| one_after_the_other(scribe, dice, 24, any_size, 2),
        has_neighbour: false,
    },
    Program {
        name: "another program syncs its own files all the time",
        dir: "state",
        prepare: |_| {},
        work: |scribe, dice| one_after_the_other(scribe, dice, 24, any_size, 1),
        has_neighbour: true,
    },
    Program { name: "two writers", dir: "state", prepare: |_| {}, work: side_by_side, has_neighbour: true },
];

impl Program {
    /// Runs it, and tells what was done to the disk and what was published.
    pub(crate) fn run(&self, file_system: FileSystem, formatted: &Image, dice: &Dice) -> (Recording, Ledger) {
        let disk = Disk::start(formatted.clone());
        let mounted = disk.mount(file_system).expect("the kernel mounts what mkfs made");
        let dir = mounted.path().join(self.dir);
        (self.prepare)(&dir);
        mounted.sync();
        let neighbour = self.has_neighbour.then(|| Neighbour::start(&mounted.path().join("neighbour"), dice.clone()));
        let scribe = block_on(Scribe::begin(&disk, &dir));
        (self.work)(&scribe, dice.clone());
        let recording = disk.cut_recording();
        drop(neighbour);
        (recording, scribe.end())
    }
}

/// Another program on the same disk, until it is dropped.
struct Neighbour {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    fn start(folder: &Path, dice: Dice) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (folder, until) = (folder.to_path_buf(), is_over.clone());
        let thread = thread::spawn(move || keep_syncing(&folder, dice, &until));
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the neighbour failed");
    }
}

fn write_plain_pair(dir: &Path) {
    fs::create_dir(dir).expect("a folder");
    fs::write(dir.join("snapshot.json"), text(7, 300)).expect("a plain JSON");
    fs::write(dir.join("snapshot.seq"), "7").expect("a plain seq");
}

fn one_after_the_other(scribe: &Scribe<'_>, mut dice: Dice, times: u64, size: fn(&mut Dice) -> usize, keep: usize) {
    block_on(async {
        for seq in 10..10 + times {
            scribe.commit(seq, text(seq, size(&mut dice)), keep).await;
        }
    });
}

fn side_by_side(scribe: &Scribe<'_>, mut dice: Dice) {
    let (mut other, keep) = (Dice::new(dice.roll()), 3);
    let large = async {
        for seq in 10..20 {
            scribe.commit(seq, text(seq, any_size(&mut dice)), keep).await;
        }
    };
    let small = async {
        for seq in 1000..1030 {
            scribe.commit(seq, text(seq, 20), keep).await;
            tokio::time::sleep(Duration::from_micros(other.roll() % 3000)).await;
        }
    };
    block_on(async { tokio::join!(large, small) });
}

/// Writes and syncs files: with it goes whatever the file system has in hand, also in the middle of a publish.
fn keep_syncing(folder: &Path, mut dice: Dice, is_over: &AtomicBool) {
    fs::create_dir(folder).expect("a folder");
    while !is_over.load(Ordering::Relaxed) {
        let mut file = File::create(folder.join(dice.below(8).to_string())).expect("a file");
        file.write_all(&vec![b'n'; dice.below(20_000)]).and_then(|()| file.sync_all()).expect("write and sync");
        thread::sleep(Duration::from_micros(dice.roll() % 2000));
    }
}

fn any_size(dice: &mut Dice) -> usize {
    let most = dice.pick(&[50, 5000, 50_000, 500_000]);
    20 + dice.below(most)
}

/// A JSON of about this size that can't be taken for any other.
pub(crate) fn text(seq: u64, size: usize) -> String {
    let filling: String = (0..size as u64 / 20).map(|line| format!("    \"{seq:08} {line:08}\",\n")).collect();
    format!("{{\n  \"state\": {seq},\n  \"lines\": [\n{filling}    \"\"\n  ]\n}}")
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}
