//! `-v`: log lines on standard error. Engines log with `tracing`; without `-v` nobody listens.

use tracing_subscriber::EnvFilter;

use super::style::Style;

/// Listens to the program's own log: `verbose` 1 for what is done, 2 for every request, 3 for
/// everything. Only the first call in a process counts.
pub fn start_logging(verbose: u8, style: Style) {
    let level = match verbose {
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
