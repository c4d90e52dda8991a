//! Closed lists of words: each enum of the formulary with the one word that stands for each of its
//! values in TOML.

/// An enum whose values are written as words.
pub(super) trait Word: Copy + 'static {
    /// What the words name, with its article, for error messages.
    const WHAT: &'static str;
    /// Every value, in the order in which an error message lists them.
    const ALL: &'static [Self];

    /// The word for this value.
    fn text(self) -> &'static str;

    /// The value that this word stands for.
    fn read(word: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|value| value.text() == word).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|value| value.text()).collect();
            format!("`{word}` is not {}; write one of: {}", Self::WHAT, known.join(", "))
        })
    }
}

/// Defines such an enum, its words and its serialised form (the same words).
macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident $what:literal { $($(#[$value_doc:meta])* $value:ident = $word:literal,)+ }
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$value_doc])* #[serde(rename = $word)] $value,)+
        }

        impl $name {
            /// The word that stands for it in a formulary.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl $crate::formulary::word::Word for $name {
            const WHAT: &'static str = $what;
            const ALL: &'static [Self] = &[$(Self::$value,)+];

            fn text(self) -> &'static str {
                self.word()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(super) use words;
