//! Where an SQLite file is.

use std::path::Path;

/// The network file systems of Linux by their magic numbers (statfs(2)).
const NETWORK: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0102_1997, "9p"),
];

/// The network file system that a file, or the directory that it would be in, is on; `None` where it is local or cannot be
/// told.
#[must_use]
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let status =
        rustix::fs::statfs(path).or_else(|_| rustix::fs::statfs(directory.unwrap_or(Path::new(".")))).ok()?;
    named(u64::try_from(status.f_type).ok()?)
}

fn named(magic: u64) -> Option<&'static str> {
    NETWORK.iter().find(|(number, _)| *number == magic & 0xffff_ffff).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_a_local_directory_is_none() {
        assert_eq!(named(0x6969), Some("NFS"));
        assert_eq!(named(0xef53), None, "ext4");
        assert_eq!(network_file_system(Path::new("/proc/none.sqlite3")), None);
    }
}
