//! The one thread that puts files in place and rewrites the lists: group commit. Whatever waits
//! when it comes round shares one sync of each folder, one of the links and one new `index.json`.
//!
//! Order, so that a crash anywhere leaves a whole store: the file's bytes (synced by who brings
//! it), its name, the links, `index.json`, then the answer; files that nobody needs any more go
//! last.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::change::{Change, Effect};
use super::files::{Files, Temporary};
use super::links::Links;
use super::state::State;
use crate::bundle::index::{self, INDEX_LIMIT};
use crate::bundle::lock::Lock;
use crate::content::StoreError;
use crate::oci::{Algorithm, Digest};

/// What readers see: durable, all of it.
pub(super) type Visible = Arc<RwLock<State>>;

type Answer = Result<bool, StoreError>;

/// A change that somebody waits for.
struct Ticket {
    change: Change,
    /// Whole, verified and synced.
    file: Option<Temporary>,
    answer: oneshot::Sender<Answer>,
}

/// The way to the thread; dropped, it waits until the thread has ended.
pub(super) struct Committer {
    sender: Option<Sender<Ticket>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Makes a first change, then starts the thread. The lock is held until it ends.
    pub(super) fn start(
        files: Files,
        state: State,
        visible: Visible,
        first: Change,
        lock: Option<Lock>,
    ) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let mut worker = Worker {
            links: Links::new(files.clone()),
            files,
            next: state,
            visible,
            stale: false,
        };
        let mut batch = Batch::default();
        batch.add(worker.next.apply(&first));
        worker.persist(&batch)?;
        let (answer, _) = oneshot::channel();
        batch.made.push((first, answer));
        worker.publish(batch);
        let thread = std::thread::Builder::new().name("bundle".to_owned());
        let thread = thread.spawn(move || {
            worker.run(&receiver);
            drop(lock);
        })?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Makes a change, and returns when it is durable: whether there was anything to do.
    pub(super) async fn change(&self, change: Change, file: Option<Temporary>) -> Answer {
        let stopped = || StoreError::Io("the store has stopped".to_owned());
        let (answer, answered) = oneshot::channel();
        let ticket = Ticket {
            change,
            file,
            answer,
        };
        let sender = self.sender.as_ref().ok_or_else(stopped)?;
        sender.send(ticket).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // It panicked: whoever waited has been told.
            let _ = thread.join();
        }
    }
}

struct Worker {
    files: Files,
    links: Links,
    /// The visible state and what is being written.
    next: State,
    visible: Visible,
    /// A write failed, so what the lists on the disk say is not known.
    stale: bool,
}

impl Worker {
    fn run(mut self, receiver: &Receiver<Ticket>) {
        while let Ok(first) = receiver.recv() {
            let mut tickets = vec![first];
            tickets.extend(receiver.try_iter());
            self.commit(tickets);
        }
    }

    fn commit(&mut self, tickets: Vec<Ticket>) {
        let mut batch = Batch::default();
        for ticket in tickets {
            match self.take(&ticket.change, ticket.file, &mut batch) {
                Ok(true) => batch.made.push((ticket.change, ticket.answer)),
                // Also what changes nothing may lean on what is not durable yet.
                Ok(false) => batch.unchanged.push(ticket.answer),
                Err(error) => _ = ticket.answer.send(Err(error)),
            }
        }
        match self.persist(&batch) {
            Ok(()) => self.publish(batch),
            Err(error) => self.withdraw(batch, &error),
        }
    }

    /// Makes a change in memory and puts its file in place.
    fn take(&mut self, change: &Change, file: Option<Temporary>, batch: &mut Batch) -> Answer {
        if !self.next.check(change)? {
            return Ok(false);
        }
        if let (Some(file), Some(digest)) = (file, change.content())
            && !self.is_there(digest)?
        {
            self.files.place(file, digest).map_err(store_error)?;
            batch.folders.insert(digest.algorithm());
        }
        batch.add(self.next.apply(change));
        Ok(true)
    }

    /// Whether the file needs no writing: it was verified, and nobody has cut or removed it since.
    fn is_there(&self, digest: &Digest) -> Result<bool, StoreError> {
        let Some(size) = self.next.settled(digest) else {
            return Ok(false);
        };
        let found = self.files.disk().size(&self.files.blob(digest));
        Ok(found.map_err(store_error)? == Some(size))
    }

    fn persist(&mut self, batch: &Batch) -> io::Result<()> {
        for algorithm in &batch.folders {
            self.files.sync_folder(&self.files.blobs(*algorithm))?;
        }
        let effect = &batch.effect;
        let something = effect.relink || !effect.lines.is_empty();
        if effect.relink || self.stale || (something && self.links.is_long()) {
            self.links.rewrite(self.next.lines())?;
        } else if something {
            self.links.append(&effect.lines)?;
        }
        if effect.index || self.stale {
            let bytes = index::to_bytes(&self.next.entries());
            // What nobody reads must not be written.
            if bytes.len() as u64 > INDEX_LIMIT {
                let reason = format!("index.json would be longer than {INDEX_LIMIT} bytes");
                return Err(io::Error::new(io::ErrorKind::QuotaExceeded, reason));
            }
            self.files.replace(&self.files.index(), &bytes)?;
        }
        Ok(())
    }

    fn publish(&mut self, batch: Batch) {
        self.stale = false;
        {
            let mut visible = self.visible.write().unwrap_or_else(PoisonError::into_inner);
            for (change, _) in &batch.made {
                visible.apply(change);
            }
        }
        for digest in &batch.effect.gone {
            // Pushed again by a later change of the same batch.
            if self.next.present.contains_key(digest) {
                continue;
            }
            if let Err(error) = self.files.disk().remove(&self.files.blob(digest)) {
                tracing::warn!(%digest, %error, "a blob was not removed; the next sweep will");
            }
        }
        for (_, answer) in batch.made {
            let _ = answer.send(Ok(true));
        }
        for answer in batch.unchanged {
            let _ = answer.send(Ok(false));
        }
    }

    /// Forgets the batch. What it left on the disk is whole and of no harm; the lists are written
    /// anew with the next change.
    fn withdraw(&mut self, batch: Batch, error: &io::Error) {
        tracing::error!(bundle = %self.files.root(), %error, "the lists could not be written");
        self.stale = true;
        let visible = self.visible.read().unwrap_or_else(PoisonError::into_inner);
        self.next = visible.clone();
        drop(visible);
        let answers = batch.made.into_iter().map(|(_, answer)| answer);
        for answer in answers.chain(batch.unchanged) {
            let _ = answer.send(Err(store_error(io::Error::new(
                error.kind(),
                error.to_string(),
            ))));
        }
    }
}

/// Changes that become durable together.
#[derive(Default)]
struct Batch {
    made: Vec<(Change, oneshot::Sender<Answer>)>,
    unchanged: Vec<oneshot::Sender<Answer>>,
    folders: BTreeSet<Algorithm>,
    effect: Effect,
}

impl Batch {
    fn add(&mut self, effect: Effect) {
        self.effect.lines.push_str(&effect.lines);
        self.effect.index |= effect.index;
        self.effect.relink |= effect.relink;
        self.effect.gone.extend(effect.gone);
    }
}

/// An error of the disk, as the registry's clients and its log are told.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn store_error(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::NoSpace,
        _ => StoreError::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{Act, MemoryDisk, World};
    use super::*;

    #[tokio::test]
    async fn what_is_deleted_and_pushed_in_one_batch_stays() {
        let (world, disk) = (World::new(), MemoryDisk::new());
        let store = disk.open(Duration::from_hours(24));
        let pushed = world.act(&store, &Act::Push(0, 0)).await;
        pushed.expect("sound");
        drop(store);
        let files = disk.files();
        let state = super::super::load(&files, &[]).expect("a state");
        let visible = Visible::new(RwLock::new(state.clone()));
        let mut worker = Worker {
            links: Links::new(files.clone()),
            files: files.clone(),
            next: state,
            visible,
            stale: false,
        };
        let (digest, bytes) = &world.blobs[0];
        let (file, temporary) = files.temporary().expect("a file");
        file.write_at(0, bytes).expect("written");
        let unlink = Change::Unlink {
            repository: "a".to_owned(),
            digest: digest.clone(),
        };
        let link = Change::Link {
            repository: "a".to_owned(),
            digest: digest.clone(),
            size: bytes.len() as u64,
            at: 0,
        };
        let mut answers = Vec::new();
        let mut ticket = |change, file| {
            let (answer, answered) = oneshot::channel();
            answers.push(answered);
            Ticket {
                change,
                file,
                answer,
            }
        };
        let tickets = vec![ticket(unlink, None), ticket(link, Some(temporary))];
        worker.commit(tickets);
        for answered in answers {
            let answer = answered.await.expect("an answer");
            assert!(answer.expect("no failure"));
        }
        let there = disk.names().iter().any(|name| name.ends_with(digest.hex()));
        assert!(there);
    }
}
