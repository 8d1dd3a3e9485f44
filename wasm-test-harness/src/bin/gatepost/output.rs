//! What is written to standard output and standard error: plain, but on a terminal that has colours.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

/// What is wrong.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What a reviewer should know, and what lets more through than before.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What is as it should be.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Text in a style. [`print`](crate::failure::print) takes the style off again where nobody would see it.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes a failure's message to standard error.
pub fn complain(message: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}: {message}", styled(ERROR, "gatepost"));
}
