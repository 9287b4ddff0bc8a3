//! Log lines on standard error. Engines log with `tracing`; a verb tells what went wrong in its own
//! words, so without `-v` nobody listens. A service that runs for weeks has nobody to tell, so its
//! warnings are always written.

use tracing_subscriber::EnvFilter;

use super::style::Style;

/// Listens to the program's own log: `verbose` 1 for what is done, 2 for every request, 3 for
/// everything; `service` 0 for what a service should not hide. Only the first call in a process
/// counts.
pub fn start_logging(verbose: u8, service: bool, style: Style) {
    let level = match verbose {
        0 if service => "airbuoy=warn",
        0 => return,
        1 => "airbuoy=info",
        2 => "airbuoy=debug",
        _ => "airbuoy=trace",
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(style.is_coloured())
        .with_target(false)
        .try_init();
}
