//! Flags that describe the product of a submission: one a field of PRODUCT.yaml.

use camino::Utf8PathBuf;

/// `--from`, and a flag for each field.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Product")]
pub struct ProductArgs {
    /// Read the fields from FILE, written like PRODUCT.yaml; a flag wins over its field.
    #[arg(long, env = "AIRBUOY_FROM", value_name = "FILE", hide_env = true)]
    pub from: Option<Utf8PathBuf>,

    /// Who makes it.
    #[arg(long, env = "AIRBUOY_VENDOR", value_name = "TEXT", hide_env = true)]
    pub vendor: Option<String>,

    /// What it is called.
    #[arg(long, env = "AIRBUOY_NAME", value_name = "TEXT", hide_env = true)]
    pub name: Option<String>,

    /// Its own version, not that of Kubernetes.
    #[arg(
        long,
        env = "AIRBUOY_PRODUCT_VERSION",
        value_name = "TEXT",
        hide_env = true
    )]
    pub product_version: Option<String>,

    /// distribution, hosted platform or installer.
    #[arg(
        long = "type",
        env = "AIRBUOY_TYPE",
        value_name = "TYPE",
        hide_env = true
    )]
    pub kind: Option<String>,

    /// One sentence about it.
    #[arg(
        long,
        env = "AIRBUOY_DESCRIPTION",
        value_name = "TEXT",
        hide_env = true
    )]
    pub description: Option<String>,

    /// Its website.
    #[arg(long, env = "AIRBUOY_WEBSITE_URL", value_name = "URL", hide_env = true)]
    pub website_url: Option<String>,

    /// Its documentation.
    #[arg(
        long,
        env = "AIRBUOY_DOCUMENTATION_URL",
        value_name = "URL",
        hide_env = true
    )]
    pub documentation_url: Option<String>,

    /// Whom to write to.
    #[arg(
        long,
        env = "AIRBUOY_CONTACT_EMAIL_ADDRESS",
        value_name = "ADDRESS",
        hide_env = true
    )]
    pub contact_email_address: Option<String>,

    /// Its sources, when they are open.
    #[arg(long, env = "AIRBUOY_REPO_URL", value_name = "URL", hide_env = true)]
    pub repo_url: Option<String>,

    /// Its logo, an SVG, AI or EPS file that shows the name.
    #[arg(
        long,
        env = "AIRBUOY_PRODUCT_LOGO_URL",
        value_name = "URL",
        hide_env = true
    )]
    pub product_logo_url: Option<String>,
}
