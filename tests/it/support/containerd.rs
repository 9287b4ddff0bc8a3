//! A containerd of our own, as nodes have it: Debian's package, with its folders and its socket
//! in a temporary place.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::skip;

/// A running containerd; it ends with the test.
pub(crate) struct Containerd {
    ctr: PathBuf,
    dir: TempDir,
    process: Child,
}

impl Containerd {
    /// Starts it, or says why the test is skipped: it unpacks layers with their owners, so it
    /// runs as root only.
    pub(crate) fn start() -> Result<Self, String> {
        let (containerd, ctr) = (skip::program("containerd")?, skip::program("ctr")?);
        let id = Command::new("id").arg("-u").output().expect("id starts");
        if id.stdout != b"0\n" {
            return Err("containerd runs as root only".to_owned());
        }
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path().display();
        let config = format!(
            "version = 2\nroot = \"{at}/root\"\nstate = \"{at}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = \"{at}/sock\"\n[ttrpc]\naddress = \"{at}/ttrpc\"\n"
        );
        fs::write(dir.path().join("config.toml"), config).expect("written");
        let log = fs::File::create(dir.path().join("log")).expect("created");
        let process = Command::new(containerd)
            .arg("--config")
            .arg(dir.path().join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("an installed program starts");
        let containerd = Self { ctr, dir, process };
        for _ in 0..400 {
            if containerd.ctr(&["version"]).is_ok() {
                return Ok(containerd);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let log = fs::read_to_string(containerd.dir.path().join("log")).unwrap_or_default();
        panic!("containerd does not start: {log}");
    }

    /// `ctr images pull --platform linux/amd64 …`, then the digest that the name has.
    pub(crate) fn pull(&self, flags: &[&str], reference: &str) -> String {
        // The overlay of the default one needs a file system that a container may not have.
        let pull = [
            "images",
            "pull",
            "--snapshotter",
            "native",
            "--platform",
            "linux/amd64",
        ];
        self.ctr(&[&pull, flags, &[reference]].concat())
            .expect("a pull");
        let listed = self
            .ctr(&["images", "list", &format!("name=={reference}")])
            .expect("a list");
        let row = listed.lines().find(|line| line.starts_with(reference));
        let row = row.expect("the image is listed");
        row.split_whitespace()
            .find(|word| word.starts_with("sha256:"))
            .expect("a digest")
            .to_owned()
    }

    fn ctr(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.ctr)
            .arg("--address")
            .arg(self.dir.path().join("sock"))
            .args(words)
            .output()
            .expect("an installed program starts");
        let told = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("ctr {words:?}: {told}"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
