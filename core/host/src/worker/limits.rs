//! What a worker does to its own process before any plugin is loaded.
//!
//! A plugin shares the worker's file descriptors, so the frames move to private ones first: the
//! plugin's standard output becomes standard error, and its standard input is empty. Everything
//! here is a system call.

#![cfg_attr(
    unix,
    expect(unsafe_code, reason = "system calls without a safe wrapper")
)]

use std::fs::File;
use std::io;

/// Takes the process's standard input and output for frames and leaves harmless ones behind.
#[cfg(unix)]
pub(crate) fn take_standard_streams() -> io::Result<(File, File)> {
    use std::os::fd::{AsRawFd, FromRawFd};

    fn private_copy(descriptor: i32) -> io::Result<File> {
        // SAFETY: F_DUPFD_CLOEXEC takes any descriptor and makes a new one, or fails.
        let copy = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) };
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        Ok(unsafe { File::from_raw_fd(copy) })
    }
    fn point(descriptor: i32, at: i32) -> io::Result<()> {
        // SAFETY: dup2 takes any two descriptors, or fails.
        if unsafe { libc::dup2(at, descriptor) } < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    let input = private_copy(0)?;
    let output = private_copy(1)?;
    point(0, File::open("/dev/null")?.as_raw_fd())?;
    point(1, 2)?;
    Ok((input, output))
}

/// Elsewhere the standard streams cannot be moved; frames use handles of their own to them.
#[cfg(windows)]
pub(crate) fn take_standard_streams() -> io::Result<(File, File)> {
    use std::os::windows::io::AsHandle;
    let input = io::stdin().as_handle().try_clone_to_owned()?;
    let output = io::stdout().as_handle().try_clone_to_owned()?;
    Ok((input.into(), output.into()))
}

/// Leaves Ctrl-C to the host, writes no core files, and applies a limit of address space.
#[cfg(unix)]
pub(crate) fn apply(address_space_bytes: Option<u64>) -> io::Result<()> {
    // A macro, since the type of a resource's number is another on each system.
    macro_rules! limit {
        ($resource:expr, $bytes:expr) => {{
            let limit = libc::rlimit {
                rlim_cur: $bytes,
                rlim_max: $bytes,
            };
            // SAFETY: the struct is initialised and only read.
            if unsafe { libc::setrlimit($resource, &raw const limit) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }};
    }

    // SAFETY: SIG_IGN is a valid disposition and no handler of ours is replaced.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    limit!(libc::RLIMIT_CORE, 0);
    if let Some(bytes) = address_space_bytes {
        limit!(libc::RLIMIT_AS, bytes);
    }
    Ok(())
}

/// Elsewhere there are no such limits; asking for one is an error, not silence.
#[cfg(not(unix))]
pub(crate) fn apply(address_space_bytes: Option<u64>) -> io::Result<()> {
    match address_space_bytes {
        Some(_) => Err(io::Error::other(
            "a limit of address space is not supported here",
        )),
        None => Ok(()),
    }
}

/// Ends the process at once: no destructors, no unloading, no waiting for a plugin's threads.
#[cfg(unix)]
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes any code and never returns.
    unsafe { libc::_exit(code) }
}

/// Ends the process.
#[cfg(not(unix))]
pub(crate) fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}

/// Asks a process to end (SIGTERM).
#[cfg(unix)]
pub(crate) fn terminate(pid: u32) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: kill takes any pid; the caller has not yet waited for this child, so the number
        // cannot have been given to another process.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}

/// Elsewhere there is no polite way; the caller kills after the grace period.
#[cfg(not(unix))]
pub(crate) fn terminate(_pid: u32) {}
