//! The submission to the CNCF.
