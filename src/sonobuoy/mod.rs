//! Sonobuoy: what it is told, what it says, and a run from its preflight to its removal. The
//! program itself is the user's; what its results hold is `results`' business.

#[cfg(feature = "cluster")]
mod clean;
mod command;
mod docker_config;
mod launch;
mod log_line;
mod passthrough;
#[cfg(feature = "cluster")]
pub mod preflight;
mod program;
mod progress;
mod retrieve;
mod status;
mod stderr;
#[cfg(feature = "cluster")]
mod watch;

#[cfg(feature = "cluster")]
pub use clean::{CleanError, CleanOptions, CleanPlan};
pub use command::{Mode, RunCommand, shell_word};
pub use docker_config::{
    DOCKER_CONFIG_WARNING, DockerConfigError, check_docker_config, is_config_map_key,
};
pub use launch::{InvalidName, check_namespace, sonobuoy_config};
pub use passthrough::{PassthroughError, check_passthrough};
pub use program::{Access, Output, Program, ProgramError};
pub use progress::{LogEvent, LogReader, Tally};
pub use retrieve::{RetrieveError, RetrieveOptions, Retrieved};
pub use status::{PluginProgress, PluginStatus, STATUS_ANNOTATION, Status, TarInfo, Verdict};
#[cfg(feature = "cluster")]
pub use watch::{Progress, PullTrouble, RunEvent, WatchEnd, WatchOptions, watch};
