//! How a subcommand ends when it does not end well.

use std::io::Write as _;

/// The two ways to fail; the exit code tells them apart.
#[derive(Debug)]
pub enum Failure {
    /// A finding: the thing looked at is invalid, refused or different. What there is to say has been printed.
    Refused,
    /// The same, with something left to say.
    Invalid(String),
    /// Wrong usage, or an input that cannot be read: there is no answer to what was asked.
    Usage(String),
}

impl Failure {
    /// What is left to be told on standard error.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Refused => None,
            Self::Invalid(message) | Self::Usage(message) => Some(message),
        }
    }

    /// clap ends with 2 on wrong usage, and so does everything else of that kind.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused | Self::Invalid(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

/// Writes to standard output; a reader that went away (`gatepost explain ... | head`) is not an error.
pub fn print(text: &str) {
    // Takes colours off where nobody would see them.
    let mut output = anstream::stdout().lock();
    let _ = output.write_all(text.as_bytes());
    let _ = output.flush();
}
