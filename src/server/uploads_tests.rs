//! What clients may do with their sessions, and how many they can have.

use std::collections::HashSet;

use super::*;

fn session() -> Session<()> {
    Session {
        upload: (),
        algorithm: Algorithm::Sha256,
    }
}

fn lend(uploads: &Arc<Uploads<()>>, repository: &str, id: &str) -> Result<u64, NotLent> {
    uploads.lend(repository, id).map(|loan| loan.received())
}

#[tokio::test]
async fn a_session_belongs_to_its_repository() {
    let uploads = Uploads::new();
    let id = uploads.open(&owner(1), "a", session()).expect("room");
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(uploads.received("b", &id), None);
    assert_eq!(lend(&uploads, "b", &id), Err(NotLent::Unknown));
    assert!(!uploads.cancel("b", &id));
    assert_eq!(uploads.received("a", &id), Some(0));
    assert!(uploads.cancel("a", &id));
    assert_eq!(uploads.received("a", &id), None);
    assert_eq!(lend(&uploads, "a", &id), Err(NotLent::Unknown));
}

#[tokio::test]
async fn one_request_at_a_time_works_with_it() {
    let uploads = Uploads::new();
    let id = uploads.open(&owner(1), "a", session()).expect("room");
    let mut loan = uploads.lend("a", &id).expect("open");
    loan.arrived(7);
    assert_eq!(lend(&uploads, "a", &id), Err(NotLent::Busy));
    assert_eq!(uploads.received("a", &id), Some(7));
    drop(loan);
    assert_eq!(lend(&uploads, "a", &id), Ok(7));
}

#[tokio::test]
async fn what_was_closed_or_cancelled_does_not_come_back() {
    let uploads = Uploads::new();
    let closed = uploads.open(&owner(1), "a", session()).expect("room");
    let mut loan = uploads.lend("a", &closed).expect("open");
    assert!(loan.close().is_some());
    assert!(loan.session().is_none() && loan.close().is_none());
    drop(loan);
    assert_eq!(uploads.received("a", &closed), None);

    let cancelled = uploads.open(&owner(1), "a", session()).expect("room");
    let mut loan = uploads.lend("a", &cancelled).expect("open");
    assert!(uploads.cancel("a", &cancelled));
    assert!(loan.session().is_none() && loan.close().is_none());
    drop(loan);
    assert_eq!(uploads.received("a", &cancelled), None);
}

#[tokio::test(start_paused = true)]
async fn idle_sessions_are_swept_and_busy_ones_are_not() {
    let uploads = Uploads::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(uploads.open(&owner(1), "a", session()).expect("room"));
    }
    let loan = uploads.lend("a", &ids[0]).expect("open");
    tokio::time::sleep(SWEEP * 58).await;
    assert_eq!(lend(&uploads, "a", &ids[1]), Ok(0));
    tokio::time::sleep(4 * SWEEP).await;
    let open = |id: &String| uploads.received("a", id).is_some();
    assert_eq!(
        ids.iter().map(open).collect::<Vec<_>>(),
        [true, true, false]
    );
    drop(loan);
    tokio::time::sleep(IDLE + 2 * SWEEP).await;
    assert!(!ids.iter().any(open));
    // The sweeper has ended; a new session starts another one.
    let late = uploads.open(&owner(1), "a", session()).expect("room");
    tokio::time::sleep(IDLE + 2 * SWEEP).await;
    assert!(!open(&late));
}

/// A client at an address of its own.
fn owner(number: u8) -> Owner {
    Owner::Address([10, 0, 0, number].into())
}

fn fill(uploads: &Arc<Uploads<()>>, owner: &Owner, count: usize) -> Vec<String> {
    let open = |_| uploads.open(owner, "a", session()).expect("room");
    (0..count).map(open).collect()
}

fn is_open(uploads: &Uploads<()>, id: &str) -> bool {
    uploads.received("a", id).is_some()
}

#[tokio::test(start_paused = true)]
async fn one_client_cannot_keep_the_others_out() {
    let uploads = Uploads::new();
    let ids = fill(&uploads, &owner(1), MOST_OF_ONE);
    let distinct: HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), MOST_OF_ONE);
    let refused = uploads.open(&owner(1), "a", session());
    assert!(matches!(refused, Err(NotOpened::TooManyOfOne)));
    // The same machine, but somebody who has logged in.
    let user = Owner::User("site".to_owned());
    for other in [owner(2), user] {
        uploads.open(&other, "a", session()).expect("room");
    }
    assert!(ids.iter().all(|id| is_open(&uploads, id)));
}

#[tokio::test(start_paused = true)]
async fn what_its_client_forgot_gives_way_and_what_is_in_use_does_not() {
    let uploads = Uploads::new();
    let ids = fill(&uploads, &owner(1), MOST_OF_ONE);
    let busy = uploads.lend("a", &ids[0]).expect("open");
    tokio::time::sleep(RESTED / 2).await;
    for id in &ids[2..] {
        lend(&uploads, "a", id).expect("open");
    }
    tokio::time::sleep(RESTED / 2).await;
    let next = uploads.open(&owner(1), "a", session()).expect("room");
    assert!(!is_open(&uploads, &ids[1]));
    assert!(is_open(&uploads, &ids[0]) && is_open(&uploads, &next));
    // The others were used half a minute ago.
    let refused = uploads.open(&owner(1), "a", session());
    assert!(matches!(refused, Err(NotOpened::TooManyOfOne)));
    assert!(ids[2..].iter().all(|id| is_open(&uploads, id)));
    drop(busy);
}

#[tokio::test(start_paused = true)]
async fn a_full_registry_takes_from_who_has_most() {
    let uploads = Uploads::new();
    let first = fill(&uploads, &owner(0), 1);
    tokio::time::sleep(RESTED / 2).await;
    let greedy = fill(&uploads, &owner(1), MOST_OF_ONE);
    let rest = MOST - MOST_OF_ONE - 1;
    let share = rest.div_ceil(4);
    for (number, start) in (2..).zip((0..rest).step_by(share)) {
        fill(&uploads, &owner(number), share.min(rest - start));
    }
    assert_eq!(uploads.count(), MOST);
    tokio::time::sleep(RESTED / 2).await;
    // The first one has rested long enough, but it is not its client that has too many.
    let refused = uploads.open(&owner(9), "a", session());
    assert!(matches!(refused, Err(NotOpened::TooMany)));
    tokio::time::sleep(RESTED / 2).await;
    uploads.open(&owner(9), "a", session()).expect("room");
    assert_eq!(uploads.count(), MOST);
    assert!(is_open(&uploads, &first[0]));
    let left = greedy.iter().filter(|id| is_open(&uploads, id)).count();
    assert_eq!(left, MOST_OF_ONE - 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_in_need_takes_back_what_rests() {
    let uploads = Uploads::new();
    let ids = fill(&uploads, &owner(1), 3);
    let busy = uploads.lend("a", &ids[0]).expect("open");
    tokio::time::sleep(RESTED / 2).await;
    lend(&uploads, "a", &ids[1]).expect("open");
    tokio::time::sleep(RESTED / 2).await;
    uploads.give_up_rested();
    let open = ids.iter().map(|id| is_open(&uploads, id));
    assert_eq!(open.collect::<Vec<_>>(), [true, true, false]);
    drop(busy);
}
