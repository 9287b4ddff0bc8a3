//! The files of `registries/`, compiled in. A new minor gets a line here and nothing else.

/// Minor ▶ the text of its file.
pub(super) const MINORS: &[(&str, &str)] = &[
    ("1.17", include_str!("../../registries/1.17.yaml")),
    ("1.18", include_str!("../../registries/1.18.yaml")),
    ("1.19", include_str!("../../registries/1.19.yaml")),
    ("1.20", include_str!("../../registries/1.20.yaml")),
    ("1.21", include_str!("../../registries/1.21.yaml")),
    ("1.22", include_str!("../../registries/1.22.yaml")),
    ("1.23", include_str!("../../registries/1.23.yaml")),
    ("1.24", include_str!("../../registries/1.24.yaml")),
    ("1.25", include_str!("../../registries/1.25.yaml")),
    ("1.26", include_str!("../../registries/1.26.yaml")),
    ("1.27", include_str!("../../registries/1.27.yaml")),
    ("1.28", include_str!("../../registries/1.28.yaml")),
    ("1.29", include_str!("../../registries/1.29.yaml")),
    ("1.30", include_str!("../../registries/1.30.yaml")),
    ("1.31", include_str!("../../registries/1.31.yaml")),
    ("1.32", include_str!("../../registries/1.32.yaml")),
    ("1.33", include_str!("../../registries/1.33.yaml")),
    ("1.34", include_str!("../../registries/1.34.yaml")),
    ("1.35", include_str!("../../registries/1.35.yaml")),
    ("1.36", include_str!("../../registries/1.36.yaml")),
    ("1.37", include_str!("../../registries/1.37.yaml")),
];

/// The text of `sonobuoy.yaml`.
pub(super) const SONOBUOY: &str = include_str!("../../registries/sonobuoy.yaml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_and_folder_agree() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/registries");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.into_string().expect("a plain name"))
            .collect();
        on_disk.sort();
        let mut embedded: Vec<String> = MINORS.iter().map(|(m, _)| format!("{m}.yaml")).collect();
        embedded.push("sonobuoy.yaml".to_owned());
        // Read by `submission`, not by the catalogue.
        embedded.push("conformance-tests.yaml".to_owned());
        embedded.sort();
        assert_eq!(on_disk, embedded);
    }
}
