//! A parsed Kubernetes version.
