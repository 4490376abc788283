//! Who may do what with a file (owner, group, mode, ACL, security labels): read from one file, and given to another.

use std::{
    ffi::{CStr, CString},
    fmt,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::Path,
};

/// The bits of a mode that are kept. Those that run a program as another user or group don't outlive new content: the system
/// takes them from a file that is written to, too.
const KEPT: u32 = 0o1777;

/// What decides who may do what with a file. Two that are equal let in the same users.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Access {
    owner: u32,
    group: u32,
    mode: u32,
    /// Extended attributes: ACLs and security labels, by their names.
    attributes: Vec<(CString, Vec<u8>)>,
}

/// What can't be given to a file, and why.
#[derive(Debug)]
pub(crate) struct CannotKeep {
    what: String,
    source: io::Error,
}

impl fmt::Display for CannotKeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {} can't be kept: {}", self.what, self.source)
    }
}

impl Access {
    /// That of the file at `path`, through links.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        let attributes = attributes::of(path, attributes::decides)?;
        Ok(Self { owner: found.uid(), group: found.gid(), mode: found.mode() & KEPT, attributes })
    }

    /// Gives it to a new file, which is at `path`, and is empty. At no time may anybody read the file who may not read one
    /// with this access.
    ///
    /// # Errors
    ///
    /// If the file doesn't have exactly this access then.
    pub(crate) fn give_to(&self, file: &File, path: &Path) -> Result<(), CannotKeep> {
        let mode = || format!("mode ({:04o})", self.mode);
        let set_mode = |bits| file.set_permissions(Permissions::from_mode(self.mode & bits));
        // 1. For nobody but the owner.
        set_mode(0o600).map_err(cannot(mode()))?;
        // 2. The owner and the group, before they may do anything.
        let new = file.metadata().map_err(cannot("owner"))?;
        let owner = (new.uid() != self.owner).then_some(self.owner);
        let group = (new.gid() != self.group).then_some(self.group);
        if owner.is_some() || group.is_some() {
            let what = format!("owner and group (user {}, group {})", self.owner, self.group);
            fchown(file, owner, group).map_err(cannot(what))?;
        }
        // 3. The ACL and the labels; also that there is none, where the folder gives one to each new file.
        let inherited = attributes::of(path, attributes::decides).map_err(cannot("ACL"))?;
        for (name, _) in inherited.iter().filter(|(name, _)| !self.has(name)) {
            attributes::remove(file, name).map_err(cannot(attributes::what(name)))?;
        }
        for attribute in self.attributes.iter().filter(|attribute| !inherited.contains(attribute)) {
            attributes::set(file, attribute).map_err(cannot(attributes::what(&attribute.0)))?;
        }
        // 4. The mode, which in an ACL bounds what others may.
        set_mode(KEPT).map_err(cannot(mode()))?;
        // Some file systems answer that they did it, and didn't.
        match Self::of(path).map_err(cannot("owner, mode and ACL"))? == *self {
            true => Ok(()),
            false => Err(cannot("owner, mode and ACL")(io::Error::other("the file system has another idea of them"))),
        }
    }

    fn has(&self, name: &CStr) -> bool {
        self.attributes.iter().any(|(known, _)| known.as_c_str() == name)
    }
}

fn cannot(what: impl Into<String>) -> impl FnOnce(io::Error) -> CannotKeep {
    move |source| CannotKeep { what: what.into(), source }
}

/// Gives a file the extended attributes of the one at `path` that users made (`user.`), as far as that goes: they decide
/// nothing.
pub(crate) fn give_notes(file: &File, path: &Path) {
    let notes = attributes::of(path, |name| name.to_bytes().starts_with(b"user."));
    for attribute in notes.unwrap_or_default() {
        let _ = attributes::set(file, &attribute);
    }
}

#[cfg(target_os = "linux")]
mod attributes {
    use rustix::{
        fs::{XattrFlags, fremovexattr, fsetxattr, getxattr, listxattr},
        io::Errno,
    };
    use std::{
        ffi::{CStr, CString},
        fs::File,
        io,
        path::Path,
    };

    /// As large as the system lets them be.
    const LARGEST: usize = 1 << 16;

    /// Whether it has a say in who may do what. What belongs to the old content (a program's capabilities, a digest) is
    /// nothing for the new one.
    pub(super) fn decides(name: &CStr) -> bool {
        let name = name.to_bytes();
        let of_content: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];
        (name.starts_with(b"system.") || name.starts_with(b"security.")) && !of_content.contains(&name)
    }

    /// A name for people.
    pub(super) fn what(name: &CStr) -> String {
        match name.to_bytes() {
            b"system.posix_acl_access" => "ACL".into(),
            _ => format!("attribute {}", name.to_string_lossy()),
        }
    }

    pub(super) fn of(path: &Path, is_wanted: fn(&CStr) -> bool) -> io::Result<Vec<(CString, Vec<u8>)>> {
        let mut buffer = vec![0; LARGEST];
        let length = match listxattr(path, &mut buffer[..]) {
            // A file system without any.
            Err(Errno::NOTSUP) => 0,
            length => length?,
        };
        let names: Vec<_> =
            buffer[..length].split_inclusive(|byte| *byte == 0).map(CStr::from_bytes_with_nul).collect();
        let names = names.into_iter().flatten().filter(|name| is_wanted(name)).map(CStr::to_owned).collect::<Vec<_>>();
        let mut attributes = Vec::new();
        for name in names {
            match getxattr(path, &name, &mut buffer[..]) {
                Err(Errno::NODATA) => {}
                length => attributes.push((name, buffer[..length?].to_vec())),
            }
        }
        attributes.sort();
        Ok(attributes)
    }

    pub(super) fn set(file: &File, (name, value): &(CString, Vec<u8>)) -> io::Result<()> {
        Ok(fsetxattr(file, name, value, XattrFlags::empty())?)
    }

    pub(super) fn remove(file: &File, name: &CStr) -> io::Result<()> {
        Ok(fremovexattr(file, name)?)
    }
}

/// Other systems have other interfaces for ACLs, which aren't kept there.
#[cfg(not(target_os = "linux"))]
mod attributes {
    use std::{
        ffi::{CStr, CString},
        fs::File,
        io,
        path::Path,
    };

    pub(super) fn decides(_name: &CStr) -> bool {
        false
    }

    pub(super) fn what(name: &CStr) -> String {
        name.to_string_lossy().into_owned()
    }

    pub(super) fn of(_path: &Path, _is_wanted: fn(&CStr) -> bool) -> io::Result<Vec<(CString, Vec<u8>)>> {
        Ok(Vec::new())
    }

    pub(super) fn set(_file: &File, _attribute: &(CString, Vec<u8>)) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn remove(_file: &File, _name: &CStr) -> io::Result<()> {
        Ok(())
    }
}
