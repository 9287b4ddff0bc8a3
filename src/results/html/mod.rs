//! One self-contained page about a run, to show people: no request leaves it, and what foreign text
//! says stays text.

mod duration;
mod escape;
mod page;
mod sections;
#[cfg(test)]
mod tests;

pub use page::render;
