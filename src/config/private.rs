//! Files that hold secrets, and who else on the machine can read them.
//!
//! What others can read is refused, with the command that mends it. Two ways in which secrets are commonly handed to a
//! service are not: a file of somebody else that our group may read (`root:rollbook 640`), and a file on a read-only
//! mount in memory, which is how Kubernetes and Swarm hand out secrets with modes that only they can change. The latter
//! is told once. A file that others cannot reach, because a directory above it is closed, is nobody else's either: so
//! are systemd's credentials.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a file or a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum Private {
    /// The operating system will not.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What it says.
        why: std::io::Error,
    },
    /// Others can read or change it.
    #[error("others on this machine can read or change {path} (mode {mode:03o}): chmod {right} {path}")]
    Open {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
        /// What they should be.
        right: &'static str,
    },
}

impl Private {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Private::Unreadable { why, .. } if why.kind() == std::io::ErrorKind::NotFound)
    }
}

/// The text of a file that holds secrets.
///
/// # Errors
/// See [`Private`].
pub fn read(path: &Path) -> Result<Zeroizing<String>, Private> {
    let (text, openness) = read_any(path)?;
    openness.refuse()?;
    Ok(text)
}

/// The text of a file, whoever can read it, and who that is.
///
/// # Errors
/// [`Private::Unreadable`].
pub fn read_any(path: &Path) -> Result<(Zeroizing<String>, Openness), Private> {
    let wrong = |why| Private::Unreadable { path: path.display().to_string(), why };
    let mut file = File::open(path).map_err(wrong)?;
    let meta = file.metadata().map_err(wrong)?;
    // With room for all of it nothing is moved, so that no copy stays behind.
    let length = usize::try_from(meta.len()).unwrap_or(0);
    let mut text = Zeroizing::new(String::with_capacity(length.saturating_add(1)));
    file.read_to_string(&mut text).map_err(wrong)?;
    let is_handed_over = is_handed_over(&file);
    Ok((text, Openness::of(path, &meta, is_handed_over)))
}

/// Checks a directory that records are kept in, and what is in it.
///
/// # Errors
/// See [`Private`].
pub fn check_directory(path: &Path) -> Result<(), Private> {
    let wrong = |why| Private::Unreadable { path: path.display().to_string(), why };
    let meta = std::fs::metadata(path).map_err(wrong)?;
    let of_directory = Openness::of(path, &meta, false);
    if of_directory.is_ours {
        return of_directory.refuse();
    }
    // A volume that somebody else made, and lets us into. What is ours in it is what counts.
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let meta = entry.metadata().map_err(wrong)?;
        if meta.is_file() {
            Openness::of(&entry.path(), &meta, false).refuse()?;
        }
    }
    Ok(())
}

/// Who can read a file beside us.
#[derive(Debug, Clone)]
pub struct Openness {
    path: PathBuf,
    mode: u32,
    is_directory: bool,
    is_ours: bool,
    is_reachable: bool,
    is_handed_over: bool,
}

/// What becomes of a file.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Told,
    Refused,
}

impl Openness {
    fn of(path: &Path, meta: &Metadata, is_handed_over: bool) -> Openness {
        Openness {
            path: path.to_owned(),
            mode: meta.mode() & 0o777,
            is_directory: meta.is_dir(),
            is_ours: meta.uid() == rustix::process::geteuid().as_raw(),
            is_reachable: is_reachable(path),
            is_handed_over,
        }
    }

    fn verdict(&self) -> Verdict {
        let others = if self.is_directory { 0o007 } else { 0o006 };
        // What is ours needs no group; what is not ours came to us by it.
        let open = if self.is_ours { others | (others << 3) } else { others };
        match (self.mode & open != 0 && self.is_reachable, self.is_handed_over) {
            (false, _) => Verdict::Good,
            (true, true) => Verdict::Told,
            (true, false) => Verdict::Refused,
        }
    }

    /// Refuses what others can read.
    ///
    /// # Errors
    /// [`Private::Open`].
    pub fn refuse(&self) -> Result<(), Private> {
        let path = self.path.display().to_string();
        match self.verdict() {
            Verdict::Good => Ok(()),
            Verdict::Told => {
                let mode = format!("{:03o}", self.mode);
                tracing::warn!(
                    path,
                    mode,
                    "others in this container can read a secret; where the mode can be set, let it be 0400 or 0440"
                );
                Ok(())
            }
            Verdict::Refused => {
                let right = if self.is_directory { "700" } else { "600" };
                Err(Private::Open { path, mode: self.mode, right })
            }
        }
    }
}

/// Whether others get as far as to this file: whether every directory above it lets them pass.
fn is_reachable(path: &Path) -> bool {
    let Ok(whole) = path.canonicalize() else { return true };
    let passes = |directory: &Path| std::fs::metadata(directory).is_ok_and(|meta| meta.mode() & 0o011 != 0);
    whole.ancestors().skip(1).all(passes)
}

/// What a file system in memory is called in [`rustix::fs::StatFs`].
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// Whether a file is on a read-only mount in memory: whoever put it there decides its mode.
fn is_handed_over(file: &File) -> bool {
    let is_in_memory = rustix::fs::fstatfs(file).is_ok_and(|stat| stat.f_type == TMPFS);
    let flags = rustix::fs::fstatvfs(file).map(|stat| stat.f_flag);
    is_in_memory && flags.is_ok_and(|flags| flags.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_follows_from_mode_owner_and_place() {
        let check = |mode, is_ours, expected: Verdict| {
            let file = Openness {
                path: "x".into(),
                mode,
                is_directory: false,
                is_ours,
                is_reachable: true,
                is_handed_over: false,
            };
            assert_eq!(file.verdict(), expected, "{mode:o} {is_ours}");
            assert_eq!(Openness { is_reachable: false, ..file.clone() }.verdict(), Verdict::Good);
            let told = if expected == Verdict::Refused { Verdict::Told } else { Verdict::Good };
            assert_eq!(Openness { is_handed_over: true, ..file }.verdict(), told, "{mode:o} {is_ours}");
        };
        for mode in [0o600, 0o400, 0o700] {
            check(mode, true, Verdict::Good);
            check(mode, false, Verdict::Good);
        }
        // Debian's way for a service, and fsGroup's: somebody else's file that our group may read.
        check(0o640, false, Verdict::Good);
        check(0o440, false, Verdict::Good);
        check(0o640, true, Verdict::Refused);
        check(0o620, true, Verdict::Refused);
        for mode in [0o644, 0o604, 0o602, 0o444] {
            check(mode, true, Verdict::Refused);
            check(mode, false, Verdict::Refused);
        }
    }

    #[test]
    fn a_directory_is_closed_by_looking_into_it_and_passing_through() {
        for (mode, expected) in [(0o700, Verdict::Good), (0o701, Verdict::Refused), (0o750, Verdict::Refused)]
        {
            let directory = Openness {
                path: "x".into(),
                mode,
                is_directory: true,
                is_ours: true,
                is_reachable: true,
                is_handed_over: false,
            };
            assert_eq!(directory.verdict(), expected, "{mode:o}");
        }
    }
}
