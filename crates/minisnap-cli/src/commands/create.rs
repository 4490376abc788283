//! `minisnap create`: commits a JSON document as the current snapshot.

use crate::{
    args::CreateArgs,
    commit::commit,
    detached,
    exit::{Exit, Failure, Outcome},
    json::pretty::{FormatError, pretty},
    open_store::OpenStore,
    progress::Progress,
    shell::quoted,
    stdio, text,
};
use minisnap::{
    Committed, ErrorContext, Generation, Operation, Precondition,
    backend::format::{CHUNK, Encoding},
};
use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

pub(crate) async fn run(args: CreateArgs) -> Outcome {
    let store = OpenStore::of(&args.store)?;
    let precondition = if args.if_newer { Precondition::IfNewer } else { Precondition::Always };
    if args.if_newer {
        // Refuses early, before the input is read. The commit evaluates the precondition again.
        let current = store.current_if_any().await?;
        precondition.evaluate(args.seq, current.as_ref(), &ErrorContext::new(Operation::Commit, store.name()))?;
    }
    let json = read_and_format(Source::of(args.file), &store, args.seq).await?;
    let before = store.current_if_any().await.ok();
    let committed = commit(&store, &json, args.seq, precondition, args.retain).await?;
    warn_about_unusual_commit(&store, &committed, before);
    let truncation_point = store.truncation_point(&committed).await;
    match args.form.json {
        true => stdio::report(&format!("{:#}\n", text::committed(&committed, truncation_point))),
        false => stdio::report(&to_text(&store, &committed, truncation_point)),
    }
}

/// Warns about a new store or a lower seq: the path or the seq may be a mistake. The replaced snapshot is the second
/// retained one; if it isn't retained, it is the snapshot that was current `before` the commit, if known.
#[expect(clippy::option_option, reason = "unknown; no snapshot; a snapshot")]
fn warn_about_unusual_commit(store: &OpenStore, committed: &Committed, before: Option<Option<Generation>>) {
    let (new, retained) = (committed.generation(), committed.retained());
    let replaced = retained.get(1).cloned().map(Some).or(before);
    match replaced {
        Some(None) => stdio::note(&format!("{}: created a new store", store.name())),
        Some(Some(old)) if new.seq() < old.seq() => stdio::warning(&format!(
            "seq {} is below seq {} of the snapshot that was current before; {}",
            new.seq(),
            old.seq(),
            match retained.contains(&old) {
                true => format!("{} makes it current again", store.command("rollback", &["--to", old.name()])),
                false => "it expired because of --retain".into(),
            }
        )),
        _ => {}
    }
}

fn to_text(store: &OpenStore, committed: &Committed, truncation_point: Option<u64>) -> String {
    let generation = committed.generation();
    format!(
        "committed seq {} ({}) to {}; retained: {}; {}\n",
        generation.seq(),
        generation.size().map_or_else(|| "size unknown".into(), text::size),
        store.name(),
        text::seqs(committed.retained()),
        store.describe_log(truncation_point),
    )
}

/// The source of the document.
enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    fn of(file: Option<PathBuf>) -> Self {
        match file {
            Some(path) if path != Path::new("-") => Self::File(path),
            _ => Self::Stdin,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".into(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The file in a shell command. For standard input, which was consumed, a placeholder.
    fn file_name(&self) -> String {
        match self {
            Self::Stdin => "FILE".into(),
            Self::File(path) => quoted(path.as_os_str()),
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let (mut input, progress): (Box<dyn Read>, _) = match self {
            Self::Stdin if io::stdin().is_terminal() => {
                let _ =
                    writeln!(io::stderr(), "Type or paste a JSON document, then press Ctrl-D on a line of its own.");
                (Box::new(io::stdin()), Progress::hidden())
            }
            Self::Stdin => (Box::new(io::stdin()), Progress::of_unknown_length("reading")),
            Self::File(path) => {
                let file = File::open(path)?;
                let progress = Progress::of_bytes("reading", file.metadata()?.len());
                (Box::new(file), progress)
            }
        };
        let mut bytes = Vec::new();
        loop {
            // `read_to_end` would abort the program if the allocation failed.
            bytes.try_reserve(2 * CHUNK)?;
            // Doesn't read again after the end: on a terminal, that would require a second Ctrl-D.
            if (&mut *input).take(CHUNK as u64).read_to_end(&mut bytes)? < CHUNK {
                return Ok(bytes);
            }
            progress.set(bytes.len() as u64);
        }
    }
}

/// Reads a document and formats it like `snapshot.json`. Refuses a document that no restore could parse.
async fn read_and_format(source: Source, store: &OpenStore, seq: u64) -> Outcome<Vec<u8>> {
    let name = source.name();
    let file = source.file_name();
    let too_large = || {
        let what = format!("{name}: not enough memory for the document and its stored form; nothing was changed");
        Failure::new(Exit::CouldNotLook, what).with_help(
            "free memory, or raise the limit (`ulimit -v`); it takes about three times the size of the document",
        )
    };
    let cannot_read = |error: io::Error| match error.kind() {
        io::ErrorKind::OutOfMemory => too_large(),
        _ => Failure::new(Exit::LocalFile, format!("cannot read {name}: {error}; nothing was changed"))
            .with_help("check the file and its permissions"),
    };
    let formatted = detached::run(move || {
        let json = source.read()?;
        let _checking = Progress::of_one_step("checking");
        io::Result::Ok(pretty(&json).map_err(|error| (error, Encoding::of(&json), json.trim_ascii().is_empty())))
    });
    formatted.await?.map_err(cannot_read)?.map_err(|(error, encoding, is_empty)| {
        let error = match error {
            FormatError::Invalid(_) if is_empty => "the input is empty".into(),
            FormatError::Invalid(error) => error.to_string(),
            FormatError::OutOfMemory => return too_large(),
        };
        let what = format!("{name}: not restorable JSON: {error}; nothing was changed");
        let help = match encoding {
            None if is_empty => {
                "check the program or file that the input comes from: `create` needs one JSON document".into()
            }
            None => "correct the JSON at that line and column, then retry".into(),
            Some(encoding) => {
                let (to_utf8, create) =
                    (to_utf8(encoding, &file), store.command("create", &["--seq", &seq.to_string()]));
                format!("convert the text to UTF-8: `{to_utf8} | {}", create.trim_start_matches('`'))
            }
        };
        Failure::new(Exit::NotRestorable, what).with_help(help)
    })
}

/// The command that converts a text to UTF-8.
fn to_utf8(encoding: Encoding, file: &str) -> String {
    match encoding.iconv_name() {
        // Skips the byte order mark, which has three bytes.
        None => format!("tail -c +4 {file}"),
        Some(name) => format!("iconv -f {name} -t UTF-8 {file}"),
    }
}
