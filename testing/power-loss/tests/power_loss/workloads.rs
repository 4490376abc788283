//! Workloads: programs that commit to a store on a new file system, each with a ledger of its commits.

use crate::ledger::{Ledger, RecordingWriter};
use minisnap_power_loss::{Disk, FileSystem, Image, Recording, Rng};
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

/// A workload: the preparation of a folder before the recording begins, and the recorded work.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// The store's folder, relative to the root of the file system.
    pub(crate) dir: &'static str,
    prepare: fn(&Path),
    work: fn(&RecordingWriter<'_>, Rng),
    /// Whether another program writes to the disk in parallel.
    has_background_writer: bool,
}

/// All workloads.
pub(crate) const WORKLOADS: [Workload; 5] = [
    Workload {
        name: "first commits, in missing folders",
        dir: "srv/app/state",
        prepare: |_| {},
        work: |writer, rng| sequentially(writer, rng, 4, |_| 20, 2),
        has_background_writer: false,
    },
    Workload {
        name: "migration of a bare pair",
        dir: "state",
        prepare: write_bare_pair,
        work: |writer, rng| sequentially(writer, rng, 4, |_| 20, 2),
        has_background_writer: false,
    },
    Workload {
        name: "large and small states, with two retained generations",
        dir: "state",
        prepare: |_| {},
        work: |writer, rng| sequentially(writer, rng, 24, any_size, 2),
        has_background_writer: false,
    },
    Workload {
        name: "commits while another program syncs its own files",
        dir: "state",
        prepare: |_| {},
        work: |writer, rng| sequentially(writer, rng, 24, any_size, 1),
        has_background_writer: true,
    },
    Workload {
        name: "two concurrent writers",
        dir: "state",
        prepare: |_| {},
        work: concurrently,
        has_background_writer: true,
    },
];

impl Workload {
    /// Runs the workload, and returns the recording of the disk and the ledger of the commits.
    pub(crate) fn run(&self, file_system: FileSystem, formatted: &Image, rng: &Rng) -> (Recording, Ledger) {
        let disk = Disk::start(formatted.clone());
        let mounted = disk.mount(file_system).expect("the kernel mounts what mkfs made");
        let dir = mounted.path().join(self.dir);
        (self.prepare)(&dir);
        mounted.sync();
        let background_writer = self
            .has_background_writer
            .then(|| BackgroundWriter::start(&mounted.path().join("background_writer"), rng.clone()));
        let writer = block_on(RecordingWriter::begin(&disk, &dir));
        (self.work)(&writer, rng.clone());
        let recording = disk.take_recording();
        drop(background_writer);
        (recording, writer.end())
    }
}

/// Another program that writes to the same disk until it is dropped.
struct BackgroundWriter {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundWriter {
    fn start(folder: &Path, rng: Rng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (folder, until) = (folder.to_path_buf(), stop.clone());
        let thread = thread::spawn(move || write_until(&folder, rng, &until));
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for BackgroundWriter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the background writer failed");
    }
}

fn write_bare_pair(dir: &Path) {
    fs::create_dir(dir).expect("a folder");
    fs::write(dir.join("snapshot.json"), text(7, 300)).expect("a JSON file");
    fs::write(dir.join("snapshot.seq"), "7").expect("a seq file");
}

fn sequentially(writer: &RecordingWriter<'_>, mut rng: Rng, times: u64, size: fn(&mut Rng) -> usize, retain: usize) {
    block_on(async {
        for seq in 10..10 + times {
            writer.commit(seq, text(seq, size(&mut rng)), retain).await;
        }
    });
}

fn concurrently(writer: &RecordingWriter<'_>, mut rng: Rng) {
    let (mut other, retain) = (Rng::new(rng.next_u64()), 3);
    let large = async {
        for seq in 10..20 {
            writer.commit(seq, text(seq, any_size(&mut rng)), retain).await;
        }
    };
    let small = async {
        for seq in 1000..1030 {
            writer.commit(seq, text(seq, 20), retain).await;
            tokio::time::sleep(Duration::from_micros(other.next_u64() % 3000)).await;
        }
    };
    block_on(async { tokio::join!(large, small) });
}

/// Writes and syncs files. Each sync may also write a part of a running commit to the disk.
fn write_until(folder: &Path, mut rng: Rng, stop: &AtomicBool) {
    fs::create_dir(folder).expect("a folder");
    while !stop.load(Ordering::Relaxed) {
        let mut file = File::create(folder.join(rng.below(8).to_string())).expect("a file");
        file.write_all(&vec![b'n'; rng.below(20_000)]).and_then(|()| file.sync_all()).expect("write and sync");
        thread::sleep(Duration::from_micros(rng.next_u64() % 2000));
    }
}

fn any_size(rng: &mut Rng) -> usize {
    let most = rng.pick(&[50, 5000, 50_000, 500_000]);
    20 + rng.below(most)
}

/// Returns a JSON of about this size, which differs for each seq.
pub(crate) fn text(seq: u64, size: usize) -> String {
    let filling: String = (0..size as u64 / 20).map(|line| format!("    \"{seq:08} {line:08}\",\n")).collect();
    format!("{{\n  \"state\": {seq},\n  \"lines\": [\n{filling}    \"\"\n  ]\n}}")
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}
