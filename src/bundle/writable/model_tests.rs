//! The directory does what the store in memory does, also when it is closed and opened in between.

use std::time::Duration;

use proptest::prelude::*;

use super::testing::{Act, MemoryDisk, World};
use crate::content::MemoryStore;

const DAY: Duration = Duration::from_hours(24);

/// One act, or `None`: closed and opened again.
fn step() -> impl Strategy<Value = Option<Act>> {
    let (repository, blob, manifest) = (0..2usize, 0..5usize, 0..6usize);
    let tags = prop::collection::vec(0..2usize, 0..3);
    prop_oneof![
        6 => (repository.clone(), blob.clone()).prop_map(|(r, b)| Some(Act::Push(r, b))),
        1 => (repository.clone(), blob.clone(), prop::option::of(0..2usize))
            .prop_map(|(r, b, from)| Some(Act::Mount(r, b, from))),
        6 => (repository.clone(), manifest.clone(), tags)
            .prop_map(|(r, m, tags)| Some(Act::Put(r, m, tags))),
        1 => (repository.clone(), 0..2usize).prop_map(|(r, t)| Some(Act::Untag(r, t))),
        2 => (repository.clone(), manifest).prop_map(|(r, m)| Some(Act::Remove(r, m))),
        2 => (repository, blob).prop_map(|(r, b)| Some(Act::RemoveBlob(r, b))),
        2 => Just(None),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn it_shows_what_the_store_in_memory_shows(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let world = World::new();
            let model = MemoryStore::new();
            let disk = MemoryDisk::new();
            let mut store = disk.open(DAY);
            for step in &steps {
                let Some(act) = step else {
                    drop(store);
                    store = disk.open(DAY);
                    continue;
                };
                let expected = world.act(&model, act).await;
                let found = world.act(&store, act).await;
                prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{:?}", act);
                prop_assert_eq!(world.look(&store).await, world.look(&model).await);
            }
            drop(store);
            let again = disk.open(DAY);
            prop_assert_eq!(world.look(&again).await, world.look(&model).await);
            Ok(())
        })?;
    }
}
