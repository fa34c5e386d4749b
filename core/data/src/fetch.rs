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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    const CONTENT: &[u8] = b"abc";
    const REMOTE: Remote = Remote {
        name: "file.gz",
        bytes: 3,
        // FIPS 180-2, appendix B.1.
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };

    /// Answers one request with the bytes; gives the request's first line.
    fn server(answer: Vec<u8>) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/base/", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while !lines.next().unwrap().unwrap().is_empty() {}
            // The client may have hung up on an answer it refuses.
            let _ = stream.write_all(&answer);
            first
        });
        (base, thread)
    }

    fn answer(status: &str, declared: usize, body: &[u8]) -> Vec<u8> {
        let mut bytes =
            format!("HTTP/1.1 {status}\r\nContent-Length: {declared}\r\n\r\n").into_bytes();
        bytes.extend(body);
        bytes
    }

    fn fetched(answer: Vec<u8>) -> (Result<()>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let (base, thread) = server(answer);
        let outcome = fetch(&base, &REMOTE, folder.path(), &|_| {});
        assert_eq!(thread.join().unwrap(), "GET /base/file.gz HTTP/1.1");
        let left = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        (outcome, left)
    }

    fn refused(answer: Vec<u8>) -> String {
        let (outcome, left) = fetched(answer);
        assert!(left.is_empty(), "nothing may stay behind: {left:?}");
        let text = outcome.unwrap_err().to_string();
        assert!(
            text.contains("file.gz") && text.contains("remedy: "),
            "{text}"
        );
        text
    }

    #[test]
    fn a_good_file_appears_whole_under_its_name_and_progress_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("made/as/needed");
        let (base, thread) = server(answer("200 OK", 3, CONTENT));
        let told = RefCell::new(Vec::new());
        fetch(&base, &REMOTE, &deep, &|progress| {
            told.borrow_mut().push(progress)
        })
        .unwrap();
        thread.join().unwrap();
        assert_eq!(std::fs::read(deep.join("file.gz")).unwrap(), CONTENT);
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 1);
        let told = told.into_inner();
        assert_eq!((told[0].done, told[0].total), (0, Some(3)));
        assert_eq!(told.last().map(|progress| progress.done), Some(3));
    }

    #[test]
    fn a_wrong_checksum_is_refused() {
        let text = refused(answer("200 OK", 3, b"abd"));
        assert!(text.contains("SHA-256 expected ba7816bf"), "{text}");
    }

    #[test]
    fn a_body_that_breaks_off_is_refused() {
        refused(answer("200 OK", 3, b"ab"));
        let text = refused(answer("200 OK", 2, b"ab"));
        assert!(text.contains("ends after 2 of 3 bytes"), "{text}");
    }

    #[test]
    fn an_oversized_body_is_refused_as_soon_as_it_is_too_long() {
        let text = refused(answer("200 OK", 1 << 40, &[0; 1 << 18]));
        assert!(text.contains("longer than 3 bytes"), "{text}");
    }

    #[test]
    fn an_answer_of_refusal_is_told() {
        let text = refused(answer("404 Not Found", 0, b""));
        assert!(text.contains("404"), "{text}");
    }

    #[test]
    fn no_server_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let folder = tempfile::tempdir().unwrap();
        let error = fetch(&base, &REMOTE, folder.path(), &|_| {}).unwrap_err();
        assert!(matches!(error, DataError::Download { .. }), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
