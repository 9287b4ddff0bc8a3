//! `airbuoy serve DIR --writable` as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::airbuoy::Airbuoy;

/// A running server; killed when dropped.
pub(crate) struct Writable {
    child: Child,
    host: String,
    _airbuoy: Airbuoy,
}

impl Writable {
    /// Serves `directory` on a free port.
    pub(crate) fn start(directory: &Path, flags: &[&str]) -> Self {
        let airbuoy = Airbuoy::new();
        let mut command = airbuoy.command("serve --writable --listen 127.0.0.1:0");
        command.arg(directory).args(flags);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut said = String::new();
            for line in lines.lines().map_while(Result::ok) {
                said = said + &line + "\n";
                // It listens; whatever it says later is read, so that it never waits for us.
                let _ = match line.strip_prefix("Listening at ") {
                    Some(url) => sender.send(Ok(url.to_owned())),
                    None => Ok(()),
                };
            }
            let _ = sender.send(Err(said));
        });
        let listening = receiver.recv_timeout(Duration::from_secs(30));
        let url = match listening.expect("it listens within half a minute") {
            Ok(url) => url,
            Err(said) => panic!("it ended: {said}"),
        };
        let (_, host) = url.split_once("://").expect("a URL");
        Self {
            child,
            host: host.to_owned(),
            _airbuoy: airbuoy,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.host.clone()
    }

    /// Kills it: SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Ends it as a service manager does; its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("kill starts").success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
