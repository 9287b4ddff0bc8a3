//! The access log of a Distribution registry (Apache's combined format) as values.

/// One request that a registry answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) target: String,
    pub(crate) status: u16,
}

impl Access {
    /// The path without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The digest that an upload ends with, when this is the end of an upload that went well.
    pub(crate) fn uploaded(&self) -> Option<String> {
        let is_upload = self.method == "PUT" && self.path().contains("/blobs/uploads/");
        if !is_upload || self.status != 201 {
            return None;
        }
        let query = self.target.split_once('?')?.1;
        let digest = query.split('&').find_map(|p| p.strip_prefix("digest="))?;
        Some(digest.replace("%3A", ":").replace("%3a", ":"))
    }

    /// Whether it asks about or for a manifest.
    pub(crate) fn is_manifest(&self) -> bool {
        self.path().contains("/manifests/")
    }
}

/// Reads the request lines out of a registry's output; its other lines begin with `time=`.
pub(crate) fn parse(log: &str) -> Vec<Access> {
    log.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Access> {
    if line.starts_with("time=") {
        return None;
    }
    let (_, rest) = line.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut words = request.split(' ');
    Some(Access {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        status: rest.split(' ').next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_other_lines_are_not() {
        let log = "\
time=\"2026-11-24T13:26:57Z\" level=error msg=\"x\" http.request.method=HEAD vars.name=a/b\n\
127.0.0.1 - - [24/Nov/2026:13:26:57 +0000] \"HEAD /v2/a/b/manifests/x HTTP/1.1\" 404 95 \"\" \"curl/7.88.1\"\n\
127.0.0.1 - ci [24/Nov/2026:13:26:57 +0000] \"PUT /v2/a/blobs/uploads/1?_state=x&digest=sha256%3Aab HTTP/1.1\" 201 0 \"\" \"-\"\n";
        let read = parse(log);
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].method.as_str(), read[0].path(), read[0].status),
            ("HEAD", "/v2/a/b/manifests/x", 404)
        );
        assert!(read[0].is_manifest());
        assert_eq!(read[0].uploaded(), None);
        assert_eq!(read[1].uploaded().as_deref(), Some("sha256:ab"));
    }
}
