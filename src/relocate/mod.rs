//! relocate
