//! Which of the expected things an answer names.
//!
//! An answer is searched for all names of a vocabulary. With the expected keywords that it names
//! (hits), those it names although nobody expects them (false alarms) and those it does not name
//! (misses), precision is `hits / (hits + false alarms)`, recall `hits / (hits + misses)`, and F1
//! their harmonic mean, `2·hits / (2·hits + false alarms + misses)`. What is not in the vocabulary
//! counts for nothing.

mod score;
mod vocabulary;

pub use score::KeywordScore;
pub use vocabulary::{Keyword, KeywordVocabulary};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::evaluate::MetricError;

    fn vocabulary() -> KeywordVocabulary {
        KeywordVocabulary::new(vec![
            Keyword::new("cat", ["cats", "Katze", "猫", "ねこ", "gato"]),
            Keyword::new("dog", ["dogs", "Hund", "狗", "犬"]),
            Keyword::new("hot dog", ["热狗"]),
            Keyword::new("horse", ["Pferd", "马", "farasi"]),
            Keyword::new("zebra", ["斑马"]),
            Keyword::new("bank", ["Bank"]),
            Keyword::new("bench", ["Bank", "长椅"]),
            Keyword::new("café", ["قهوة"]),
        ])
        .unwrap()
    }

    #[test]
    fn names_are_whole_words_and_the_longest_one_counts() {
        let vocabulary = vocabulary();
        let cases: [(&str, &[&str]); 10] = [
            ("A CAT, and two dogs.", &["cat", "dog"]),
            ("a caterpillar eats a hot  dog", &["hot dog"]),
            ("Die Katze-Hund-Figur", &["cat", "dog"]),
            ("一只斑马和一只猫", &["cat", "zebra"]),
            ("我有cat吗", &["cat"]),
            ("これはねこと犬です", &["cat", "dog"]),
            ("ｃａｔ", &["cat"]),
            ("in the cafe\u{301}s", &[]),
            ("قهوة.", &["café"]),
            ("", &[]),
        ];
        for (answer, named) in cases {
            assert_eq!(vocabulary.named(answer), named, "{answer}");
        }
    }

    #[test]
    fn a_shared_name_counts_for_what_is_expected() {
        let vocabulary = vocabulary();
        let score = |answer, expected: &[&str]| vocabulary.score(answer, expected).unwrap();
        let counts = |hits, false_alarms, misses| KeywordScore {
            hits,
            false_alarms,
            misses,
        };
        assert_eq!(score("Eine Bank", &["bench"]), counts(1, 0, 0));
        assert_eq!(score("Eine Bank", &["bank", "bench"]), counts(2, 0, 0));
        assert_eq!(score("Eine Bank", &["dog"]), counts(0, 1, 1));
        assert_eq!(
            score("cat cat dog", &["cat", "cat", "zebra"]),
            counts(1, 1, 1)
        );
    }

    #[test]
    fn scores_of_answers_add_up() {
        let mut sum = KeywordScore::default();
        assert_eq!(
            (sum.precision(), sum.recall(), sum.f1()),
            (None, None, None)
        );
        let vocabulary = vocabulary();
        sum += vocabulary.score("a cat", &["cat", "dog"]).unwrap();
        sum += vocabulary.score("a horse and a dog", &["dog"]).unwrap();
        assert_eq!(sum.precision(), Some(2.0 / 3.0));
        assert_eq!(sum.recall(), Some(2.0 / 3.0));
        assert_eq!(sum.f1(), Some(4.0 / 6.0));
        let text = "keywords F1 66.7 % (precision 66.7 %, recall 66.7 %)";
        assert_eq!(sum.to_string(), text);
    }

    #[test]
    fn what_cannot_be_looked_for_is_refused() {
        let error = vocabulary().score("a cat", &["hores"]).unwrap_err();
        assert!(
            error.to_string().contains("did you mean `horse`"),
            "{error}"
        );
        let empty = KeywordVocabulary::new(vec![Keyword::new("cat", ["!"])]);
        assert!(matches!(
            empty,
            Err(MetricError::EmptyKeyword { index: 0, .. })
        ));
        let twice = vec![Keyword::new("cat", [""; 0]), Keyword::new("cat", [""; 0])];
        let twice = KeywordVocabulary::new(twice);
        assert!(matches!(twice, Err(MetricError::DuplicateKeyword { .. })));
    }
}
