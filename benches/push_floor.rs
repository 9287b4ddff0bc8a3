//! The floor of `scripts/bench serve` for pushes: a server that takes blobs (POST, one PUT), hashes
//! them with the same library, writes each to a file and syncs it, and is no registry beyond that:
//! no limits, no repositories, no durable names. A registry on this machine cannot be much faster.
//!
//! Arguments: address to listen at, and a folder for the blobs.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use airbuoy::oci::{Algorithm, Hasher};

/// One read and one write: small enough to be in the core's own cache still when it is hashed.
const CHUNK: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` itself passes `--bench` and no folder: nothing to do then.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, folder] = arguments.as_slice() else {
        return Ok(());
    };
    fs::create_dir_all(folder)?;
    for stream in TcpListener::bind(address)?.incoming() {
        let (stream, folder) = (stream?, PathBuf::from(folder));
        // A client that leaves ends its thread.
        thread::spawn(move || serve(stream, &folder));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, folder: &Path) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut have = 0;
        let end = loop {
            let read = stream.read(&mut buffer[have..])?;
            if read == 0 {
                return Ok(());
            }
            have += read;
            if let Some(end) = buffer[..have].windows(4).position(|at| at == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let target = head.split(' ').nth(1).unwrap_or_default();
        let file = |name: &str| folder.join(name.replace([':', '/'], "-"));
        let answer = if head.starts_with("POST ") {
            format!("HTTP/1.1 202 Accepted\r\nLocation: {target}id\r\nContent-Length: 0\r\n\r\n")
        } else if head.starts_with("HEAD ") {
            let name = target.rsplit('/').next().unwrap_or_default();
            let size = file(name).metadata()?.len();
            format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        } else {
            let digest = target.rsplit("digest=").next().unwrap_or_default();
            let begun = (&mut buffer[..], end..have);
            take(&mut stream, begun, length(&head)?, digest, &file(digest))?;
            "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        stream.write_all(answer.as_bytes())?;
    }
}

fn length(head: &str) -> io::Result<usize> {
    let header = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.eq_ignore_ascii_case("content-length")).then(|| value.trim().parse())
    });
    let length = header.ok_or(io::ErrorKind::InvalidInput)?;
    length.map_err(io::Error::other)
}

fn take(
    stream: &mut TcpStream,
    (buffer, begun): (&mut [u8], std::ops::Range<usize>),
    length: usize,
    digest: &str,
    path: &Path,
) -> io::Result<()> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut file = File::create(path)?;
    let mut left = length - begun.len();
    hasher.update(&buffer[begun.clone()]);
    file.write_all(&buffer[begun])?;
    while left > 0 {
        let most = left.min(buffer.len());
        let read = stream.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&buffer[..read]);
        file.write_all(&buffer[..read])?;
        left -= read;
    }
    if hasher.finish().as_str() != digest {
        return Err(io::Error::other("other bytes"));
    }
    file.sync_all()
}
