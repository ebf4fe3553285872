//! A new file with a secret in it: its owner's alone, whole or not there, and never in the place of another.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::secret_key::random_hex;

/// Writes it under another name first, so that no other process and no crash ever sees half of it. Fails with
/// `AlreadyExists` where something is there, were it a link to nothing.
pub fn make(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", *random_hex()?));
    let unfinished = PathBuf::from(name);
    let written = write(&unfinished, text).and_then(|()| std::fs::hard_link(&unfinished, path));
    let removed = std::fs::remove_file(&unfinished);
    written.and(removed)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
