//! The image lists: every release that is known in full prints what its `e2e.test` prints, and
//! the config file says of each image what the list says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;

use crate::support::airbuoy::Airbuoy;

/// What is known of one release, read here anew and not by the library.
struct Release {
    patch: String,
    registries: BTreeMap<String, String>,
    /// What `e2e.test --list-images` prints, sorted.
    images: Vec<String>,
    newest_of_minor: bool,
}

/// The facts of every minor: from `AIRBUOY_TEST_FACTS`, from the facts beside the checkout, or
/// from the catalogue's own files.
fn minors() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join("../shared/facts/kubernetes-images.yaml");
    let given = std::env::var_os("AIRBUOY_TEST_FACTS").map(PathBuf::from);
    let facts = given.unwrap_or(beside);
    if facts.is_file() {
        let all = read(&facts);
        let all = all.as_object().expect("a mapping of minors");
        return all.values().cloned().collect();
    }
    let folder = std::fs::read_dir(root.join("registries")).expect("the catalogue");
    folder
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| !path.ends_with("sonobuoy.yaml"))
        .map(|path| read(&path))
        .collect()
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a readable file");
    serde_yaml::from_str(&text).expect("YAML")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn patch_number(patch: &str) -> u32 {
    let number = patch.rsplit('.').next().expect("a patch");
    number.parse().expect("a number")
}

fn releases() -> Vec<Release> {
    let minors = minors();
    assert!(minors.len() >= 21, "1.17 to 1.37 and newer");
    minors.iter().flat_map(releases_of).collect()
}

fn releases_of(minor: &Value) -> Vec<Release> {
    let patches = list(&minor["read_in_full"]);
    let newest = patches.iter().map(|p| patch_number(text(p))).max();
    let release = |patch: &Value| {
        let (registries, images) = list_of(minor, patch_number(text(patch)));
        Release {
            patch: text(patch).to_owned(),
            registries,
            images,
            newest_of_minor: Some(patch_number(text(patch))) == newest,
        }
    };
    patches.iter().map(release).collect()
}

/// Registries and images of one patch: those of the first with every change up to it.
fn list_of(minor: &Value, patch: u32) -> (BTreeMap<String, String>, Vec<String>) {
    let mut registries = BTreeMap::new();
    apply_registries(&mut registries, &minor["registries"]);
    let mut images: Vec<String> = list(&minor["images"])
        .iter()
        .map(|image| reference(image, &registries))
        .collect();
    for change in list(&minor["changes"]) {
        if patch_number(text(&change["first_seen"])) > patch {
            break;
        }
        apply_registries(&mut registries, &change["registries"]);
        let gone: Vec<&str> = list(&change["remove"]).iter().map(text).collect();
        images.retain(|image| !gone.contains(&image.as_str()));
        let new = list(&change["add"]).iter();
        images.extend(new.map(|image| reference(image, &registries)));
    }
    images.sort();
    (registries, images)
}

fn apply_registries(to: &mut BTreeMap<String, String>, changes: &Value) {
    for (key, prefix) in changes.as_object().into_iter().flatten() {
        match prefix.as_str() {
            Some(prefix) => to.insert(key.clone(), prefix.to_owned()),
            None => to.remove(key),
        };
    }
}

fn reference(image: &Value, registries: &BTreeMap<String, String>) -> String {
    if let Some(whole) = image["image"].as_str() {
        return whole.to_owned();
    }
    let prefix = &registries[text(&image["key"])];
    format!("{prefix}/{}:{}", text(&image["name"]), text(&image["tag"]))
}

/// Runs `check` on every release, on all cores, and gathers what is wrong.
fn on_all(check: impl Fn(&Release) -> Result<(), String> + Sync) {
    let left = Mutex::new(releases());
    let wrong = Mutex::new(Vec::new());
    let next = || left.lock().expect("no panic").pop();
    let work = || {
        while let Some(release) = next() {
            if let Err(why) = check(&release) {
                let mut wrong = wrong.lock().expect("no panic");
                wrong.push(format!("{}: {why}", release.patch));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The rows of `airbuoy images` that `keep` wants.
fn rows(release: &Release, arguments: &str, keep: impl Fn(&Value) -> bool) -> Vec<Value> {
    let patch = &release.patch;
    let words = format!("images --kubernetes-version v{patch} -o json {arguments}");
    let rows = Airbuoy::new().run(&words).exits(0).json();
    let rows = rows.as_array().expect("an array of rows").clone();
    rows.into_iter().filter(keep).collect()
}

fn is_test(row: &Value) -> bool {
    row["role"] == "test"
}

#[test]
fn the_list_of_every_known_release_equals_what_e2e_test_prints() {
    on_all(|release| {
        let rows = rows(release, "", is_test);
        let mut sources: Vec<&str> = rows.iter().map(|row| text(&row["source"])).collect();
        sources.sort_unstable();
        let same = sources == release.images;
        same.then_some(())
            .ok_or_else(|| format!("{sources:#?}\nis not\n{:#?}", release.images))
    });
}

#[test]
fn the_config_file_and_the_targets_agree_key_by_key_in_every_release() {
    on_all(|release| {
        agree(release, "")?;
        // The keys of a minor hardly change: one patch of each is enough for the other layout.
        if release.newest_of_minor {
            agree(release, "--flat")?;
        }
        Ok(())
    });
}

fn agree(release: &Release, layout: &str) -> Result<(), String> {
    const NEVER: [&str; 3] = [
        "invalidRegistry",
        "privateRegistry",
        "gcAuthenticatedRegistry",
    ];
    let target = "registry.example.com:5000/mirror/k8s";
    let airbuoy = Airbuoy::new();
    let patch = &release.patch;
    let words = format!("config {target} --kubernetes-version v{patch} {layout}");
    airbuoy.run(&words).exits(0);
    let config = read(&airbuoy.home().join("custom-repo-config.yaml"));
    let config = config.as_object().ok_or("the config is no mapping")?;

    let mut keys: Vec<&str> = config.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let wanted: Vec<&str> = release.registries.keys().map(String::as_str).collect();
    let wanted: Vec<&str> = wanted
        .into_iter()
        .filter(|key| !NEVER.contains(key))
        .collect();
    if keys != wanted {
        return Err(format!("keys {keys:?} are not {wanted:?}"));
    }
    for row in rows(release, &format!("--to {target} {layout}"), is_test) {
        let (source, key) = (text(&row["source"]), row["key"].as_str());
        let Some(key) = key.filter(|_| row["skipped"].is_null()) else {
            continue;
        };
        let prefix = &release.registries[key];
        let name = source.strip_prefix(&format!("{prefix}/"));
        let name = name.ok_or_else(|| format!("{source} is not below {prefix}"))?;
        let expected = format!("{}/{name}", text(&config[key]));
        if row["target"] != expected.as_str() {
            let target = &row["target"];
            return Err(format!(
                "{source} goes to {target}, {key} says {expected} {layout}"
            ));
        }
    }
    Ok(())
}

#[test]
fn certification_alone_needs_ten_or_eleven_test_images() {
    on_all(|release| {
        let minor: u32 = release.patch.split('.').nth(1).map_or(0, |m| {
            let number = m.parse();
            number.expect("a minor")
        });
        if minor < 29 || !release.newest_of_minor {
            return Ok(());
        }
        let mirrored = |row: &Value| row["skipped"].is_null();
        let rows = rows(release, "--conformance-only", mirrored);
        let (tests, runners): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_test(row));
        let good = (10..=11).contains(&tests.len()) && runners.len() == 3;
        good.then_some(())
            .ok_or_else(|| format!("{} and {} images", tests.len(), runners.len()))
    });
}
