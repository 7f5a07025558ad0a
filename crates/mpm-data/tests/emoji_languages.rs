//! The emoji set's tasks in all the languages that questions are asked in.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "tests fail by panicking, print what the documentation cites, and have no users"
)]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use mpm_data::emoji::{
    Category, EmojiSet, Language, Sample, Split, TASK_LANGUAGES, TaskKind, TaskOptions, Tasks,
};

/// How many samples of each stream the tests look at.
const SAMPLES: u64 = 4000;

fn set() -> &'static EmojiSet {
    static SET: OnceLock<EmojiSet> = OnceLock::new();
    SET.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        EmojiSet::open(folder.join("../../examples/build-emoji-set/emoji.tar.zst")).unwrap()
    })
}

fn tasks(question_languages: &[Language], cross_lingual: bool) -> Tasks<'static> {
    let options = TaskOptions {
        named_in: question_languages.to_vec(),
        question_languages: question_languages.to_vec(),
        description_languages: question_languages.to_vec(),
        cross_lingual,
        ..TaskOptions::default()
    };
    Tasks::new(set(), &options).unwrap()
}

fn texts(sample: &Sample) -> Vec<&str> {
    let description = sample.description.as_deref();
    let texts = [description, Some(&sample.question), Some(&sample.answer)];
    texts.into_iter().flatten().collect()
}

/// The words of a text; runs of characters where words are not separated.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphabetic() && c != '\'' && c != '-')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[test]
fn hundreds_of_things_have_a_name_in_every_language() {
    let naming = set().naming();
    for language in TASK_LANGUAGES {
        println!(
            "{:4} names in {language}",
            naming.named_in(&[language]).count()
        );
    }
    let everywhere: Vec<_> = naming.named_in(&TASK_LANGUAGES).collect();
    println!("{:4} names in every language", everywhere.len());
    assert_eq!(everywhere.len(), 529);
    for language in TASK_LANGUAGES {
        let names: HashSet<_> = everywhere
            .iter()
            .map(|class| class.name(language).unwrap().to_lowercase())
            .collect();
        assert_eq!(names.len(), everywhere.len(), "shared names in {language}");
        for name in names {
            assert!(name.split(' ').count() <= 4, "{name}");
            assert!(!name.contains([':', '：', '(', '（', ',']), "{name}");
        }
    }
    let pictured = everywhere.iter().filter(|class| {
        set().pairs().any(|(concept, style)| {
            class.concepts().contains(&concept)
                && set().split(concept, style).unwrap() == Split::Train
        })
    });
    assert!(pictured.count() > 400);
}

#[test]
fn the_first_names_keep_their_order_when_some_are_left_out() {
    let options = TaskOptions {
        names: 200,
        named_in: TASK_LANGUAGES.to_vec(),
        ..TaskOptions::default()
    };
    let tasks = Tasks::new(set(), &options).unwrap();
    let expected: Vec<_> = set().naming().named_in(&TASK_LANGUAGES).take(200).collect();
    assert_eq!(tasks.classes(), expected);
    for class in tasks.classes() {
        assert!(class.is_named_in(&TASK_LANGUAGES));
    }
}

#[test]
fn streams_in_all_languages_depend_on_seed_and_index_only() {
    for cross_lingual in [true, false] {
        let [first, second] = [(); 2].map(|()| tasks(&TASK_LANGUAGES, cross_lingual));
        let mut seen = HashSet::new();
        for index in (0..400).rev() {
            let sample = first.text(5, index);
            seen.insert(sample.language);
            assert_eq!(sample, second.text(5, index));
            for language in TASK_LANGUAGES {
                assert_eq!(
                    first.caption_in(5, index, language).unwrap(),
                    second.caption_in(5, index, language).unwrap()
                );
                assert_eq!(
                    first.instruction(5, index, language).unwrap(),
                    second.instruction(5, index, language).unwrap()
                );
            }
        }
        assert_eq!(seen.len(), TASK_LANGUAGES.len());
    }
}

#[test]
fn one_index_shows_the_same_picture_in_every_language() {
    let tasks = tasks(&TASK_LANGUAGES, true);
    for index in 0..SAMPLES {
        let caption = tasks.caption(4, index);
        let instruction = tasks.instruction(4, index, Language::English).unwrap();
        for language in TASK_LANGUAGES {
            let samples = [
                (&caption, tasks.caption_in(4, index, language).unwrap()),
                (&instruction, tasks.instruction(4, index, language).unwrap()),
            ];
            for (english, sample) in samples {
                assert_eq!(sample.language, language);
                assert_eq!(sample.picture, english.picture);
                assert_eq!(sample.kind, english.kind);
                assert_eq!(sample.class, english.class);
                if language == Language::English {
                    assert_eq!(&sample, english);
                }
            }
        }
    }
}

#[test]
fn everything_is_asked_in_every_language() {
    let tasks = tasks(&TASK_LANGUAGES, true);
    let mut kinds: HashMap<Language, HashSet<TaskKind>> = HashMap::new();
    for index in 0..25 * SAMPLES {
        let sample = tasks.text(3, index);
        for text in texts(&sample) {
            assert!(!text.trim().is_empty(), "{sample:?}");
            assert!(!text.contains(['{', '}']), "{sample:?}");
        }
        kinds
            .entry(sample.language)
            .or_default()
            .insert(sample.kind);
    }
    assert_eq!(kinds.len(), TASK_LANGUAGES.len());
    for (language, kinds) in kinds {
        assert_eq!(kinds.len(), 12, "{language}: {kinds:?}");
    }
}

#[test]
fn words_are_translated_between_all_languages() {
    let tasks = tasks(&TASK_LANGUAGES, true);
    let mut pairs = HashSet::new();
    for index in 0..10 * SAMPLES {
        let sample = tasks.text(6, index);
        if sample.kind != TaskKind::Translation {
            continue;
        }
        let named = |language, text: &str| {
            let mut classes = tasks.classes().iter();
            classes.any(|class| text.contains(class.name(language).unwrap()))
        };
        let to = TASK_LANGUAGES.into_iter().filter(|&to| {
            tasks
                .classes()
                .iter()
                .any(|class| class.name(to) == Some(&sample.answer))
        });
        for to in to {
            for from in TASK_LANGUAGES {
                if from != to && named(from, &sample.question) {
                    pairs.insert((from, to));
                }
            }
        }
    }
    assert_eq!(pairs.len(), 90);
}

#[test]
fn some_answers_are_in_another_language_than_the_question() {
    let options = TaskOptions {
        named_in: TASK_LANGUAGES.to_vec(),
        question_languages: TASK_LANGUAGES.to_vec(),
        description_languages: TASK_LANGUAGES.to_vec(),
        code_switching: 0.4,
        ..TaskOptions::default()
    };
    let switching = Tasks::new(set(), &options).unwrap();
    let apart = TaskOptions {
        cross_lingual: false,
        ..options
    };
    let apart = Tasks::new(set(), &apart).unwrap();
    let plain = tasks(&TASK_LANGUAGES, true);
    let is_named = |tasks: &Tasks<'_>, sample: &Sample| {
        sample.kind == TaskKind::Naming
            && tasks.name(sample.class.unwrap(), sample.language) != sample.answer
    };
    let (mut named, mut switched) = (0, 0);
    for index in 0..SAMPLES {
        let (sample, before) = (switching.text(3, index), plain.text(3, index));
        assert_eq!(
            (&sample.question, &sample.description),
            (&before.question, &before.description),
            "only the answer may change"
        );
        if sample.kind == TaskKind::Naming {
            named += 1;
            if is_named(&switching, &sample) {
                switched += 1;
                let class = sample.class.unwrap();
                let mut names = TASK_LANGUAGES.iter().map(|&of| switching.name(class, of));
                assert!(names.any(|name| name == sample.answer), "{sample:?}");
            }
        }
        assert!(!is_named(&plain, &before));
        assert!(!is_named(&apart, &apart.text(3, index)));
    }
    let share = f64::from(switched) / f64::from(named);
    // Some names are the same in two languages.
    assert!((0.3..0.42).contains(&share), "{share}");
}

#[test]
fn things_can_be_renamed_in_one_language() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join("../../examples/build-emoji-set/emoji.tar.zst");
    let mut renamed = EmojiSet::open(file).unwrap();
    let names = HashMap::from([("dog".to_owned(), "wuffwuff".to_owned())]);
    renamed.rename(Language::German, &names);
    let languages = [Language::English, Language::German, Language::French];
    let options = TaskOptions {
        named_in: languages.to_vec(),
        question_languages: languages.to_vec(),
        ..TaskOptions::default()
    };
    let tasks = Tasks::new(&renamed, &options).unwrap();
    let original = Tasks::new(set(), &options).unwrap();
    assert_eq!(tasks.classes().len(), original.classes().len());
    for class in 0..tasks.classes().len() {
        for language in languages {
            let is_dog = original.name(class, Language::English) == "dog";
            let expected = match is_dog && language == Language::German {
                true => "wuffwuff",
                false => original.name(class, language),
            };
            assert_eq!(tasks.name(class, language), expected);
        }
    }
    let captions = (0..SAMPLES).map(|index| tasks.caption_in(1, index, Language::German).unwrap());
    let (mut dogs, mut keywords) = (0, 0);
    for caption in captions {
        let Some(class) = caption.class else { continue };
        dogs += usize::from(caption.answer.contains("wuffwuff"));
        let english = original.name(class, Language::English);
        keywords += usize::from(english != "dog" && caption.answer.contains(", "));
        assert!(english != "dog" || caption.answer.contains("wuffwuff"));
    }
    assert!(dogs > 0 && keywords == 0, "{dogs} {keywords}");
}

#[test]
fn captions_of_training_are_among_those_of_evaluation() {
    let tasks = tasks(&TASK_LANGUAGES, true);
    for language in TASK_LANGUAGES {
        let question = tasks.caption_question(language).unwrap();
        let captions = (0..SAMPLES).map(|index| tasks.caption_in(4, index, language).unwrap());
        let mut asked = 0;
        for sample in captions.filter(|sample| sample.question == question) {
            let Some(class) = sample.class else { continue };
            let captions = tasks.captions(class, language).unwrap();
            assert!(captions.contains(&sample.answer), "{sample:?} {captions:?}");
            asked += 1;
        }
        assert!(asked > 100, "{language}: {asked}");
    }
}

#[test]
fn things_are_asked_about_in_languages_that_name_them() {
    let languages = [Language::English, Language::Swahili];
    let options = TaskOptions {
        question_languages: languages.to_vec(),
        code_switching: 0.3,
        ..TaskOptions::default()
    };
    let tasks = Tasks::new(set(), &options).unwrap();
    assert_eq!(tasks.classes().len(), set().naming().classes().len());
    let named = |class: usize| tasks.classes()[class].name(Language::Swahili).is_some();
    let count = (0..tasks.classes().len()).filter(|&class| named(class));
    let count = count.count();
    assert!(count > 500 && count < tasks.classes().len());

    let english: HashSet<_> = tasks
        .classes()
        .iter()
        .filter(|class| class.name(Language::Swahili).is_none())
        .map(|class| class.name(Language::English).unwrap())
        .collect();
    let (mut asked, mut unnamed) = (0, 0);
    for index in 0..5 * SAMPLES {
        let samples = [
            tasks.text(6, index),
            tasks.caption_in(6, index, Language::Swahili).unwrap(),
            tasks.instruction(6, index, Language::Swahili).unwrap(),
        ];
        for sample in samples {
            asked += 1;
            let class = sample.class.filter(|&class| !named(class));
            if class.is_some() {
                unnamed += 1;
                assert_eq!(sample.language, Language::English, "{sample:?}");
            }
            if sample.language == Language::Swahili {
                assert!(!english.contains(sample.answer.as_str()), "{sample:?}");
            }
        }
    }
    assert!(unnamed > asked / 20, "{unnamed} of {asked}");
}

#[test]
fn evaluation_leaves_out_what_has_no_name() {
    let tasks = Tasks::new(set(), &TaskOptions::default()).unwrap();
    for language in TASK_LANGUAGES {
        let questions = tasks.naming_questions(Split::Train, language).unwrap();
        let classes: BTreeSet<_> = questions.iter().map(|question| question.class).collect();
        for &class in &classes {
            assert!(tasks.classes()[class].name(language).is_some());
        }
        for question in &questions {
            assert!(question.accepted.contains(&question.answer));
        }
        assert!(classes.len() > 400, "{} in {language}", classes.len());
    }
}

#[test]
fn apart_means_that_nothing_is_translated() {
    let tasks = tasks(&TASK_LANGUAGES, false);
    let mut kinds = HashSet::new();
    for index in 0..SAMPLES {
        let sample = tasks.text(3, index);
        assert!(sample.description.is_some(), "{sample:?}");
        kinds.insert(sample.kind);
    }
    assert_eq!(kinds.len(), 11);
    assert!(!kinds.contains(&TaskKind::Translation));
}

#[test]
fn apart_means_one_script() {
    let languages = TASK_LANGUAGES;
    let tasks = tasks(&languages, false);
    let of = |text: &str, from, to| text.chars().any(|c| (from..=to).contains(&c));
    for index in 0..5 * SAMPLES {
        let sample = tasks.text(8, index);
        // These are called T-shirt and T-Rex in Japanese, too.
        let mut borrowed = tasks
            .classes()
            .iter()
            .filter_map(|class| class.name(sample.language));
        let borrowed = !sample.language.is_latin()
            && borrowed.any(|name| {
                of(&name.to_lowercase(), 'a', 'z') && texts(&sample).join(" ").contains(name)
            });
        for text in texts(&sample) {
            let found = (
                of(&text.to_lowercase(), 'a', 'z'),
                of(text, '\u{3040}', '\u{30ff}'),
                of(text, '\u{4e00}', '\u{9fff}'),
                of(text, '\u{600}', '\u{6ff}'),
            );
            let allowed = match sample.language {
                Language::Japanese => (borrowed, true, true, false),
                Language::Chinese => (borrowed, false, true, false),
                Language::Arabic => (borrowed, false, false, true),
                _ => (true, false, false, false),
            };
            let fits = [
                (found.0, allowed.0),
                (found.1, allowed.1),
                (found.2, allowed.2),
                (found.3, allowed.3),
            ];
            assert!(
                fits.iter().all(|&(found, allowed)| allowed || !found),
                "{sample:?}"
            );
        }
    }
}

#[test]
fn apart_means_no_name_of_another_language() {
    let all = tasks(&TASK_LANGUAGES, false);
    // What a language says when it is alone is its own, with all the words that it
    // shares with others.
    let own: HashMap<Language, HashSet<String>> = TASK_LANGUAGES
        .into_iter()
        .map(|language| {
            let mut own = HashSet::new();
            for concept in set().concepts() {
                let text = &concept.texts[&language];
                own.extend(words(&text.name));
                own.extend(text.keywords.iter().flat_map(|keyword| words(keyword)));
            }
            for class in all.classes() {
                own.extend(words(class.name(language).unwrap()));
            }
            for category in Category::ALL {
                let label = set().category_label(category, language);
                own.extend(label.into_iter().flat_map(words));
            }
            let alone = tasks(&[language], false);
            // All phrases, but not the words for categories, colours and numbers.
            for index in 0..2 * SAMPLES {
                let sample = alone.text(0, index);
                own.extend(words(&sample.question));
                if matches!(
                    sample.kind,
                    TaskKind::YesNo | TaskKind::Caption | TaskKind::SceneCaption
                ) {
                    own.extend(words(&sample.answer));
                }
            }
            (language, own)
        })
        .collect();
    let foreign: HashMap<Language, HashSet<String>> = TASK_LANGUAGES
        .into_iter()
        .map(|language| {
            let names = all.classes().iter().flat_map(|class| {
                let others = TASK_LANGUAGES.into_iter().filter(move |of| *of != language);
                others.flat_map(|other| words(class.name(other).unwrap()))
            });
            // "On" and the like are words of many languages.
            let long = names.filter(|word| word.len() > 3);
            let names = long.filter(|word| !own[&language].contains(word)).collect();
            (language, names)
        })
        .collect();
    for index in 0..5 * SAMPLES {
        let sample = all.text(9, index);
        assert!(foreign[&sample.language].len() > 1000);
        for text in texts(&sample) {
            let found = words(text).find(|word| foreign[&sample.language].contains(word));
            assert_eq!(found, None, "{sample:?}");
        }
    }
}
