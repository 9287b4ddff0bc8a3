//! A submission to cncf/k8s-conformance: its four files, and the checks that the project's bot
//! (kubernetes-sigs/verify-conformance) will make of them. It stops at the folder: the pull request is
//! made by people.

mod check;
mod contact;
mod error;
mod fields;
mod folder;
mod junit_rule;
mod local;
mod masking;
mod prepare;
mod product;
mod readme;
mod report;
mod required;
mod urls;
mod window;

#[cfg(test)]
mod broken;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod testing;

pub use check::{CheckOptions, check, check_dir};
pub use error::SubmissionError;
pub use fields::{FieldProblem, Fields, Trouble};
pub use folder::{FILES, Folder};
pub use prepare::{PrepareOptions, Prepared, directory_name, prepare};
pub use product::{Product, ProductType};
pub use report::{Check, CheckOutcome, CheckReport};
pub use required::RequiredTests;
pub use urls::check_urls;
pub use window::Window;
