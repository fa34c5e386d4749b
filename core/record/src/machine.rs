//! What a measurement was made on, without saying whose machine it is.

use std::fs;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A kind of machine. Times are compared only where the keys are equal.
///
/// Host name, user, serial numbers and kernel release are left out: the first three are nobody's
/// business, and the last changes without the machine becoming another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// First 12 hexadecimal digits of the SHA-256 of the other fields.
    pub key: String,
    /// Model of the processor, or `unknown`.
    pub cpu: String,
    /// Cores the program may use.
    pub cores: usize,
    /// Memory in GiB, rounded; 0 if unknown.
    pub memory_gib: u64,
    /// Operating system and architecture, such as `linux x86_64`.
    pub os: String,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn detect() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = cpu_model(&read("/proc/cpuinfo")).unwrap_or_else(|| "unknown".to_owned());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let memory_gib = memory_gib(&read("/proc/meminfo")).unwrap_or(0);
        let os = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        Self::new(cpu, cores, memory_gib, os)
    }

    /// A machine of these properties.
    #[must_use]
    pub fn new(cpu: String, cores: usize, memory_gib: u64, os: String) -> Self {
        let digest = Sha256::digest(format!("machine/1\n{cpu}\n{cores}\n{memory_gib}\n{os}"));
        let key = digest
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            key,
            cpu,
            cores,
            memory_gib,
            os,
        }
    }
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.split_whitespace().collect::<Vec<_>>().join(" "))
        })
    };
    // The second is what ARM boards report.
    field("model name")
        .or_else(|| field("Hardware"))
        .filter(|name| !name.is_empty())
}

fn memory_gib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kib / 1_048_576.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_files_are_read() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some  CPU @ 2.0GHz\nprocessor\t: 1\nmodel name\t: Other\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Some CPU @ 2.0GHz"));
        assert_eq!(cpu_model("Hardware\t: Board\n").as_deref(), Some("Board"));
        assert_eq!(cpu_model("nothing"), None);
        assert_eq!(
            memory_gib("MemTotal:       16309424 kB\nMemFree: 1 kB\n"),
            Some(16)
        );
        assert_eq!(memory_gib("MemTotal: many kB\n"), None);
    }

    #[test]
    fn the_key_depends_on_every_field() {
        let machine = |cpu: &str, cores, memory, os: &str| {
            Machine::new(cpu.into(), cores, memory, os.into()).key
        };
        let key = machine("a", 2, 16, "linux x86_64");
        assert_eq!(key.len(), 12);
        assert_eq!(key, machine("a", 2, 16, "linux x86_64"));
        for other in [
            machine("b", 2, 16, "linux x86_64"),
            machine("a", 4, 16, "linux x86_64"),
            machine("a", 2, 32, "linux x86_64"),
            machine("a", 2, 16, "macos aarch64"),
        ] {
            assert_ne!(key, other);
        }
        assert_eq!(Machine::detect(), Machine::detect());
    }
}
