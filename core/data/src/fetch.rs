//! Download of one file whose size and SHA-256 are known beforehand.
//!
//! The pinned digest, not the transport, is what is trusted: plain HTTP is enough, and
//! no TLS stack is linked. A file appears under its name only when whole and verified.

use std::io::{Read, Write as _};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::digest;
use crate::error::{DataError, Result};
use crate::locate::Progress;

/// A file to be had from a server.
pub(crate) struct Remote {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    pub(crate) sha256: &'static str,
}

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
const BODY: Duration = Duration::from_secs(30 * 60);
const REDIRECTS: u32 = 3;

/// Fetches `base/remote.name` into `folder`, which is made if need be.
///
/// # Errors
/// [`DataError::Download`] when there is no answer, or it is not of the pinned size and
/// digest; [`DataError::Io`] when it cannot be written. Nothing stays behind then.
pub(crate) fn fetch(
    base: &str,
    remote: &Remote,
    folder: &Path,
    progress: &dyn Fn(Progress),
) -> Result<()> {
    let url = format!("{}/{}", base.trim_end_matches('/'), remote.name);
    let failed = |reason: String| DataError::Download {
        url: url.clone(),
        reason,
        remedy: "try again later or from another mirror".to_owned(),
    };
    std::fs::create_dir_all(folder).map_err(|e| DataError::io("create", folder, e))?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)
        .map_err(|e| DataError::io("write in", folder, e))?;

    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_recv_body(Some(BODY))
        .max_redirects(REDIRECTS)
        .build()
        .into();
    let mut response = agent.get(&url).call().map_err(|e| failed(e.to_string()))?;
    let mut body = response.body_mut().as_reader();

    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    let mut done = 0u64;
    let tell = |done| {
        progress(Progress {
            file: remote.name.to_owned(),
            done,
            total: Some(remote.bytes),
        });
    };
    tell(0);
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(failed(format!("after {done} bytes: {e}"))),
        };
        done += n as u64;
        if done > remote.bytes {
            return Err(failed(format!(
                "the answer is longer than {} bytes",
                remote.bytes
            )));
        }
        hasher.update(&buffer[..n]);
        temporary
            .write_all(&buffer[..n])
            .map_err(|e| DataError::io("write", temporary.path(), e))?;
        tell(done);
    }
    if done < remote.bytes {
        return Err(failed(format!(
            "the answer ends after {done} of {} bytes",
            remote.bytes
        )));
    }
    let found = digest::hex(&<[u8; 32]>::from(hasher.finalize()));
    if found != remote.sha256 {
        return Err(failed(format!(
            "SHA-256 expected {}, found {found}",
            remote.sha256
        )));
    }
    let path = folder.join(remote.name);
    temporary
        .as_file()
        .sync_all()
        .map_err(|e| DataError::io("write", &path, e))?;
    temporary
        .persist(&path)
        .map_err(|e| DataError::io("write", &path, e.error))?;
    Ok(())
}
