//! PRODUCT.yaml as it stands: a map of names to texts, with everything that is wrong about it at
//! once.

use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::{Mapping, Value};

use super::contact::{mail_problem, url_problem};
use super::error::SubmissionError;
use super::product::ProductType;

/// Fields that the bot requires (its scenario 7).
pub(super) const REQUIRED: [&str; 8] = [
    "vendor",
    "name",
    "version",
    "type",
    "description",
    "website_url",
    "documentation_url",
    "contact_email_address",
];

/// Fields that may be there.
pub(super) const OPTIONAL: [&str; 2] = ["repo_url", "product_logo_url"];

/// URL fields, in the order of the bot's scenario 8.
pub(super) const URLS: [&str; 4] = [
    "website_url",
    "repo_url",
    "documentation_url",
    "product_logo_url",
];

/// Where the address stands.
pub(super) const MAIL: &str = "contact_email_address";

/// What was said about a product, before it is judged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    values: BTreeMap<String, Value>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub trouble: Trouble,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Not there.
    Missing,
    /// There, with nothing in it. The bot lets an empty text pass; people do not.
    Empty,
    /// A number, a truth value, a list or a map: as it is read, with the word for its kind.
    NotText(String),
    /// No URL.
    Url(String),
    /// No mail address.
    Mail(&'static str),
    /// None of the three types.
    Type(String),
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.trouble {
            Trouble::Missing => write!(f, "{field} is missing"),
            Trouble::Empty => write!(f, "{field} is empty"),
            Trouble::NotText(read) => write!(
                f,
                "{field} is read as {read}: write it in quotes, since YAML takes 1.30 for the number 1.3"
            ),
            Trouble::Url(why) => write!(f, "{field} is not a URL: {why}"),
            Trouble::Mail(why) => write!(f, "{field} is not a mail address (RFC 5322): {why}"),
            Trouble::Type(found) => write!(
                f,
                "{field} is `{found}`; it is one of {}",
                ProductType::ALL.map(ProductType::as_str).join(", ")
            ),
        }
    }
}

impl Fields {
    /// Reads YAML. `file` is named in the error.
    pub fn parse(file: &str, text: &str) -> Result<Self, SubmissionError> {
        let malformed = |message: String| SubmissionError::ProductFile {
            file: file.to_owned(),
            message,
        };
        // A mapping refuses a field that is there twice, where a map would take the last one.
        let mapping: Mapping = serde_yaml::from_str(text).map_err(|e| malformed(e.to_string()))?;
        let mut values = BTreeMap::new();
        for (name, value) in mapping {
            let Value::String(name) = name else {
                return Err(malformed(format!("{name:?} is no name of a field")));
            };
            values.insert(name, value);
        }
        Ok(Self { values })
    }

    /// Says a field, or says it otherwise.
    pub fn set(&mut self, field: &str, value: impl Into<String>) {
        self.values
            .insert(field.to_owned(), Value::String(value.into()));
    }

    /// A field's text, when it is one.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.values.get(field)?.as_str()
    }

    /// One sentence for each field that no submission has.
    pub fn warnings(&self) -> Vec<String> {
        let known = |name: &&String| !REQUIRED.iter().chain(&OPTIONAL).any(|k| k == name);
        let unknown = self.values.keys().filter(known);
        unknown
            .map(|name| format!("`{}` is no field of PRODUCT.yaml", name.escape_debug()))
            .collect()
    }

    /// Everything that is wrong, in the order of the fields.
    pub fn problems(&self) -> Vec<FieldProblem> {
        let problem = |field: &str| {
            let trouble = self.trouble(field)?;
            let field = field.to_owned();
            Some(FieldProblem { field, trouble })
        };
        let all = REQUIRED.into_iter().chain(OPTIONAL);
        all.filter_map(problem).collect()
    }

    fn trouble(&self, field: &str) -> Option<Trouble> {
        let text = match self.values.get(field) {
            None if OPTIONAL.contains(&field) => return None,
            None => return Some(Trouble::Missing),
            Some(Value::Null) => return Some(Trouble::Empty),
            Some(Value::String(text)) if text.trim().is_empty() => return Some(Trouble::Empty),
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => {
                return Some(Trouble::NotText(format!("the number {number}")));
            }
            Some(Value::Bool(value)) => return Some(Trouble::NotText(format!("the word {value}"))),
            Some(Value::Sequence(_)) => return Some(Trouble::NotText("a list".into())),
            Some(_) => return Some(Trouble::NotText("a map".into())),
        };
        if URLS.contains(&field) {
            url_problem(text).map(Trouble::Url)
        } else if field == MAIL {
            mail_problem(text).map(Trouble::Mail)
        } else if field == "type" && ProductType::parse(text).is_none() {
            Some(Trouble::Type(text.clone()))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submission::testing::PRODUCT;

    #[test]
    fn a_whole_product_has_no_problem() {
        let fields = Fields::parse("PRODUCT.yaml", PRODUCT).expect("well-formed");
        assert_eq!(fields.problems(), []);
        assert_eq!(fields.warnings(), Vec::<String>::new());
    }

    #[test]
    fn a_number_for_a_version_is_refused_with_the_reason() {
        let text = PRODUCT.replace("version: \"1.30\"", "version: 1.30");
        let fields = Fields::parse("PRODUCT.yaml", &text).expect("well-formed");
        let [problem] = &fields.problems()[..] else {
            panic!("one problem: {:?}", fields.problems())
        };
        let said = problem.to_string();
        assert!(
            said.starts_with("version is read as the number 1.3: write it in quotes"),
            "{said}"
        );
    }

    #[test]
    fn all_problems_come_at_once() {
        let text = "name: ''\nversion: [1]\ntype: platform\nwebsite_url: example.com\n\
                    documentation_url:\ncontact_email_address: nobody\nproduct_logo_url: ''\ncolour: red\n";
        let fields = Fields::parse("PRODUCT.yaml", text).expect("well-formed");
        let said: Vec<String> = fields.problems().iter().map(ToString::to_string).collect();
        let begin = [
            "vendor is missing",
            "name is empty",
            "version is read as a list",
            "type is `platform`; it is one of distribution, hosted platform, installer",
            "description is missing",
            "website_url is not a URL",
            "documentation_url is empty",
            "contact_email_address is not a mail address",
            "product_logo_url is empty",
        ];
        assert_eq!(said.len(), begin.len(), "{said:?}");
        for (said, begin) in said.iter().zip(begin) {
            assert!(said.starts_with(begin), "{said}");
        }
        assert!(fields.warnings()[0].contains("`colour`"));
    }

    #[test]
    fn what_is_no_map_is_an_error() {
        for text in ["- a", "just words", "a: b: c", "1: a", "name: a\nname: b\n"] {
            assert!(Fields::parse("PRODUCT.yaml", text).is_err(), "{text}");
        }
    }
}
