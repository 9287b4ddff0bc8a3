//! Scopes of a token: built from the operation, never taken from a challenge, whose own is
//! missing (Quay) or a placeholder (ghcr.io) often enough.

/// A set of scopes, the needed one first: some servers only look at that (harbor#2411).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::registry) struct Scopes(Vec<Scope>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scope {
    repository: String,
    actions: &'static [&'static str],
}

impl Scopes {
    fn one(repository: &str, actions: &'static [&'static str]) -> Self {
        Self(vec![Scope {
            repository: repository.to_owned(),
            actions,
        }])
    }

    /// Reading.
    pub(in crate::registry) fn pull(repository: &str) -> Self {
        Self::one(repository, &["pull"])
    }

    /// Writing: Harbor wants both actions for a push (harbor#5777).
    pub(in crate::registry) fn push(repository: &str) -> Self {
        Self::one(repository, &["pull", "push"])
    }

    /// Removing.
    pub(in crate::registry) fn delete(repository: &str) -> Self {
        Self::one(repository, &["pull", "push", "delete"])
    }

    /// And reading `from`, to mount out of it.
    pub(in crate::registry) fn and_pull(mut self, from: &str) -> Self {
        let other = Self::pull(from);
        if !self.covers(&other) {
            self.0.extend(other.0);
        }
        self
    }

    /// Whether a token for these is good for `other` too.
    pub(in crate::registry) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|wanted| {
            self.0.iter().any(|have| {
                have.repository == wanted.repository
                    && wanted.actions.iter().all(|a| have.actions.contains(a))
            })
        })
    }

    /// Each as `repository:<name>:<actions>`.
    pub(in crate::registry) fn texts(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|s| format!("repository:{}:{}", s.repository, s.actions.join(",")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_needed_scope_comes_first() {
        let mount = Scopes::push("k8s/a").and_pull("k8s/b");
        assert_eq!(
            mount.texts(),
            ["repository:k8s/a:pull,push", "repository:k8s/b:pull"]
        );
        assert_eq!(Scopes::push("a").and_pull("a"), Scopes::push("a"));
    }

    #[test]
    fn a_wider_token_serves_a_narrower_need() {
        let mount = Scopes::push("a").and_pull("b");
        assert!(mount.covers(&Scopes::pull("a")));
        assert!(mount.covers(&Scopes::pull("b")));
        assert!(!mount.covers(&Scopes::push("b")));
        assert!(!Scopes::pull("a").covers(&Scopes::push("a")));
        assert!(!Scopes::push("a").covers(&Scopes::delete("a")));
    }

    proptest! {
        #[test]
        fn covering_is_reflexive_and_mounts_cover_their_parts(a in "[a-c]", b in "[a-c]") {
            let mount = Scopes::push(&a).and_pull(&b);
            prop_assert!(mount.covers(&mount));
            prop_assert!(mount.covers(&Scopes::push(&a)));
            prop_assert!(mount.covers(&Scopes::pull(&b)));
        }
    }
}
