//! The product that is certified: PRODUCT.yaml of cncf/k8s-conformance, valid.

use std::fmt::Write as _;

use super::error::SubmissionError;
use super::fields::Fields;

/// What kind of product it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProductType {
    /// Software that is installed.
    Distribution,
    /// A service.
    HostedPlatform,
    /// A tool that installs somebody else's distribution.
    Installer,
}

impl ProductType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Distribution, Self::HostedPlatform, Self::Installer];

    /// As it stands in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Distribution => "distribution",
            Self::HostedPlatform => "hosted platform",
            Self::Installer => "installer",
        }
    }

    /// The type of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A product, every field of it valid and not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Who makes it.
    pub vendor: String,
    /// Its name.
    pub name: String,
    /// Its own version, not that of Kubernetes.
    pub version: String,
    /// What kind of product it is.
    pub kind: ProductType,
    /// One sentence.
    pub description: String,
    /// URL.
    pub website_url: String,
    /// URL.
    pub documentation_url: String,
    /// RFC 5322 address.
    pub contact_email_address: String,
    /// URL; needed for open source.
    pub repo_url: Option<String>,
    /// URL of an SVG, AI or EPS file that shows the name.
    pub product_logo_url: Option<String>,
}

impl TryFrom<&Fields> for Product {
    type Error = SubmissionError;

    fn try_from(fields: &Fields) -> Result<Self, SubmissionError> {
        let problems = fields.problems();
        if !problems.is_empty() {
            return Err(SubmissionError::Product { problems });
        }
        let optional = |field| fields.text(field).map(|text| text.trim().to_owned());
        // Every required field was found to be a text.
        let text = |field| optional(field).unwrap_or_default();
        Ok(Self {
            vendor: text("vendor"),
            name: text("name"),
            version: text("version"),
            kind: ProductType::parse(&text("type")).unwrap_or(ProductType::Distribution),
            description: text("description"),
            website_url: text("website_url"),
            documentation_url: text("documentation_url"),
            contact_email_address: text("contact_email_address"),
            repo_url: optional("repo_url"),
            product_logo_url: optional("product_logo_url"),
        })
    }
}

impl Product {
    /// PRODUCT.yaml. Every value is quoted, so that no version becomes a number.
    pub fn to_yaml(&self) -> String {
        let rows = [
            ("vendor", Some(self.vendor.as_str())),
            ("name", Some(&self.name)),
            ("version", Some(&self.version)),
            ("type", Some(self.kind.as_str())),
            ("description", Some(&self.description)),
            ("website_url", Some(&self.website_url)),
            ("repo_url", self.repo_url.as_deref()),
            ("documentation_url", Some(&self.documentation_url)),
            ("product_logo_url", self.product_logo_url.as_deref()),
            ("contact_email_address", Some(&self.contact_email_address)),
        ];
        let mut yaml = String::new();
        for (field, value) in rows {
            if let Some(value) = value {
                // A JSON string is a double-quoted YAML scalar (YAML 1.2, section 1.3).
                let _ = writeln!(yaml, "{field}: {}", serde_json::Value::from(value));
            }
        }
        yaml
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submission::testing::PRODUCT;
    use proptest::prelude::*;

    #[test]
    fn fields_become_a_product_and_a_file() {
        let fields = Fields::parse("PRODUCT.yaml", PRODUCT).expect("well-formed");
        let product = Product::try_from(&fields).expect("valid");
        assert_eq!(product.kind, ProductType::Distribution);
        assert!(product.to_yaml().contains("version: \"1.30\"\n"));
        let again = Fields::parse("PRODUCT.yaml", &product.to_yaml()).expect("well-formed");
        assert_eq!(Product::try_from(&again).expect("valid"), product);
    }

    proptest! {
        #[test]
        fn any_text_survives_the_file(text in "\\PC{1,30}") {
            prop_assume!(!text.trim().is_empty());
            let mut fields = Fields::parse("PRODUCT.yaml", PRODUCT).expect("well-formed");
            fields.set("description", text.trim());
            let product = Product::try_from(&fields).expect("valid");
            let again = Fields::parse("PRODUCT.yaml", &product.to_yaml()).expect("well-formed");
            prop_assert_eq!(Product::try_from(&again).expect("valid"), product);
        }
    }
}
