//! The access rights of a file (owner, group, mode, ACL, security labels): read from one file, and applied to another.

use std::{
    ffi::{CStr, CString},
    fmt,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::Path,
};

/// The bits of a mode that are preserved. Setuid and setgid are not: the system clears them, too, when a file is written.
const PRESERVED: u32 = 0o1777;

/// Everything that decides on access to a file. Equal values grant access to the same users.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Access {
    owner: u32,
    group: u32,
    mode: u32,
    /// Extended attributes: ACLs and security labels, by their names.
    attributes: Vec<(CString, Vec<u8>)>,
}

/// The access right that can't be preserved, and why.
#[derive(Debug)]
pub(crate) struct CannotPreserve {
    what: String,
    source: io::Error,
}

impl fmt::Display for CannotPreserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {} can't be preserved: {}", self.what, self.source)
    }
}

impl Access {
    /// Reads it from the file at `path`. Follows links.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        let attributes = attributes::of(path, attributes::affects_access)?;
        Ok(Self { owner: found.uid(), group: found.gid(), mode: found.mode() & PRESERVED, attributes })
    }

    /// Applies it to a new, empty file at `path`. At no time can a user read the file whom this access doesn't allow to.
    ///
    /// # Errors
    ///
    /// If the file doesn't have exactly this access afterwards.
    pub(crate) fn apply_to(&self, file: &File, path: &Path) -> Result<(), CannotPreserve> {
        let mode = || format!("mode ({:04o})", self.mode);
        let set_mode = |bits| file.set_permissions(Permissions::from_mode(self.mode & bits));
        // 1. Only the owner has access.
        set_mode(0o600).map_err(cannot(mode()))?;
        // 2. The owner and the group, before the mode grants them access.
        let new = file.metadata().map_err(cannot("owner"))?;
        let owner = (new.uid() != self.owner).then_some(self.owner);
        let group = (new.gid() != self.group).then_some(self.group);
        if owner.is_some() || group.is_some() {
            let what = format!("owner and group (user {}, group {})", self.owner, self.group);
            fchown(file, owner, group).map_err(cannot(what))?;
        }
        // 3. The ACL and the labels. An ACL that the file inherited from its folder is removed.
        let inherited = attributes::of(path, attributes::affects_access).map_err(cannot("ACL"))?;
        for (name, _) in inherited.iter().filter(|(name, _)| !self.has(name)) {
            attributes::remove(file, name).map_err(cannot(attributes::what(name)))?;
        }
        for attribute in self.attributes.iter().filter(|attribute| !inherited.contains(attribute)) {
            attributes::set(file, attribute).map_err(cannot(attributes::what(&attribute.0)))?;
        }
        // 4. The mode, which also limits an ACL.
        set_mode(PRESERVED).map_err(cannot(mode()))?;
        // Some file systems report success although they changed nothing.
        match Self::of(path).map_err(cannot("owner, mode and ACL"))? == *self {
            true => Ok(()),
            false => Err(cannot("owner, mode and ACL")(io::Error::other(
                "the file system reports other values after setting them",
            ))),
        }
    }

    fn has(&self, name: &CStr) -> bool {
        self.attributes.iter().any(|(known, _)| known.as_c_str() == name)
    }
}

fn cannot(what: impl Into<String>) -> impl FnOnce(io::Error) -> CannotPreserve {
    move |source| CannotPreserve { what: what.into(), source }
}

/// Copies the user attributes (`user.`) of the file at `path`. Best effort: they don't affect access.
pub(crate) fn copy_user_attributes(file: &File, path: &Path) {
    let found = attributes::of(path, |name| name.to_bytes().starts_with(b"user."));
    for attribute in found.unwrap_or_default() {
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

    /// The limit of the system.
    const LARGEST: usize = 1 << 16;

    /// Whether the attribute affects access. Attributes that belong to the old content (capabilities, digests) don't count.
    pub(super) fn affects_access(name: &CStr) -> bool {
        let name = name.to_bytes();
        let of_content: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];
        (name.starts_with(b"system.") || name.starts_with(b"security.")) && !of_content.contains(&name)
    }

    /// The name in messages.
    pub(super) fn what(name: &CStr) -> String {
        match name.to_bytes() {
            b"system.posix_acl_access" => "ACL".into(),
            _ => format!("attribute {}", name.to_string_lossy()),
        }
    }

    pub(super) fn of(path: &Path, is_wanted: fn(&CStr) -> bool) -> io::Result<Vec<(CString, Vec<u8>)>> {
        let mut buffer = vec![0; LARGEST];
        let length = match listxattr(path, &mut buffer[..]) {
            // A file system without extended attributes.
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

/// Other systems have other interfaces for ACLs, which aren't preserved there.
#[cfg(not(target_os = "linux"))]
mod attributes {
    use std::{
        ffi::{CStr, CString},
        fs::File,
        io,
        path::Path,
    };

    pub(super) fn affects_access(_name: &CStr) -> bool {
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
