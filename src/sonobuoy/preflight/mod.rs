//! Everything that is looked at before a run starts, and what it means: facts in, findings out,
//! all of them at once. Nothing here creates anything.

mod facts;
mod findings;
#[cfg(test)]
mod tests;

pub use facts::{
    ClusterFacts, CredentialFacts, ImageFacts, NamespaceFacts, PreflightFacts, Problem, Window,
    linux_platforms,
};
pub use findings::{Finding, Grade, judge};
