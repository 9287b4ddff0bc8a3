//! Tests of the `airbuoy` program from outside: against real registries, against a scripted faulty
//! one, and of the sources' own rules. One binary, so that it links once.

mod support;

mod layers;
mod support_works;
