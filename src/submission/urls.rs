//! The bot's scenario 9, the only check of the files that needs the internet.

use std::time::Duration;

use super::fields::Fields;
use super::folder::Folder;
use super::product::Product;
use super::report::Check;

pub(super) const NAME: &str =
    "the URL fields in the PRODUCT.yaml resolve to their specified data types";

/// How long an answer may take. The bot counts no answer as no check.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks each URL by HEAD for its content type, which must be HTML, as the bot does. A server that
/// does not answer fails the check here, unlike there: from here somebody is looking. `client` decides
/// about proxies and certificates.
pub async fn check_urls(client: &reqwest::Client, product: &Product) -> Check {
    let fields = [
        ("website_url", Some(&product.website_url)),
        ("repo_url", product.repo_url.as_ref()),
        ("documentation_url", Some(&product.documentation_url)),
    ];
    let asked = fields.into_iter().filter_map(|(field, url)| {
        let url = url?;
        Some(async move {
            let trouble = trouble(client, url).await?;
            Some(format!("{field} {url}: {trouble}"))
        })
    });
    let troubles = futures_util::future::join_all(asked).await;
    Check::of(Some(9), NAME, troubles.into_iter().flatten().collect())
}

async fn trouble(client: &reqwest::Client, url: &str) -> Option<String> {
    let answer = match client.head(url).timeout(PATIENCE).send().await {
        Ok(answer) => answer,
        Err(error) => return Some(format!("no answer: {}", innermost(&error))),
    };
    let status = answer.status();
    if !status.is_success() {
        return Some(format!("the answer is {status}"));
    }
    let kind = answer.headers().get(reqwest::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    (!kind.contains("text/html")).then(|| format!("the content type is `{kind}`, not text/html"))
}

/// The cause that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl Fields {
    /// The valid product in the fields, if it is one.
    pub fn product(&self) -> Option<Product> {
        Product::try_from(self).ok()
    }
}

impl Folder {
    /// The valid product that PRODUCT.yaml describes, if it does; for [`check_urls`].
    pub fn product(&self) -> Option<Product> {
        let text = String::from_utf8_lossy(self.file("PRODUCT.yaml")?);
        Fields::parse("PRODUCT.yaml", &text).ok()?.product()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::header::CONTENT_TYPE;
    use axum::routing::get;

    use super::*;
    use crate::submission::CheckOutcome;
    use crate::submission::testing::PRODUCT;

    async fn site() -> String {
        let page = |kind: &'static str| get(move || async move { ([(CONTENT_TYPE, kind)], "x") });
        let app = Router::new()
            .route("/", page("text/html; charset=utf-8"))
            .route("/docs", page("text/html"))
            .route("/docs.pdf", page("application/pdf"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    fn product(website: &str, docs: &str) -> Product {
        let mut fields = Fields::parse("PRODUCT.yaml", PRODUCT).expect("well-formed");
        fields.set("website_url", website);
        fields.set("documentation_url", docs);
        fields.product().expect("valid")
    }

    #[tokio::test]
    async fn pages_are_told_from_other_things() {
        // Whichever test comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let site = site().await;
        let good = product(&site, &format!("{site}/docs"));
        let check = check_urls(&client, &good).await;
        assert_eq!((check.outcome, check.number), (CheckOutcome::Pass, Some(9)));

        let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = unused.local_addr().expect("an address");
        drop(unused);
        for (docs, word) in [
            (
                format!("{site}/docs.pdf"),
                "the content type is `application/pdf`",
            ),
            (format!("{site}/gone"), "the answer is 404"),
            (format!("http://{address}/"), "no answer: "),
        ] {
            let check = check_urls(&client, &product(&site, &docs)).await;
            assert_eq!(check.outcome, CheckOutcome::Fail);
            let [reason] = &check.details[..] else {
                panic!("one reason: {check:?}")
            };
            assert!(reason.starts_with("documentation_url http://"), "{reason}");
            assert!(reason.contains(word), "{reason}");
        }
    }
}
