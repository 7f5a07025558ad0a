//! The committed emoji set, as a user reads it.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "tests fail by panicking and have no users"
)]

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use mpm_data::DataError;
use mpm_data::emoji::{
    Category, Colour, EmojiError, EmojiSet, Language, NameClass, Placed, Scene, Split, Style,
    TaskKind, TaskOptions, Tasks,
};
use sha2::{Digest, Sha256};

/// How many samples of each stream the tests look at.
const SAMPLES: u64 = 5000;

/// The languages whose names are checked by hand, and that the shipped models speak.
const BOTH: [Language; 2] = [Language::English, Language::Chinese];

fn set() -> &'static EmojiSet {
    static SET: OnceLock<EmojiSet> = OnceLock::new();
    SET.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        EmojiSet::open(folder.join("../../examples/build-emoji-set/emoji.tar.zst")).unwrap()
    })
}

fn tasks() -> Tasks<'static> {
    Tasks::new(set(), &TaskOptions::default()).unwrap()
}

fn questions_in(languages: &[Language]) -> Result<Tasks<'static>, DataError> {
    let options = TaskOptions {
        question_languages: languages.to_vec(),
        ..TaskOptions::default()
    };
    Tasks::new(set(), &options)
}

fn families(class: &NameClass, wanted: Split) -> HashSet<&'static str> {
    set()
        .pairs()
        .filter(|(concept, _)| class.concepts().contains(concept))
        .filter(|&(concept, style)| set().split(concept, style).unwrap() == wanted)
        .map(|(_, style)| style.family().name())
        .collect()
}

fn emoji_error(error: DataError) -> EmojiError {
    match error {
        DataError::Emoji { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn the_set_has_the_published_size() {
    assert_eq!(set().concepts().len(), 912);
    let mut counts: HashMap<Style, usize> = HashMap::new();
    for (_, style) in set().pairs() {
        *counts.entry(style).or_default() += 1;
    }
    let counts = Style::ALL.map(|style| (style.name(), counts[&style]));
    let published = [
        ("emojione", 690),
        ("fluent", 908),
        ("fluent-flat", 912),
        ("fxemoji", 456),
        ("noto", 912),
        ("noto-v1", 690),
        ("twemoji", 912),
    ];
    assert_eq!(counts, published);
}

#[test]
fn no_people_flags_or_skin_tones() {
    for concept in set().concepts() {
        assert!(!["people-body", "flags", "component"].contains(&concept.group.as_str()));
        assert!(!concept.id.contains("1f3fb"), "{}", concept.id);
    }
}

#[test]
fn every_picture_decodes_and_is_not_blank() {
    for (concept, style) in set().pairs() {
        let picture = set().picture(concept, style, [1, 2, 3]).unwrap();
        assert_eq!((picture.width(), picture.height()), (64, 64));
        let drawn = picture
            .pixels()
            .chunks(3)
            .filter(|p| *p != [1, 2, 3])
            .count();
        let id = &set().concepts()[concept].id;
        assert!(drawn > 40, "{style}/{id} has {drawn} painted pixels");
    }
}

#[test]
fn the_ground_shows_through_clear_pixels() {
    let dog = set().find("1f436").unwrap();
    for ground in [[255, 255, 255], [10, 200, 30]] {
        let picture = set().picture(dog, Style::Twemoji, ground).unwrap();
        assert_eq!(picture.pixel(0, 0).unwrap(), ground);
    }
}

#[test]
fn the_split_never_changes() {
    let mut digest = Sha256::new();
    let mut counts: HashMap<Split, usize> = HashMap::new();
    for (concept, style) in set().pairs() {
        let split = set().split(concept, style).unwrap();
        digest.update(format!(
            "{}/{style}:{split:?}\n",
            set().concepts()[concept].id
        ));
        *counts.entry(split).or_default() += 1;
    }
    let digest = format!("{:x}", digest.finalize());
    assert_eq!(&digest[..16], "4f216008194e4154");
    let count = |split| counts[&split];
    assert_eq!(
        [
            count(Split::Train),
            count(Split::HeldOutPair),
            count(Split::TextOnly)
        ],
        [4339, 891, 250]
    );
}

#[test]
fn both_fluent_styles_are_in_one_split() {
    for concept in 0..set().concepts().len() {
        assert_eq!(
            set().split(concept, Style::Fluent).unwrap(),
            set().split(concept, Style::FluentFlat).unwrap()
        );
    }
}

#[test]
fn a_name_is_held_out_in_a_style_with_all_its_concepts() {
    for class in set().naming().classes() {
        let held_out = families(class, Split::HeldOutPair);
        let train = families(class, Split::Train);
        assert!(held_out.is_disjoint(&train), "{class:?}");
    }
}

#[test]
fn every_concept_keeps_two_training_families_or_none() {
    for (index, concept) in set().concepts().iter().enumerate() {
        let splits: Vec<_> = concept
            .styles
            .iter()
            .map(|&style| (style.family(), set().split(index, style).unwrap()))
            .collect();
        if splits.iter().any(|(_, split)| *split == Split::TextOnly) {
            assert!(splits.iter().all(|(_, split)| *split == Split::TextOnly));
            continue;
        }
        let kept: HashSet<_> = splits
            .iter()
            .filter(|(_, split)| *split == Split::Train)
            .map(|(family, _)| family)
            .collect();
        assert!(kept.len() >= 2, "{} keeps {kept:?}", concept.id);
    }
}

#[test]
fn names_are_many_clean_and_distinct() {
    let classes = set().naming().classes();
    assert_eq!(classes.len(), 730);
    for language in BOTH {
        let names: HashSet<_> = classes
            .iter()
            .map(|class| class.name(language).unwrap().to_lowercase())
            .collect();
        assert_eq!(names.len(), classes.len(), "shared names in {language}");
    }
    for class in classes {
        let english = class.name(Language::English).unwrap();
        let chinese = class.name(Language::Chinese).unwrap();
        assert!(english.split(' ').count() <= 4, "{english}");
        assert!(chinese.chars().count() <= 7, "{chinese}");
        assert!(!chinese.contains([':', '：', ' ', '(', '（']), "{chinese}");
        let styles: HashSet<_> = class
            .concepts()
            .iter()
            .flat_map(|&concept| &set().concepts()[concept].styles)
            .collect();
        assert!(styles.len() >= 2, "{english} is drawn in {styles:?}");
    }
}

#[test]
fn the_first_names_are_animals_food_vehicles_and_everyday_things() {
    let first = set().naming().naming_concepts(400);
    assert_eq!(first.len(), 400);
    for class in first {
        let concept = &set().concepts()[class.concepts()[0]];
        let expected = ["animals-nature", "food-drink", "travel-places", "objects"];
        assert!(expected.contains(&concept.group.as_str()), "{}", concept.id);
    }
    let mut counts: HashMap<Category, usize> = HashMap::new();
    for class in first {
        let category = set().concepts()[class.concepts()[0]].category();
        *counts.entry(category).or_default() += 1;
    }
    assert!(counts[&Category::Animal] > 80, "{counts:?}");
    assert!(counts[&Category::Vehicle] > 30, "{counts:?}");
}

#[test]
fn concepts_of_one_name_form_a_class() {
    let class_of = |id| set().naming().class_of(set().find(id).unwrap());
    assert_eq!(class_of("1f436"), class_of("1f415"));
    let dog = class_of("1f415").unwrap();
    assert_eq!(dog.name(Language::Chinese), Some("狗"));
    assert_eq!(dog.name(Language::German), Some("Hund"));
    assert!(dog.accepts("A dog.", Language::English));
    assert!(dog.accepts("dog face", Language::English));
    assert!(!dog.accepts("cat", Language::English));
    assert_eq!(class_of("1f52b"), None, "the styles disagree on the pistol");
}

#[test]
fn samples_depend_on_seed_and_index_only() {
    let (first, second) = (tasks(), tasks());
    for index in [0, 3, 77, 4000] {
        assert_eq!(first.text(5, index), second.text(5, index));
        assert_eq!(first.caption(5, index), second.caption(5, index));
        assert_ne!(first.text(5, index), first.text(6, index));
        assert_ne!(first.caption(5, index), first.caption(5, index + 1));
    }
}

#[test]
fn descriptions_name_their_thing() {
    let options = TaskOptions {
        description_languages: vec![Language::English],
        ..TaskOptions::default()
    };
    let tasks = Tasks::new(set(), &options).unwrap();
    let mut different = HashSet::new();
    for index in 0..200 {
        let class = index as usize % tasks.classes().len();
        let description = tasks.description(class, 5, index);
        assert!(
            description.contains(tasks.name(class, Language::English)),
            "{description}"
        );
        assert_eq!(description, tasks.description(class, 5, index));
        different.insert(tasks.description(0, 5, index));
    }
    assert!(different.len() > 20, "{different:?}");
}

#[test]
fn the_streams_never_change() {
    // Training resumes and figures are compared across versions: a change of
    // this digest is a change of the data, to be made knowingly.
    let tasks = tasks();
    let mut digest = Sha256::new();
    for index in 0..SAMPLES {
        digest.update(format!("{:?}", tasks.text(1, index)));
        digest.update(format!("{:?}", tasks.caption(1, index)));
        for language in BOTH {
            digest.update(format!(
                "{:?}",
                tasks.instruction(1, index, language).unwrap()
            ));
        }
    }
    let digest = format!("{:x}", digest.finalize());
    assert_eq!(&digest[..16], "9c4a9c9235f26d83");
}

#[test]
fn training_pictures_are_training_pictures() {
    let tasks = tasks();
    for index in 0..SAMPLES {
        let instruction = tasks.instruction(2, index, Language::English).unwrap();
        for scene in [tasks.caption(2, index).picture, instruction.picture] {
            for placed in scene.unwrap().emoji {
                let split = set().split(placed.concept, placed.style).unwrap();
                assert_eq!(split, Split::Train, "{placed:?}");
            }
        }
    }
}

#[test]
fn named_pictures_show_what_they_are_named() {
    let tasks = tasks();
    for index in 0..SAMPLES {
        let (scene, class) = tasks.named_picture(2, index);
        let [placed] = scene.emoji[..] else {
            panic!("{scene:?}");
        };
        assert!(tasks.classes()[class].concepts().contains(&placed.concept));
        let split = set().split(placed.concept, placed.style).unwrap();
        assert_eq!(split, Split::Train, "{placed:?}");
    }
}

#[test]
fn earlier_turns_are_about_the_thing_in_the_language_asked_for() {
    let tasks = tasks();
    let mut named = [0, 0];
    for index in 0..SAMPLES {
        let class = index as usize % tasks.classes().len();
        for (language, named) in BOTH.into_iter().zip(&mut named) {
            let (question, answer) = tasks.earlier_turn(4, index, class, language).unwrap();
            assert!(!question.is_empty() && !answer.is_empty());
            *named += u64::from(answer.contains(tasks.name(class, language)));
        }
    }
    // Names and captions, half of the kinds; yes and no and categories are the others.
    for named in named {
        assert!((SAMPLES / 3..SAMPLES * 2 / 3).contains(&named), "{named}");
    }
    assert!(tasks.earlier_turn(4, 0, 0, Language::Korean).is_err());
}

#[test]
fn answers_are_there_and_in_the_right_language() {
    let tasks = tasks();
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let mut kinds = HashSet::new();
    for index in 0..SAMPLES {
        let mut samples = vec![tasks.text(3, index), tasks.caption(3, index)];
        for language in BOTH {
            samples.push(tasks.instruction(3, index, language).unwrap());
        }
        for sample in samples {
            kinds.insert(sample.kind);
            assert!(!sample.answer.trim().is_empty(), "{sample:?}");
            for text in [&sample.question, &sample.answer] {
                assert!(!text.contains(['{', '}']), "{sample:?}");
            }

            assert!(!sample.question.trim().is_empty(), "{sample:?}");
            // "DNA" is called DNA in both languages.
            let neutral = sample.kind == TaskKind::Translation || sample.answer.contains("DNA");
            if !neutral {
                let chinese = sample.language == Language::Chinese;
                assert_eq!(is_chinese(&sample.answer), chinese, "{sample:?}");
            }
            let several = matches!(sample.kind, TaskKind::SceneCaption | TaskKind::Side);
            if several || sample.kind == TaskKind::Translation {
                assert_eq!(sample.class, None, "{sample:?}");
            }
            if let (Some(class), Some(scene)) = (sample.class, &sample.picture) {
                let concepts = tasks.classes()[class].concepts();
                assert!(concepts.contains(&scene.emoji[0].concept), "{sample:?}");
            }
            assert_eq!(
                sample.picture.is_some() || sample.description.is_some(),
                sample.kind != TaskKind::Translation,
                "{sample:?}"
            );
        }
    }
    assert_eq!(kinds.len(), 12, "{kinds:?}");
}

#[test]
fn translated_pairs_show_the_same_picture() {
    let tasks = tasks();
    for index in 0..SAMPLES {
        let english = tasks.instruction(4, index, Language::English).unwrap();
        let chinese = tasks.instruction(4, index, Language::Chinese).unwrap();
        assert_eq!(english.picture, chinese.picture);
        assert_eq!(english.kind, chinese.kind);
    }
}

#[test]
fn text_samples_use_names_without_pictures_too() {
    let tasks = tasks();
    let text_only: Vec<_> = tasks
        .classes()
        .iter()
        .filter(|class| !families(class, Split::TextOnly).is_empty())
        .map(|class| class.name(Language::English).unwrap())
        .collect();
    assert!(!text_only.is_empty());
    let seen = (0..SAMPLES)
        .map(|index| tasks.text(7, index).answer)
        .any(|answer| text_only.contains(&answer.as_str()));
    assert!(seen);
}

#[test]
fn evaluation_asks_about_every_pair_once() {
    let tasks = tasks();
    let mut seen = HashSet::new();
    for split in [Split::Train, Split::HeldOutPair, Split::TextOnly] {
        for question in tasks.naming_questions(split, Language::Chinese).unwrap() {
            let Placed { concept, style, .. } = question.picture.emoji[0];
            assert_eq!(set().split(concept, style).unwrap(), split);
            assert!(seen.insert((concept, style)), "asked twice");
            let class = &tasks.classes()[question.class];
            assert!(class.accepts(&question.answer, Language::Chinese));
            assert!(question.accepted.contains(&question.answer));
        }
    }
    let named = set()
        .pairs()
        .filter(|&(concept, _)| set().naming().class_of(concept).is_some())
        .count();
    assert_eq!(seen.len(), named);
}

#[test]
fn scenes_place_each_emoji_where_they_say() {
    let ground = Colour::White.rgb();
    let dog = (set().find("1f436").unwrap(), Style::Noto);
    let scene = Scene::quarters(&[dog], &[3], ground);
    let picture = set().compose(&scene).unwrap();
    let mut outside = (0..64).flat_map(|x| (0..32).map(move |y| (x, y)));
    assert!(outside.all(|(x, y)| picture.pixel(x, y).unwrap() == ground));
    let mut inside = (32..64).flat_map(|x| (32..64).map(move |y| (x, y)));
    assert!(inside.any(|(x, y)| picture.pixel(x, y).unwrap() != ground));
}

#[test]
fn what_is_not_there_is_an_error() {
    let none = set().picture(912, Style::Noto, [0; 3]).unwrap_err();
    assert!(matches!(
        emoji_error(none),
        EmojiError::NoSuchConcept {
            index: 912,
            count: 912
        }
    ));
    let (dog, style) = (set().find("1f436").unwrap(), Style::FxEmoji);
    let missing = set().picture(dog, style, [0; 3]).unwrap_err();
    assert!(matches!(
        emoji_error(missing),
        EmojiError::NoSuchPicture { .. }
    ));
    let mut scene = Scene::single(dog, Style::Noto, [0; 3]);
    scene.emoji[0].x = u32::MAX;
    let outside = set().compose(&scene).unwrap_err();
    assert!(matches!(
        emoji_error(outside),
        EmojiError::OffTheGround { .. }
    ));
    let few = TaskOptions {
        names: 1,
        ..TaskOptions::default()
    };
    let few = Tasks::new(set(), &few).unwrap_err();
    assert!(matches!(
        emoji_error(few),
        EmojiError::TooFewNames { found: 0 | 1 }
    ));
    for error in [
        tasks().instruction(0, 0, Language::Korean).unwrap_err(),
        tasks().caption_in(0, 0, Language::Korean).unwrap_err(),
        questions_in(&[Language::English, Language::Korean]).unwrap_err(),
    ] {
        let expected = EmojiError::NoTemplates {
            language: Language::Korean,
        };
        assert_eq!(emoji_error(error).to_string(), expected.to_string());
    }
    assert!(matches!(
        emoji_error(questions_in(&[]).unwrap_err()),
        EmojiError::NoQuestionLanguage
    ));
}

#[test]
fn a_file_that_is_not_the_set_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.tar.zst");
    assert!(matches!(
        emoji_error(EmojiSet::open(&absent).unwrap_err()),
        EmojiError::Read(_)
    ));
    let text = folder.path().join("text.tar.zst");
    std::fs::write(&text, "not a packed set").unwrap();
    let message = EmojiSet::open(&text).unwrap_err().to_string();
    assert!(message.contains("text.tar.zst"), "{message}");
}

#[test]
fn building_without_packages_says_which_file_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("emoji.tar.zst");
    let error = mpm_data::emoji::build(folder.path(), &output, |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("icons.json"), "{error}");
    assert!(!output.exists());
}
