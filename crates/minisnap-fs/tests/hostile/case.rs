//! A test case as data: the initial state of a folder, its malicious modifications, and the operations on it. The fuzz target
//! `folder` shares it.

use arbitrary::{Arbitrary, Result, Unstructured};

#[derive(Debug, Clone, Arbitrary)]
pub(crate) struct Case {
    #[arbitrary(with = mostly_direct)]
    pub(crate) location: Location,
    pub(crate) initial_state: InitialState,
    pub(crate) scenario: Scenario,
    #[arbitrary(with = few_modifications)]
    pub(crate) modifications: Vec<Modification>,
    pub(crate) actions: [Action; 2],
    /// The retention of the commits; 0 means 1.
    pub(crate) retain: u8,
}

/// The path with which the store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Location {
    Direct,
    /// Missing, with its parents.
    Missing,
    ThroughLink,
    WithDots,
    /// A name with a line break and invalid UTF-8.
    NotUtf8,
    DanglingLink,
    LinkLoop,
    File,
    UnderFile,
    Fifo,
    Device,
    TooLong,
}

/// The state of the folder before the modifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum InitialState {
    Empty,
    BarePair,
    /// Links and a commit record, before the first commit.
    Fresh,
    One,
    Three,
}

/// Combined modifications. Random choices would rarely combine them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Scenario {
    Nothing,
    /// The commit record names a link to the victim's generation.
    LinkedGeneration,
    /// The commit record names a folder with links to the victim's files.
    LinkedFiles,
    /// The parent is a link to the victim's generation.
    LinkedParent,
    /// The two public names are links to the victim's files.
    LinkedNames,
    /// The current generation is a link to another.
    LinkedToAnother,
    /// A valid store whose `snapshots` is on another disk.
    Moved,
    /// The JSON was replaced by an editor.
    Edited,
    /// The commit record was lost.
    LostRecord,
}

impl Scenario {
    pub(crate) fn modifications(self) -> Vec<Modification> {
        let link = |at, target| Modification { at, object: FileObject::Link(target) };
        let newest = StorePath::Generation(GenerationKind::Newest);
        let victims = StorePath::Generation(GenerationKind::Victim);
        match self {
            Self::Nothing => Vec::new(),
            Self::LinkedGeneration => vec![
                link(victims, Target::Victim(VictimPath::Generation, true)),
                link(StorePath::Current, Target::NameOf(GenerationKind::Victim)),
            ],
            Self::LinkedFiles => vec![
                link(StorePath::In(GenerationKind::Victim, Entry::Json), Target::Victim(VictimPath::Json, true)),
                link(StorePath::In(GenerationKind::Victim, Entry::Seq), Target::Victim(VictimPath::Seq, true)),
                link(StorePath::Current, Target::NameOf(GenerationKind::Victim)),
            ],
            Self::LinkedParent => vec![
                link(victims, Target::Victim(VictimPath::Generation, false)),
                link(StorePath::In(GenerationKind::Newest, Entry::Parent), Target::ParentOf(GenerationKind::Victim)),
                link(StorePath::In(GenerationKind::Newest, Entry::Retained), Target::Count(2)),
            ],
            Self::LinkedNames => vec![
                link(StorePath::Json, Target::Victim(VictimPath::Json, true)),
                link(StorePath::Seq, Target::Victim(VictimPath::Seq, false)),
            ],
            Self::LinkedToAnother => vec![link(newest, Target::NameOf(GenerationKind::Middle))],
            Self::Moved => vec![link(StorePath::Snapshots, Target::OtherDisk)],
            Self::Edited => vec![Modification { at: StorePath::Json, object: FileObject::File(Content::Number(7)) }],
            Self::LostRecord => vec![Modification { at: StorePath::Current, object: FileObject::Nothing }],
        }
    }
}

/// The creation of an object at a path, which replaces the existing object.
#[derive(Debug, Clone, Arbitrary)]
pub(crate) struct Modification {
    pub(crate) at: StorePath,
    pub(crate) object: FileObject,
}

/// A path in the store's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum StorePath {
    Json,
    Seq,
    Snapshots,
    Current,
    /// The link to the last committed generation.
    LastCommit,
    Lock,
    Next,
    LinksPending,
    Generation(GenerationKind),
    In(GenerationKind, Entry),
    Stage,
    InStage(Entry),
    Unrelated(Name),
}

/// A generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum GenerationKind {
    Newest,
    Middle,
    Oldest,
    /// A generation that isn't in the history.
    Orphan,
    /// The name of a complete generation in the victim's folder.
    Victim,
}

/// An entry of a generation's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Entry {
    Json,
    Seq,
    Parent,
    Retained,
    /// A file that isn't part of the layout.
    Notes,
}

/// Names that resemble those of the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Name {
    Log,
    OtherFormat,
    Aside,
    NotAStage,
    ShortGeneration,
    CapitalGeneration,
    NotUtf8,
    NoneFile,
}

/// The object at a path.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub(crate) enum FileObject {
    Nothing,
    File(Content),
    /// A sparse file of 8 TiB.
    Endless,
    /// A sparse file of some KiB.
    Sparse,
    Link(Target),
    Folder,
    /// A folder with a file in it.
    NonEmptyFolder,
    Fifo,
    Socket,
    /// `/dev/zero`, or a link to it if the user may not create devices.
    Device,
}

#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    JsonOf(GenerationKind),
    SeqOf(GenerationKind),
    Number(u64),
}

/// The target of a link.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub(crate) enum Target {
    Itself,
    Absolute(StorePath),
    Relative(StorePath),
    /// The folder to which `snapshots` may lead, on another disk. For other links it is missing.
    OtherDisk,
    NameOf(GenerationKind),
    ParentOf(GenerationKind),
    /// A path with slashes that leads to a generation.
    Indirect(GenerationKind),
    /// The target of minisnap's own link at that path.
    Expected,
    NothingCommitted,
    Count(u64),
    /// A path in the victim's folder: absolute if true, otherwise through `../../etc`.
    Victim(VictimPath, bool),
    Zero,
    Null,
    Long,
    Text(Vec<u8>),
}

/// A path in the victim's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum VictimPath {
    Folder,
    Snapshots,
    Generation,
    Json,
    Seq,
}

/// An operation on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Action {
    CommitAlways,
    CommitIfNewer,
    /// The expected generation is the one that was read as current.
    CommitIfCurrent,
    CommitIfNone,
    /// Begins a stage and drops it.
    Stage,
    CollectGarbage,
    Accept,
    Revert,
    /// Resets to a generation that the error lists.
    Reset,
}

fn mostly_direct(bytes: &mut Unstructured) -> Result<Location> {
    if bytes.ratio(1, 8)? { Location::arbitrary(bytes) } else { Ok(Location::Direct) }
}

/// Creates at most six modifications. Of more modifications, later ones would undo most of the earlier ones.
fn few_modifications(bytes: &mut Unstructured) -> Result<Vec<Modification>> {
    (0..bytes.int_in_range(0..=6)?).map(|_| Modification::arbitrary(bytes)).collect()
}
