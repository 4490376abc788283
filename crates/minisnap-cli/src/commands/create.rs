//! `minisnap create`: any JSON document becomes the current snapshot.

use crate::{
    args::CreateArgs,
    commit::commit,
    exit::{Exit, Failure, Outcome},
    given::quoted,
    json::pretty::{NotPretty, pretty},
    open_store::Place,
    out,
    progress::Progress,
    text,
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
    let place = Place::of(&args.store)?;
    let when = if args.if_newer { Precondition::IfNewer } else { Precondition::Always };
    if args.if_newer {
        // What is refused now needs no reading and no writing. The commit judges it again.
        let current = place.current_if_any().await?;
        when.evaluate(args.seq, current.as_ref(), &ErrorContext::new(Operation::Commit, place.name()))?;
    }
    let json = in_form(Source::of(args.file), &place, args.seq).await?;
    let before = place.current_if_any().await.ok();
    let committed = commit(&place, &json, args.seq, when, args.retain).await?;
    tell_of_accidents(&place, &committed, before);
    let truncation_point = place.truncation_point(&committed).await;
    match args.form.json {
        true => out::report(&format!("{:#}\n", text::committed(&committed, truncation_point))),
        false => out::report(&told(&place, &committed, truncation_point)),
    }
}

/// Says what may be a slip of the hand: a wrong path, or a wrong seq. The commit tells what it replaced if it retains that;
/// if not, it is what was current a moment `before`, where that is known.
#[expect(clippy::option_option, reason = "not known; none; that one")]
fn tell_of_accidents(place: &Place, committed: &Committed, before: Option<Option<Generation>>) {
    let (new, retained) = (committed.generation(), committed.retained());
    let replaced = retained.get(1).cloned().map(Some).or(before);
    match replaced {
        Some(None) => out::note(&format!("{}: this makes a new store", place.name())),
        Some(Some(old)) if new.seq() < old.seq() => out::warning(&format!(
            "seq {} is below seq {} of the snapshot it replaces as current; {}",
            new.seq(),
            old.seq(),
            match retained.contains(&old) {
                true => format!("{} makes that one current again", place.command("rollback", &["--to", old.name()])),
                false => "that one expired, as --retain says".into(),
            }
        )),
        _ => {}
    }
}

fn told(place: &Place, committed: &Committed, truncation_point: Option<u64>) -> String {
    let generation = committed.generation();
    format!(
        "committed seq {} ({}) to {}; retained: {}; {}\n",
        generation.seq(),
        generation.size().map_or_else(|| "size unknown".into(), text::size),
        place.name(),
        text::seqs(committed.retained()),
        place.about_the_log(truncation_point),
    )
}

/// Where the document comes from.
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

    /// For a shell; of standard input, which was read already, a name to fill in.
    fn file_name(&self) -> String {
        match self {
            Self::Stdin => "FILE".into(),
            Self::File(path) => quoted(path.as_os_str()),
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let (mut input, progress): (Box<dyn Read>, _) = match self {
            Self::Stdin if io::stdin().is_terminal() => {
                let _ = writeln!(
                    io::stderr(),
                    "Type or paste a JSON document, and end it with Ctrl-D on a line of its own."
                );
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
            // Room for what `read_to_end` reads, which would end the program if there were none.
            bytes.try_reserve(2 * CHUNK)?;
            // Not once more after the end: a terminal would have to be told of it twice.
            if (&mut *input).take(CHUNK as u64).read_to_end(&mut bytes)? < CHUNK {
                return Ok(bytes);
            }
            progress.set(bytes.len() as u64);
        }
    }
}

/// Reads a document, and brings it into the form of `snapshot.json`. What no restore could read is refused.
async fn in_form(source: Source, place: &Place, seq: u64) -> Outcome<Vec<u8>> {
    let name = source.name();
    let file = source.file_name();
    let too_large = || {
        let what = format!("{name}: too little memory for it and for what is stored; nothing was changed");
        Failure::new(Exit::CouldNotLook, what)
            .advice("free memory, or raise the limit (`ulimit -v`); about three times the document is needed")
    };
    let no_file = |error: io::Error| match error.kind() {
        io::ErrorKind::OutOfMemory => too_large(),
        _ => Failure::new(Exit::LocalFile, format!("cannot read {name}: {error}; nothing was changed"))
            .advice("see to the file and its permissions"),
    };
    let made = out::run_aside(move || {
        let json = source.read()?;
        let _checking = Progress::of_one_step("checking");
        io::Result::Ok(pretty(&json).map_err(|error| (error, Encoding::of(&json), json.trim_ascii().is_empty())))
    });
    made.await?.map_err(no_file)?.map_err(|(error, encoding, is_empty)| {
        let error = match error {
            NotPretty::NoJson(_) if is_empty => "it is empty".into(),
            NotPretty::NoJson(error) => error.to_string(),
            NotPretty::OutOfMemory => return too_large(),
        };
        let what = format!("{name} is no JSON that a restore could read: {error}; nothing was changed");
        let advice = match encoding {
            None => "mend it there, and try again".into(),
            Some(encoding) => {
                let (to_utf8, create) =
                    (to_utf8(encoding, &file), place.command("create", &["--seq", &seq.to_string()]));
                format!("`{to_utf8} | {} creates it from the same text in UTF-8", create.trim_start_matches('`'))
            }
        };
        Failure::new(Exit::NotRestorable, what).advice(advice)
    })
}

/// The command that makes UTF-8 of a text.
fn to_utf8(encoding: Encoding, file: &str) -> String {
    match encoding.iconv_name() {
        // All but the mark, which are three bytes.
        None => format!("tail -c +4 {file}"),
        Some(name) => format!("iconv -f {name} -t UTF-8 {file}"),
    }
}
