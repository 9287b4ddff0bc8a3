//! Lists in pages: `n`, `last` and the `Link` to the next page (distribution-spec, "Listing
//! Tags"), for tags and for the catalogue; referrers share the link.

use super::answer::Refusal;

/// One page of a sorted list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) items: Vec<String>,
    /// Value of the `Link` header, when something follows.
    pub(super) next: Option<String>,
}

/// Cuts the page that `query` asks for out of `all`, which is in ASCII order. `path` is where the
/// list is asked for.
pub(super) fn page(all: Vec<String>, query: &Query, path: &str) -> Result<Page, Refusal> {
    let limit = match query.first("n") {
        None => usize::MAX,
        Some(n) => n.parse().map_err(|_| {
            Refusal::bad(
                "PAGINATION_NUMBER_INVALID",
                "`n` is not a number of entries",
            )
        })?,
    };
    let mut items = all;
    if let Some(last) = query.first("last") {
        items.drain(..items.partition_point(|item| item.as_str() <= last));
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| {
        let limit = limit.to_string();
        link(path, [("n", limit.as_str()), ("last", last.as_str())])
    });
    Ok(Page { items, next })
}

/// The value of a `Link` header to the next page (RFC 5988).
pub(super) fn link<'a>(
    path: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("<{path}?{query}>; rel=\"next\"")
}

/// The decoded parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The first value of that name; unknown names are ignored.
    pub(super) fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every value of that name, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.iter().filter(move |(key, _)| key == name);
        pairs.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(all: &[String], query: &str) -> Page {
        let query = Query::parse(Some(query));
        page(all.to_vec(), &query, "/v2/a/tags/list").expect("a page")
    }

    #[test]
    fn nothing_asked_for_is_an_empty_page_without_a_link() {
        let all = ["a", "b"].map(str::to_owned);
        let none = cut(&all, "n=0");
        assert!(none.items.is_empty() && none.next.is_none());
        assert_eq!(cut(&all, "").items, all);
        assert_eq!(cut(&all, "n=2&ns=docker.io").next, None);
        for bad in ["n=-1", "n=x", "n="] {
            let query = Query::parse(Some(bad));
            assert!(page(all.to_vec(), &query, "/").is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn following_the_links_gives_everything_once(
            tags in prop::collection::btree_set("[a-zA-Z0-9_.+-]{1,4}", 0..20),
            n in 1..6usize,
        ) {
            let all: Vec<String> = tags.into_iter().collect();
            let mut seen = Vec::new();
            let mut query = format!("n={n}");
            for _ in 0..=all.len() {
                let page = cut(&all, &query);
                prop_assert!(page.items.len() <= n);
                seen.extend(page.items);
                let Some(link) = page.next else { break };
                let link = link.strip_prefix("</v2/a/tags/list?").expect("a path");
                query = link.strip_suffix(">; rel=\"next\"").expect("a relation").to_owned();
            }
            prop_assert_eq!(seen, all);
        }
    }
}
