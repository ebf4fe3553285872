//! How much memory the process may have: the least that a control group around it allows, of either version.

use std::path::Path;

/// Bytes, where there is a limit.
pub fn memory_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    limit(&groups, |path| std::fs::read_to_string(path).ok())
}

/// The same of the text of `/proc/self/cgroup` and of what files read. Each group around the process counts; which of them
/// are mounted in a container, and where, differs.
fn limit(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    groups.lines().flat_map(files).filter_map(|file| bytes(&read(Path::new(&file))?)).min()
}

/// Where the limits of a line's group and of those around it are: `0::/group`, or `4:memory:/group` of version 1.
fn files(line: &str) -> Vec<String> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { return Vec::new() };
    let (root, name) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|controller| controller == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let around = Path::new(group).ancestors().map(|group| group.display().to_string());
    around.map(|group| format!("{root}{}/{name}", group.trim_end_matches('/'))).collect()
}

/// `max`, and the huge number that version 1 has in its place, are no limits.
fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        limit(groups, |path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn a_container_sees_its_limit_at_the_root() {
        let files = [("/sys/fs/cgroup/memory.max", "134217728\n")];
        assert_eq!(limit_of("0::/\n", &files), Some(128 << 20));
    }

    #[test]
    fn the_least_limit_around_the_process_counts() {
        let files = [
            ("/sys/fs/cgroup/memory.max", "1000"),
            ("/sys/fs/cgroup/system.slice/memory.max", "200"),
            ("/sys/fs/cgroup/system.slice/countersign.service/memory.max", "max"),
        ];
        assert_eq!(limit_of("0::/system.slice/countersign.service\n", &files), Some(200));
        assert_eq!(limit_of("0::/elsewhere", &files), Some(1000));
    }

    #[test]
    fn version_1_has_a_group_for_memory_and_a_number_for_none() {
        let groups = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n3:cpuset:/x\n0::/\n";
        let root = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let own = ("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "268435456\n");
        assert_eq!(limit_of(groups, &[root, own]), Some(256 << 20));
        assert_eq!(limit_of(groups, &[root]), None);
    }

    #[test]
    fn without_a_group_there_is_no_limit() {
        for groups in ["", "nonsense", "0::", "1:memory", "0::/a:b/../\u{0}"] {
            assert_eq!(limit_of(groups, &[("/sys/fs/cgroup/memory.max", "max")]), None, "{groups:?}");
        }
    }
}
