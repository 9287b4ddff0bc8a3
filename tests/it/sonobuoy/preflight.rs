//! What is found out before a run, from a real answer of an API server.

use airbuoy::catalog::Catalog;
use airbuoy::sonobuoy::Mode;
use airbuoy::sonobuoy::preflight::{
    ClusterFacts, CredentialFacts, Grade, ImageFacts, PreflightFacts, Window, judge,
    linux_platforms,
};

use super::Bench;

#[tokio::test]
async fn the_preflight_reads_a_real_answer() {
    let bench = Bench::new();
    bench.fake.state().denied = vec!["create clusterroles"];
    let cluster = bench.cluster().await;
    let told = ClusterFacts::gather(&cluster, "sonobuoy", None).await;
    let platforms = linux_platforms(told.nodes.as_ref().expect("nodes"));
    let catalog = Catalog::embedded();
    let facts = PreflightFacts {
        mode: Mode::CertifiedConformance,
        namespace: "sonobuoy".to_owned(),
        sonobuoy: Ok(bench.program().await.release().clone()),
        cluster: Ok(told),
        given: None,
        window: Window::of(&catalog),
        images: ImageFacts::Checked {
            total: 44,
            platforms,
            missing: Vec::new(),
        },
        credentials: CredentialFacts::default(),
        dns_is_settled: false,
    };
    let found = judge(&facts);
    let bad: Vec<&str> = found
        .iter()
        .filter(|f| f.grade != Grade::Ok)
        .map(|f| f.text.as_str())
        .collect();
    assert_eq!(bad, ["you may not: create clusterroles"]);
    assert!(found.iter().any(|f| {
        f.text
            .ends_with("2 of 2 nodes ready (1 linux/amd64, 1 linux/arm64)")
    }));
    assert!(
        found
            .iter()
            .any(|f| f.text == "44 images present for linux/amd64, linux/arm64")
    );
}
