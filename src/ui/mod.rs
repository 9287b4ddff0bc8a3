//! What people and programs see: the only room that prints. Progress, notices and errors go to
//! standard error; what was asked for goes to standard output.

mod error;
mod failures;
mod logging;
mod printer;
mod progress;
mod size;
mod style;
mod summary;
mod table;
mod text;

pub use failures::failures;
pub use logging::start_logging;
pub use printer::Printer;
pub use progress::Progress;
pub use size::{bytes, count, duration};
pub use style::Style;
pub use summary::{mirrored, verified};
pub use table::Table;
