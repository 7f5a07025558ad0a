//! Why a metric has no value.

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// There is nothing to average over.
    #[error("there are no examples: a metric needs at least one")]
    NoExamples,

    /// An example has nothing that its candidate could be compared with.
    #[error("example {index} has no reference: each needs at least one")]
    NoReference {
        /// The number of the example, counted from 0.
        index: usize,
    },

    /// A question without people's answers.
    #[error("the question has no answers of people to compare with")]
    NoHumanAnswers,

    /// A keyword is not in the vocabulary.
    #[error("`{name}` is not a keyword of the vocabulary{}", nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownKeyword {
        /// The name that was given.
        name: String,
        /// The keyword with the nearest name.
        nearest: Option<String>,
    },

    /// A keyword has neither letters nor digits.
    #[error("keyword {index} has the name `{name}`, in which nothing can be looked for")]
    EmptyKeyword {
        /// The number of the keyword, counted from 0.
        index: usize,
        /// The name or synonym.
        name: String,
    },

    /// Two keywords have one name.
    #[error(
        "two keywords have the name `{name}`; give one of them another, as a synonym it may stay"
    )]
    DuplicateKeyword {
        /// The name.
        name: String,
    },

    /// A language that the detector does not know.
    #[error("the detector does not know the language `{code}`; it knows {known}")]
    UnknownLanguage {
        /// The code that was given.
        code: String,
        /// The codes it knows.
        known: String,
    },

    /// Too few languages to choose from.
    #[error("a detector chooses between languages: give it at least 2, not {found}")]
    FewLanguages {
        /// How many different ones were given.
        found: usize,
    },
}
