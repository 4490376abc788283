//! The disk of a benchmark: its folder, its name in the tables, and the rejection of disks that aren't representative.
//!
//! A small create takes about as long as its flushes, whose duration depends on the file system. In memory they take no time,
//! and on an ext4 without a journal about half as long as with one.

use crate::Result;
use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// The command line options of a benchmark that select its disk.
#[derive(Debug, Default)]
pub struct DiskOptions {
    folder: Option<PathBuf>,
    name: Option<String>,
    any: bool,
}

/// A folder for the benchmark, and the name of its disk in the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub folder: PathBuf,
    pub name: String,
}

impl DiskOptions {
    /// The usage text of these options.
    pub const USAGE: &str = "\
--folder DIR      the folder for the files (default: the temporary folder); bench/disks creates disks
--disk NAME       the disk's name in the tables (default: the type of its file system)
--any-disk        allow tmpfs and ext4 without a journal, whose figures aren't representative";

    /// Parses an option, with its value from `value`. Returns false for another option.
    ///
    /// # Errors
    ///
    /// If the value is missing.
    pub fn take(&mut self, option: &str, value: impl FnOnce() -> Result<String>) -> Result<bool> {
        match option {
            "--folder" => self.folder = Some(value()?.into()),
            "--disk" => self.name = Some(value()?),
            "--any-disk" => self.any = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The name from the command line.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The disk of these options.
    ///
    /// # Errors
    ///
    /// If the folder is missing, or on a disk that isn't representative without `--any-disk`.
    pub fn find(self) -> Result<Disk> {
        let folder = self.folder.unwrap_or_else(env::temp_dir);
        let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
        let mount = Mount::of(&fs::read("/proc/self/mountinfo")?, &folder).ok_or("/proc/self/mountinfo has no root")?;
        if let Some(reason) = mount.reason_against().filter(|_| !self.any) {
            return Err(format!(
                "{} is on {reason}, whose figures aren't representative\n\
                 help: create disks with `bench/disks up FOLDER`, or measure here with `--any-disk`",
                folder.display()
            )
            .into());
        }
        Ok(Disk { folder, name: self.name.unwrap_or(mount.file_system) })
    }
}

/// The mounted file system of a folder.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// The type: `ext4`.
    file_system: String,
    /// The device number: `254:0`.
    number: String,
}

impl Mount {
    /// The mount of a path, from the text of `mountinfo` (proc(5)): the last one at the longest mount point that is a prefix.
    fn of(mountinfo: &[u8], path: &Path) -> Option<Self> {
        let parse = |line: &[u8]| {
            let fields: Vec<_> = line.split(|byte| *byte == b' ').collect();
            let optional_end = fields.iter().position(|field| *field == b"-")?;
            let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
            let mount = Self { file_system: text(fields.get(optional_end + 1)?), number: text(fields.get(2)?) };
            Some((unescape(fields.get(4)?), mount))
        };
        let mounts = mountinfo.split(|byte| *byte == b'\n').filter_map(parse);
        let leading = mounts.filter(|(point, _)| path.starts_with(point));
        leading.max_by_key(|(point, _)| point.as_os_str().len()).map(|(_, mount)| mount)
    }

    /// Why the disk isn't representative, if so.
    fn reason_against(&self) -> Option<&'static str> {
        match self.file_system.as_str() {
            "tmpfs" | "ramfs" => Some("a file system in memory"),
            "ext4" => (!self.has_journal()).then_some("an ext4 without a journal"),
            _ => None,
        }
    }

    /// Whether this ext4 has a journal: then it has a `data=` mode.
    fn has_journal(&self) -> bool {
        let device = fs::canonicalize(Path::new("/sys/dev/block").join(&self.number));
        let options = device.ok().and_then(|device| {
            let name = device.file_name()?;
            fs::read_to_string(Path::new("/proc/fs/ext4").join(name).join("options")).ok()
        });
        options.is_some_and(|options| options.lines().any(|option| option.starts_with("data=")))
    }
}

/// Decodes a path of `mountinfo`, in which spaces and similar characters are octal numbers: `\040`.
fn unescape(field: &[u8]) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), field);
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| first == b'\\');
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &[u8] = b"\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
25 24 0:23 / /disks rw,relatime shared:1 master:2 - tmpfs tmpfs rw
42 27 7:0 / /disks/a\\040b rw,relatime - xfs /dev/loop0 rw
43 27 7:1 / /disks rw,relatime - btrfs /dev/loop1 rw
";

    #[test]
    fn mount_is_the_last_at_the_longest_prefix_of_a_path() {
        let mount = |file_system: &str, number: &str| {
            Some(Mount { file_system: file_system.to_owned(), number: number.to_owned() })
        };
        for (path, expected) in [
            ("/", mount("ext4", "254:0")),
            ("/diskson", mount("ext4", "254:0")),
            // The Btrfs hides the tmpfs below.
            ("/disks/other", mount("btrfs", "7:1")),
            ("/disks/a b/state", mount("xfs", "7:0")),
        ] {
            assert_eq!(Mount::of(MOUNTINFO, Path::new(path)), expected, "{path}");
        }
        assert_eq!(Mount::of(b"", Path::new("/")), None);
    }

    #[test]
    fn memory_and_ext4_without_a_journal_are_rejected() {
        // A missing device, so no journal is found.
        let reason =
            |file_system: &str| Mount { file_system: file_system.into(), number: "0:0".into() }.reason_against();
        for memory in ["tmpfs", "ramfs"] {
            assert_eq!(reason(memory), Some("a file system in memory"));
        }
        assert_eq!(reason("ext4"), Some("an ext4 without a journal"));
        for other in ["xfs", "btrfs"] {
            assert_eq!(reason(other), None);
        }
    }
}
