//! A folder as somebody who means harm would leave it, as plain data: what it begins as, what is put where, and what is
//! done with it then. Shared with the fuzz target `folder`.

use arbitrary::{Arbitrary, Result, Unstructured};

#[derive(Debug, Clone, Arbitrary)]
pub(crate) struct Case {
    #[arbitrary(with = mostly_plain)]
    pub(crate) location: Place,
    pub(crate) base: Base,
    pub(crate) attack: Attack,
    #[arbitrary(with = a_few)]
    pub(crate) harms: Vec<Harm>,
    pub(crate) deeds: [Deed; 2],
    /// How many the publishes keep; 0 is taken as 1.
    pub(crate) retain: u8,
}

/// Where the store's folder is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Place {
    Plain,
    /// Not there, nor its parents.
    Missing,
    ThroughLink,
    WithDots,
    /// A name that is no UTF-8, with a line break.
    NoText,
    LinkToNothing,
    LinkLoop,
    File,
    UnderFile,
    Fifo,
    Device,
    TooLong,
}

/// What is in the folder before it is harmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Base {
    Empty,
    PlainPair,
    /// Links and a commit record, and nothing published.
    Fresh,
    One,
    Three,
}

/// Several harms that go together, which chance alone would hardly ever put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Attack {
    Nothing,
    /// The commit record names a link to the victim's generation.
    LinkedGeneration,
    /// The commit record names a folder with links to the victim's files.
    LinkedFiles,
    /// The parent is a link to the victim's generation.
    LinkedParent,
    /// The two names are links to the victim's files.
    LinkedNames,
    /// The current generation is a link to another.
    LinkedToAnother,
    /// All is well, and `snapshots` on another disk.
    Moved,
    /// An edit of the JSON, by an editor that makes a new file.
    Edited,
    /// The commit record was lost.
    LostRecord,
}

impl Attack {
    pub(crate) fn harms(self) -> Vec<Harm> {
        let link = |slot, target| Harm { slot, thing: Thing::Link(target) };
        let newest = Slot::Generation(Of::Newest);
        let victims = Slot::Generation(Of::Victim);
        match self {
            Self::Nothing => Vec::new(),
            Self::LinkedGeneration => vec![
                link(victims, Target::Victim(Part::Generation, true)),
                link(Slot::Current, Target::NameOf(Of::Victim)),
            ],
            Self::LinkedFiles => vec![
                link(Slot::In(Of::Victim, Entry::Json), Target::Victim(Part::Json, true)),
                link(Slot::In(Of::Victim, Entry::Seq), Target::Victim(Part::Seq, true)),
                link(Slot::Current, Target::NameOf(Of::Victim)),
            ],
            Self::LinkedParent => vec![
                link(victims, Target::Victim(Part::Generation, false)),
                link(Slot::In(Of::Newest, Entry::Parent), Target::ParentOf(Of::Victim)),
                link(Slot::In(Of::Newest, Entry::Retained), Target::Count(2)),
            ],
            Self::LinkedNames => vec![
                link(Slot::Json, Target::Victim(Part::Json, true)),
                link(Slot::Seq, Target::Victim(Part::Seq, false)),
            ],
            Self::LinkedToAnother => vec![link(newest, Target::NameOf(Of::Middle))],
            Self::Moved => vec![link(Slot::Snapshots, Target::OtherDisk)],
            Self::Edited => vec![Harm { slot: Slot::Json, thing: Thing::File(Content::Number(7)) }],
            Self::LostRecord => vec![Harm { slot: Slot::Current, thing: Thing::Nothing }],
        }
    }
}

#[derive(Debug, Clone, Arbitrary)]
pub(crate) struct Harm {
    pub(crate) slot: Slot,
    pub(crate) thing: Thing,
}

/// A place in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Slot {
    Json,
    Seq,
    Snapshots,
    Current,
    /// The note of what was committed last.
    LastCommit,
    Lock,
    Next,
    Settling,
    Generation(Of),
    In(Of, Entry),
    Stage,
    InStage(Entry),
    Others(Name),
}

/// A generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Of {
    Newest,
    Middle,
    Oldest,
    /// Not in the history.
    Orphan,
    /// The name of one that is whole, in the victim's folder.
    Victim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Entry {
    Json,
    Seq,
    Parent,
    Retained,
    /// Not of the layout.
    Notes,
}

/// Names that are nearly ours, and not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Name {
    Log,
    OtherFormat,
    Aside,
    NoStage,
    ShortGeneration,
    CapitalGeneration,
    NoText,
    Nothing,
}

/// What is put there.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub(crate) enum Thing {
    Nothing,
    File(Content),
    /// Of 8 TiB, and nothing in it.
    Endless,
    /// Of some KiB, and nothing in it.
    Sparse,
    Link(Target),
    Folder,
    /// With a file in it.
    FullFolder,
    Fifo,
    Socket,
    /// `/dev/zero`; where a user may not make one, a link to it.
    Device,
}

#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    JsonOf(Of),
    SeqOf(Of),
    Number(u64),
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub(crate) enum Target {
    Itself,
    Absolute(Slot),
    Relative(Slot),
    /// Where the store's own `snapshots` may be, on another disk. Elsewhere it is a link to nothing.
    OtherDisk,
    NameOf(Of),
    ParentOf(Of),
    /// A name with a slash in it, which leads to where the name leads.
    RoundAbout(Of),
    /// What minisnap's own link at that name says.
    Ours,
    NothingPublished,
    Count(u64),
    /// Into the victim's folder, from the root or by way of `../../etc`.
    Victim(Part, bool),
    Zero,
    Null,
    Long,
    Text(Vec<u8>),
}

/// What is in the victim's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Part {
    Folder,
    Snapshots,
    Generation,
    Json,
    Seq,
}

/// What is done with the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Deed {
    PublishAlways,
    PublishIfNewer,
    /// If what was read as current is.
    PublishIfCurrent,
    PublishIfNone,
    /// Begun and given up.
    Stage,
    Sweep,
    Reseal,
    SetAside,
    /// To whatever an error says is intact.
    GoBack,
}

fn mostly_plain(bytes: &mut Unstructured) -> Result<Place> {
    if bytes.ratio(1, 8)? { Place::arbitrary(bytes) } else { Ok(Place::Plain) }
}

/// Of many, one would make most of the others meaningless.
fn a_few(bytes: &mut Unstructured) -> Result<Vec<Harm>> {
    (0..bytes.int_in_range(0..=6)?).map(|_| Harm::arbitrary(bytes)).collect()
}
