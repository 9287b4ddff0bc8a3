//! The process environment as a value, so that tests can pass their own.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

/// Environment variables. A variable that is empty or not UTF-8 counts as not set.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// A variable that says something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// The first of these that says something: for variables known in both cases.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A variable that holds a path.
    pub fn path(&self, name: &str) -> Option<Utf8PathBuf> {
        self.get(name).map(Utf8PathBuf::from)
    }

    /// A variable that holds several paths, such as `KUBECONFIG`; empty ones are left out.
    pub fn paths(&self, name: &str) -> Option<Vec<Utf8PathBuf>> {
        let paths = std::env::split_paths(self.get(name)?);
        let paths = paths.filter_map(|path| Utf8PathBuf::from_path_buf(path).ok());
        Some(paths.filter(|path| !path.as_str().is_empty()).collect())
    }

    /// The user's home directory.
    pub fn home(&self) -> Option<Utf8PathBuf> {
        self.path("HOME")
    }

    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub fn config_home(&self) -> Option<Utf8PathBuf> {
        self.path("XDG_CONFIG_HOME")
            .or_else(|| Some(self.home()?.join(".config")))
    }

    /// `$XDG_CACHE_HOME`, else `~/.cache`.
    pub fn cache_home(&self) -> Option<Utf8PathBuf> {
        self.path("XDG_CACHE_HOME")
            .or_else(|| Some(self.home()?.join(".cache")))
    }

    /// `$XDG_DATA_HOME`, else `~/.local/share`.
    pub fn data_home(&self) -> Option<Utf8PathBuf> {
        self.path("XDG_DATA_HOME")
            .or_else(|| Some(self.home()?.join(".local/share")))
    }

    /// The directories of `PATH`.
    pub fn search_path(&self) -> Vec<Utf8PathBuf> {
        self.get("PATH").map_or_else(Vec::new, |path| {
            std::env::split_paths(path)
                .filter_map(|dir| Utf8PathBuf::from_path_buf(dir).ok())
                // An empty entry means the working directory: no place to run programs from.
                .filter(|dir| !dir.as_str().is_empty())
                .collect()
        })
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let owned = variables.into_iter().map(|(k, v)| (k.into(), v.into()));
        Self(owned.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_not_set() {
        let environment: Environment = [("A", ""), ("B", "b"), ("HOME", "/h")]
            .into_iter()
            .collect();
        assert_eq!(environment.get("A"), None);
        assert_eq!(environment.first(&["A", "B"]), Some("b"));
        assert_eq!(environment.config_home(), Some("/h/.config".into()));
        assert_eq!(environment.search_path(), Vec::<Utf8PathBuf>::new());
    }

    #[test]
    fn path_entries_that_mean_here_are_dropped() {
        let environment: Environment = [("PATH", "/usr/bin::/bin")].into_iter().collect();
        assert_eq!(environment.search_path(), ["/usr/bin", "/bin"]);
    }
}
