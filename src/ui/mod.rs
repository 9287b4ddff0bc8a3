//! What people and programs see: the only room that prints. Progress, notices and errors go to
//! standard error; what was asked for goes to standard output.

mod bundle;
mod bundle_rm;
mod error;
mod failures;
mod images;
mod logging;
mod plan;
mod printer;
mod progress;
mod results;
#[cfg(feature = "cluster")]
mod running;
mod size;
mod style;
mod submission;
mod summary;
mod table;
mod text;

pub use bundle::{
    Pulled, bundle_kept, bundle_up_to_date, bundle_verified, contents_summary, contents_table,
    faults, repair_hint,
};
pub use bundle_rm::removed;
pub use failures::failures;
pub use images::{images_summary, images_table};
pub use logging::start_logging;
pub use plan::plan_table;
pub use printer::Printer;
pub use progress::Progress;
pub use results::results_table;
#[cfg(feature = "cluster")]
pub use running::{preflight, progress_line, run_event, status_table};
pub use size::{bytes, count, duration};
pub use style::Style;
pub use submission::{checks_table, refused};
pub use summary::{mirrored, planned, pulled, pushed, stopped, verified};
pub use table::Table;
