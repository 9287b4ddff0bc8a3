//! The command of a run and the files it reads: as they are used now, and as `sonobuoy-run.sh`
//! repeats it.

use camino::Utf8Path;

use super::config_files::{ConfigFiles, run_command};
use super::files::NewFile;
use crate::catalog::ImageSet;
use crate::relocate::Relocation;
use crate::settings::{Release, RunSettings};
use crate::sonobuoy::{Access, RunCommand};

const SONOBUOY_CONFIG: &str = "sonobuoy.json";

/// The command as it is run from here; `access` says which cluster.
pub(super) fn command(
    settings: &RunSettings,
    relocation: &Relocation,
    set: &ImageSet,
    access: Access,
) -> anyhow::Result<RunCommand> {
    let plain = run_command(relocation, set)?;
    let beside = |name: &Utf8Path| match settings.out_dir.as_str() {
        "." => name.to_owned(),
        _ => settings.out_dir.join(name),
    };
    let namespace = &settings.cluster.namespace;
    let config = settings
        .sonobuoy_config
        .is_some()
        .then(|| beside(SONOBUOY_CONFIG.into()));
    let docker_config = settings
        .docker_config
        .as_ref()
        .map(|(path, _)| path.clone());
    Ok(RunCommand {
        program: settings
            .cluster
            .sonobuoy
            .as_ref()
            .map_or_else(|| plain.program.clone(), ToString::to_string),
        config,
        mode: settings.mode,
        repo_config: beside(&plain.repo_config),
        // The secret has to be in the namespace before the run, so the namespace is there.
        namespace_exists: settings.pull_secret.is_some() && docker_config.is_none(),
        docker_config,
        timeout: settings.timeout,
        namespace: (namespace != "sonobuoy").then(|| namespace.clone()),
        access,
        passthrough: settings.passthrough.clone(),
        ..plain
    })
}

/// The repo config, the script and, with `--image-pull-secret`, sonobuoy's own settings.
pub(super) fn files(
    settings: &RunSettings,
    release: &Release,
    relocation: &Relocation,
    command: &RunCommand,
) -> anyhow::Result<Vec<NewFile>> {
    let config = ConfigFiles::new(release, relocation, &settings.out_dir)?;
    let mut files: Vec<NewFile> = config.files().to_vec();
    let docker_config = command.docker_config.as_ref().map(|path| {
        // The script goes to its own folder first.
        path.canonicalize_utf8().unwrap_or_else(|_| path.clone())
    });
    let script = RunCommand {
        config: settings
            .sonobuoy_config
            .is_some()
            .then(|| SONOBUOY_CONFIG.into()),
        repo_config: command.repo_config.file_name().unwrap_or_default().into(),
        docker_config,
        ..command.clone()
    };
    for file in files.iter_mut().filter(|file| file.executable) {
        file.text = script.script();
    }
    if let Some(text) = &settings.sonobuoy_config {
        files.push(NewFile {
            path: settings.out_dir.join(SONOBUOY_CONFIG),
            text: text.clone(),
            executable: false,
        });
    }
    Ok(files)
}
