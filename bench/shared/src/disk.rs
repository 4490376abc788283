//! On which disk something is measured: the folder that is used, the name in the tables, and the refusal of what is nobody's
//! disk.
//!
//! What a flush costs is most of what a small create costs, and it differs between file systems. In memory it costs nothing,
//! and on an ext4 without a journal about half of what it costs with one.

use crate::Result;
use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// What a program that measures is told of its disk.
#[derive(Debug, Default)]
pub struct DiskOptions {
    folder: Option<PathBuf>,
    name: Option<String>,
    any: bool,
}

/// A folder to measure in, and the name of its disk in the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub folder: PathBuf,
    pub name: String,
}

impl DiskOptions {
    /// The part of a usage text that is about them.
    pub const USAGE: &str = "\
--folder DIR      in which folder to measure, in place of the temporary one; bench/disks makes some
--disk NAME       the disk's name in the tables, in place of the type of its file system
--any-disk        also on tmpfs and on ext4 without a journal, whose figures say nothing about other disks";

    /// Takes an option of the command line, with its value from `value`. False if it is none of these.
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

    /// The name that was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The disk that they mean.
    ///
    /// # Errors
    ///
    /// When there is no such folder, or it is on what is nobody's disk and that isn't asked for.
    pub fn find(self) -> Result<Disk> {
        let folder = self.folder.unwrap_or_else(env::temp_dir);
        let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
        let mount = Mount::of(&fs::read("/proc/self/mountinfo")?, &folder).ok_or("/proc/self/mountinfo has no root")?;
        if let Some(reason) = mount.reason_against().filter(|_| !self.any) {
            return Err(format!(
                "{} is on {reason}, whose figures say nothing about other disks\n\
                 help: `bench/disks up FOLDER` makes disks to measure on; `--any-disk` measures here all the same",
                folder.display()
            )
            .into());
        }
        Ok(Disk { folder, name: self.name.unwrap_or(mount.file_system) })
    }
}

/// Where a folder's file system comes from.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Its type: `ext4`.
    file_system: String,
    /// Of its device: `254:0`.
    number: String,
}

impl Mount {
    /// The one a path is on, among those of a `mountinfo` (proc(5)): of the longest folder that leads to the path, the last.
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

    /// What is wrong with it, if it is nobody's disk.
    fn reason_against(&self) -> Option<&'static str> {
        match self.file_system.as_str() {
            "tmpfs" | "ramfs" => Some("a file system in memory"),
            "ext4" => (!self.has_journal()).then_some("an ext4 of which no journal can be found"),
            _ => None,
        }
    }

    /// Whether this ext4 has one: it has a mode for data then.
    fn has_journal(&self) -> bool {
        let device = fs::canonicalize(Path::new("/sys/dev/block").join(&self.number));
        let options = device.ok().and_then(|device| {
            let name = device.file_name()?;
            fs::read_to_string(Path::new("/proc/fs/ext4").join(name).join("options")).ok()
        });
        options.is_some_and(|options| options.lines().any(|option| option.starts_with("data=")))
    }
}

/// A path of a `mountinfo`, where spaces and the like are octal numbers: `\040`.
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
    fn mount_is_the_last_of_the_longest_that_lead_to_a_path() {
        let mount = |file_system: &str, number: &str| {
            Some(Mount { file_system: file_system.to_owned(), number: number.to_owned() })
        };
        for (path, expected) in [
            ("/", mount("ext4", "254:0")),
            ("/diskson", mount("ext4", "254:0")),
            // The tmpfs below it can't be seen any more.
            ("/disks/other", mount("btrfs", "7:1")),
            ("/disks/a b/state", mount("xfs", "7:0")),
        ] {
            assert_eq!(Mount::of(MOUNTINFO, Path::new(path)), expected, "{path}");
        }
        assert_eq!(Mount::of(b"", Path::new("/")), None);
    }

    #[test]
    fn memory_and_ext4_without_a_journal_are_refused() {
        // A device that isn't there, so that it has no journal either.
        let reason =
            |file_system: &str| Mount { file_system: file_system.into(), number: "0:0".into() }.reason_against();
        for memory in ["tmpfs", "ramfs"] {
            assert_eq!(reason(memory), Some("a file system in memory"));
        }
        assert_eq!(reason("ext4"), Some("an ext4 of which no journal can be found"));
        for other in ["xfs", "btrfs"] {
            assert_eq!(reason(other), None);
        }
    }
}
