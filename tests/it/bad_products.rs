//! `airbuoy submission` with a product, a folder or a name that cannot be used: word for word.

use crate::support::run::{PRODUCT, Run};
use crate::support::submission::home;
use crate::support::told::assert_told;

#[test]
fn products_that_are_not_described_well() {
    for (name, product, code) in [
        (
            "product_version_a_number",
            PRODUCT.replace("\"1.30\"", "1.30"),
            2,
        ),
        (
            "product_much_wrong",
            "name: ''\ntype: platform\nwebsite_url: example.com\n".into(),
            2,
        ),
        ("product_no_yaml", "vendor: [\n".into(), 2),
    ] {
        let airbuoy = home(&Run::certified(0));
        airbuoy.file("product.yaml", &product);
        let outcome = airbuoy.run("submission results.tar.gz --from product.yaml");
        assert_told(name, &airbuoy, &outcome.exits(code));
        assert!(!airbuoy.home().join("v1.36").exists());
    }
    let airbuoy = home(&Run::certified(0));
    airbuoy.file("product.yaml", &format!("{PRODUCT}colour: red\n"));
    let mut outcome = airbuoy
        .run("submission results.tar.gz --from product.yaml")
        .exits(0);
    outcome.stdout.clear();
    assert_told("product_unknown_field", &airbuoy, &outcome);
    let outcome = airbuoy.run("submission results.tar.gz").exits(2);
    assert_told("product_not_described", &airbuoy, &outcome);
}

#[test]
fn places_that_cannot_be_used() {
    let airbuoy = home(&Run::certified(0));
    let submission = "submission results.tar.gz --from product.yaml";
    airbuoy.file("v1.36/turbo-encabulator/notes.txt", "mine");
    let mut outcome = airbuoy.run(submission).exits(4);
    outcome.stdout.clear();
    assert_told("folder_occupied", &airbuoy, &outcome);
    let outcome = airbuoy
        .run(&format!("{submission} --directory ../up"))
        .exits(2);
    assert_told("folder_name", &airbuoy, &outcome);
    let outcome = airbuoy.run("submission --check product.yaml").exits(2);
    assert_told("check_a_file", &airbuoy, &outcome);
    let outcome = airbuoy.run("submission --check nowhere").exits(2);
    assert_told("check_nothing", &airbuoy, &outcome);
    airbuoy.run("submission").exits(2);
    airbuoy
        .run(&format!("{submission} --check v1.36/turbo-encabulator"))
        .exits(2);
}
