//! What the user should know before the work begins.

use crate::relocate::Relocation;
use crate::settings::Release;
use crate::ui::Printer;

/// How the lists were found, what the names leave out, and what the registry may refuse.
pub(super) fn say_about(printer: &Printer, release: &Release, relocation: &Relocation) {
    for notice in release.notices() {
        printer.say(notice);
    }
    for notice in relocation.notices() {
        printer.say(notice);
    }
    for warning in relocation.warnings() {
        printer.warn(&warning);
    }
}
