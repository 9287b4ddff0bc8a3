//! The product of a submission: a file, and flags that win over it.

use std::fs;

use super::SettingsError;
use crate::cli::ProductArgs;
use crate::submission::{Fields, Product};

/// The product, valid, and what is odd about its file.
pub(super) fn product(args: &ProductArgs) -> Result<(Product, Vec<String>), SettingsError> {
    let mut fields = match &args.from {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
                flag: "--from",
                path: path.clone(),
                source,
            })?;
            Fields::parse(path.as_str(), &text)?
        }
        None => Fields::default(),
    };
    for (field, value) in given(args) {
        fields.set(field, value);
    }
    let file = args.from.as_ref().map_or("", |path| path.as_str());
    let warnings = fields.warnings();
    let warnings = warnings.iter().map(|warning| format!("{file}: {warning}"));
    Ok((Product::try_from(&fields)?, warnings.collect()))
}

/// The flags that were given, by the names of their fields.
fn given(args: &ProductArgs) -> impl Iterator<Item = (&'static str, &str)> {
    let ProductArgs {
        from: _,
        vendor,
        name,
        product_version,
        kind,
        description,
        website_url,
        documentation_url,
        contact_email_address,
        repo_url,
        product_logo_url,
    } = args;
    let fields = [
        ("vendor", vendor),
        ("name", name),
        ("version", product_version),
        ("type", kind),
        ("description", description),
        ("website_url", website_url),
        ("documentation_url", documentation_url),
        ("contact_email_address", contact_email_address),
        ("repo_url", repo_url),
        ("product_logo_url", product_logo_url),
    ];
    let given = fields.into_iter();
    given.filter_map(|(field, value)| Some((field, value.as_deref()?)))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        product: ProductArgs,
    }

    fn resolve(flags: &[&str]) -> Result<(Product, Vec<String>), SettingsError> {
        let line = ["airbuoy"].iter().chain(flags);
        product(&Line::try_parse_from(line).expect("flags").product)
    }

    #[test]
    fn flags_alone_describe_a_product() {
        let (product, warnings) = resolve(&[
            "--vendor=Example",
            "--name=Turbo",
            "--product-version=1.30",
            "--type=hosted platform",
            "--description=One.",
            "--website-url=https://example.com",
            "--documentation-url=https://example.com/docs",
            "--contact-email-address=sales@example.com",
        ])
        .expect("a product");
        assert_eq!(product.version, "1.30");
        assert_eq!(product.kind.as_str(), "hosted platform");
        assert_eq!((product.repo_url, warnings.len()), (None, 0));
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "vendor: Example\nname: Turbo\nversion: 1.30\ntype: installer\ndescription: One.\n\
                    website_url: https://example.com\ndocumentation_url: https://example.com/docs\n\
                    contact_email_address: sales@example.com\ncolour: red\n";
        fs::write(file.path(), text).expect("written");
        let from = format!("--from={}", file.path().display());
        let error = resolve(&[&from]).expect_err("a number");
        assert!(error.to_string().contains("the number 1.3"), "{error}");
        assert!(!error.is_local() && error.hint().is_some());
        let (product, warnings) = resolve(&[&from, "--product-version=1.30"]).expect("a product");
        assert_eq!(product.version, "1.30");
        assert!(warnings[0].ends_with(": `colour` is no field of PRODUCT.yaml"));
    }

    #[test]
    fn without_anything_every_field_is_asked_for() {
        let said = resolve(&[]).expect_err("no product").to_string();
        assert!(said.contains("vendor is missing") && said.contains("contact_email_address"));
    }
}
