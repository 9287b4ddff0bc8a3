//! The power is cut at every single operation on the disk, and the disk fails at every one.

use std::time::Duration;

use super::testing::{Act, Crash, MemoryDisk, World, litter};
use crate::content::MemoryStore;

const DAY: Duration = Duration::from_hours(24);

/// A life with everything in it.
fn life() -> Vec<Act> {
    vec![
        Act::Push(0, 0),
        Act::Push(0, 1),
        Act::Put(0, 0, vec![0]),
        Act::Push(0, 4),
        Act::Push(0, 2),
        Act::Put(0, 1, vec![]),
        Act::Put(0, 3, vec![0, 1]),
        Act::Push(0, 3),
        Act::Put(0, 2, vec![]),
        Act::Mount(1, 0, Some(0)),
        Act::Push(1, 1),
        Act::Put(1, 0, vec![1]),
        Act::Put(1, 5, vec![1]),
        Act::Untag(0, 1),
        Act::Remove(0, 3),
        Act::Remove(0, 1),
        Act::RemoveBlob(0, 2),
        Act::Remove(1, 0),
        Act::Remove(1, 5),
        Act::RemoveBlob(1, 1),
    ]
}

/// What can be seen before the life and after each of its acts.
async fn expected(world: &World) -> Vec<Vec<String>> {
    let model = MemoryStore::new();
    let mut seen = vec![world.look(&model).await];
    for act in &life() {
        world.act(&model, act).await.expect("allowed");
        seen.push(world.look(&model).await);
    }
    seen
}

/// Lives until something fails; how many acts were answered.
async fn live(world: &World, disk: &MemoryDisk) -> usize {
    let store = disk.open(DAY);
    let mut answered = 0;
    for act in &life() {
        if world.act(&store, act).await.is_err() {
            break;
        }
        answered += 1;
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_answered_survives_a_crash_at_any_moment() {
    let world = World::new();
    let expected = expected(&world).await;
    let made = MemoryDisk::new();
    drop(made.open(DAY));
    let whole = made.after(Crash::Kill);
    assert_eq!(live(&world, &whole).await, life().len());
    let operations = whole.log().len();
    assert!(operations > 100, "{operations}");
    let mut crashes = vec![Crash::Kill, Crash::Power];
    crashes.extend((0..4).map(Crash::Some));
    // The first operations make the store ready; they were tried above.
    let opening = {
        let disk = made.after(Crash::Kill);
        drop(disk.open(DAY));
        disk.log().len()
    };
    for cut in opening..operations {
        let disk = made.after(Crash::Kill);
        disk.cut_at(cut);
        let answered = live(&world, &disk).await;
        for crash in &crashes {
            let found = disk.after(*crash);
            let store = found.open(DAY);
            let seen = world.look(&store).await;
            let fits = seen == expected[answered]
                || expected.get(answered + 1).is_some_and(|next| seen == *next);
            assert!(
                fits,
                "{crash:?} at {cut}, {:?}: {answered} answered; {seen:#?} is not {:#?}",
                whole.log().get(cut),
                expected[answered]
            );
            drop(store);
            drop(found.open(Duration::ZERO));
            assert_eq!(litter(&found), [""; 0], "{crash:?} at {cut}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_can_be_cut_at_any_moment_as_well() {
    let world = World::new();
    let expected = expected(&world).await;
    let whole = MemoryDisk::new();
    live(&world, &whole).await;
    let end = expected.last().expect("at least the beginning");
    for begin in [MemoryDisk::new(), whole.after(Crash::Power)] {
        let fresh = begin.names().is_empty();
        let seen = if fresh { &expected[0] } else { end };
        let trial = begin.after(Crash::Kill);
        drop(trial.open(DAY));
        for cut in 0..trial.log().len() {
            let disk = begin.after(Crash::Kill);
            disk.cut_at(cut);
            let options = super::StoreOptions::default();
            drop(super::DirectoryStore::start(disk.files(), &options, None));
            for crash in [Crash::Kill, Crash::Power, Crash::Some(1), Crash::Some(2)] {
                let store = disk.after(crash).open(DAY);
                assert_eq!(&world.look(&store).await, seen, "{crash:?} at {cut}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_once_costs_one_answer() {
    let world = World::new();
    let made = MemoryDisk::new();
    drop(made.open(DAY));
    let trial = made.after(Crash::Kill);
    live(&world, &trial).await;
    let opening = {
        let disk = made.after(Crash::Kill);
        drop(disk.open(DAY));
        disk.log().len()
    };
    for fail in opening..trial.log().len() {
        let disk = made.after(Crash::Kill);
        disk.fail_at(fail);
        let store = disk.open(DAY);
        let model = MemoryStore::new();
        for act in &life() {
            // The client tries again.
            let found = match world.act(&store, act).await {
                Err(crate::content::StoreError::Io(_)) => world.act(&store, act).await,
                answer => answer,
            };
            let expected = world.act(&model, act).await;
            assert_eq!(
                format!("{found:?}"),
                format!("{expected:?}"),
                "{act:?} at {fail}"
            );
            assert_eq!(world.look(&store).await, world.look(&model).await);
        }
        drop(store);
        for crash in [Crash::Kill, Crash::Power] {
            let again = disk.after(crash).open(DAY);
            assert_eq!(world.look(&again).await, world.look(&model).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_taken_back_with_the_next_change() {
    let world = World::new();
    let made = MemoryDisk::new();
    let store = made.open(DAY);
    let model = MemoryStore::new();
    for act in [Act::Push(0, 0), Act::Push(0, 1)] {
        world.act(&store, &act).await.expect("allowed");
        world.act(&model, &act).await.expect("allowed");
    }
    drop(store);
    let put = Act::Put(0, 0, vec![0]);
    let next = Act::Push(1, 2);
    world.act(&model, &next).await.expect("allowed");
    let mut failed = 0;
    for fail in 0.. {
        let disk = made.after(Crash::Kill);
        let store = disk.open(DAY);
        disk.fail_at(disk.log().len() + fail);
        // The client gives up.
        if world.act(&store, &put).await.is_ok() {
            break;
        }
        failed += 1;
        world
            .act(&store, &next)
            .await
            .expect("the disk works again");
        assert_eq!(world.look(&store).await, world.look(&model).await);
        drop(store);
        for crash in [Crash::Kill, Crash::Power] {
            let again = disk.after(crash).open(DAY);
            let (seen, expected) = (world.look(&again).await, world.look(&model).await);
            assert_eq!(seen, expected, "{crash:?}, {fail}");
        }
    }
    assert!(failed > 6, "{failed}");
}
