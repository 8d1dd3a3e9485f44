//! Closed enums of errors, each with a label for metrics and audit lines, and a page for people.

/// An enum without data. What is written beside a variant is in order: what it means, its label, what to do about it.
macro_rules! labelled {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[doc = $meaning:literal])+ $variant:ident = $label:literal, $remedy:literal;)+
        }
    ) => {
        $(#[$attribute])*
        pub enum $name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $name {
            /// Every variant, in order.
            pub const ALL: [Self; [$($label),+].len()] = [$(Self::$variant),+];

            /// The label of metrics and audit lines.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }

            /// What it means, and what to do about it.
            #[cfg(not(target_arch = "wasm32"))]
            #[must_use]
            pub const fn explanation(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$variant => (concat!($($meaning),+), $remedy),)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

pub(crate) use labelled;
