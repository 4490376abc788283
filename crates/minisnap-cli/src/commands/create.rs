//! `minisnap create`: any JSON document becomes the current snapshot.

use crate::{
    args::CreateArgs,
    exit::{Exit, Failure, Outcome},
    json::pretty::pretty,
    out,
    place::Place,
    progress::Progress,
    publish::publish,
    text,
};
use minisnap::{
    At, Operation, Precondition, Published,
    format::{CHUNK, Encoding},
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
        // What is refused now needs no reading and no writing. The publish judges it again.
        let current = place.current_if_any().await?;
        when.judge(args.seq, current.as_ref(), &At::new(Operation::Publish, place.name()))?;
    }
    let json = in_form(Source::of(args.file), &place, args.seq).await?;
    let published = publish(&place, &json, args.seq, when, args.keep).await?;
    match args.form.json {
        true => out::report(&format!("{:#}\n", text::published(&published))),
        false => out::report(&told(&place, &published)),
    }
}

fn told(place: &Place, published: &Published) -> String {
    let generation = published.generation();
    format!(
        "published seq {} ({}) to {}; retained: {}; the log up to seq {} may go\n",
        generation.seq(),
        generation.size().map_or_else(|| "size unknown".into(), text::size),
        place.name(),
        text::seqs(published.retained()),
        published.truncation_point(),
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
            Self::File(path) => for_shell(&path.display().to_string()),
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
        // Not once more after the end: a terminal would have to be told of it twice.
        while (&mut *input).take(CHUNK as u64).read_to_end(&mut bytes)? == CHUNK {
            progress.set(bytes.len() as u64);
        }
        Ok(bytes)
    }
}

/// Reads a document, and brings it into the form of `snapshot.json`. What no restore could read is refused.
async fn in_form(source: Source, place: &Place, seq: u64) -> Outcome<Vec<u8>> {
    let name = source.name();
    let file = source.file_name();
    let no_file = |error| Failure::new(Exit::LocalFile, format!("cannot read {name}: {error}; nothing was changed"));
    let made = out::aside(move || {
        let json = source.read()?;
        let _checking = Progress::of_one_step("checking");
        io::Result::Ok(pretty(&json).map_err(|error| (error, Encoding::of(&json))))
    });
    made.await.flatten().map_err(|error| no_file(error).advice("see to the file and its permissions"))?.map_err(
        |(error, encoding)| {
            let what = format!("{name} is no JSON that a restore could read: {error}; nothing was changed");
            let advice = match encoding {
                None => "mend it there, and try again".into(),
                Some(encoding) => {
                    let (to_utf8, store) = (to_utf8(encoding, &file), for_shell(place.name()));
                    format!("`{to_utf8} | minisnap create {store} --seq {seq}` creates it from the same text in UTF-8")
                }
            };
            Failure::new(Exit::NotRestorable, what).advice(advice)
        },
    )
}

/// The command that makes UTF-8 of a text.
fn to_utf8(encoding: Encoding, file: &str) -> String {
    match encoding.iconv_name() {
        // All but the mark, which are three bytes.
        None => format!("tail -c +4 {file}"),
        Some(name) => format!("iconv -f {name} -t UTF-8 {file}"),
    }
}

fn for_shell(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-:+,=@%".contains(char);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
