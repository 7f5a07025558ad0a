//! Experiment 5: pictures from outside of the set.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use emoji_training::BoxError;
use mpm_core::MpmBackend;
use mpm_data::emoji::{EVALUATION_GROUND, EmojiSet, Language, NameClass, Scene, Tasks};
use viscpm_common::cli::{note, show};

use crate::{
    cutout,
    figures::{Figures, Mean, codes},
    lab::{Lab, Languages, Sighted, Words},
    measure::{Interview, NAMED, NAMED_BLINDLY},
    plot::{Bars, Series},
};

/// Where pictures are, and what they are called in the figures.
#[derive(Clone, Debug, clap::Args)]
pub struct Collection {
    /// The folder of pictures (PNG, JPEG, WebP or SVG), each named by the code points of an emoji
    /// (`1F436.svg`) or by the English name of a thing (`dog.png`). Sub-folders are not read.
    #[arg(long)]
    pictures: PathBuf,

    /// What the figures call them, such as `openmoji`.
    #[arg(long)]
    name: String,
}

/// Asks the models that were trained with English about pictures of a collection.
///
/// # Errors
/// Those of training, of files, and when no picture shows a thing that the models know.
pub fn run<B: MpmBackend>(
    lab: &Lab,
    collection: &Collection,
    results: &Path,
    device: &B::Device,
) -> Result<(), BoxError> {
    let file = results.join("outside.jsonl");
    let mut figures = Figures::read(&file)?;
    let Collection { pictures, name } = collection;
    for &seed in &lab.settings.seeds {
        let of = Sighted {
            languages: Languages::Together,
            pictures: Language::English,
            words: Words::Published,
            seed,
        };
        if figures.has(name, seed) {
            continue;
        }
        let tasks = Tasks::new(lab.set, &lab.recipe(of).tasks())?;
        let found = find(pictures, lab.set, tasks.classes())?;
        note(&format!(
            "{}: pictures of {} of {} things\n",
            pictures.display(),
            found.len(),
            tasks.classes().len()
        ));
        let model = lab.pretrained::<B>(of, device)?;
        let mut interview = Interview::new(lab, &tasks, model)?;
        for (class, file) in found {
            interview.show(
                class,
                &cutout::on_ground(&file, Scene::SIZE, EVALUATION_GROUND)?,
            )?;
        }
        figures.add(interview.figures(name, seed, name)?);
        figures.write(&file)?;
    }
    let languages = &lab.settings.languages;
    let arms = [name.clone()];
    for quantity in [NAMED, NAMED_BLINDLY] {
        let of = (name.as_str(), quantity);
        show(&(figures.table(&arms, languages, of, Mean::percent) + "\n"))?;
    }
    plot(&figures, languages, results)
}

/// All collections that there are figures of, side by side.
fn plot(figures: &Figures, languages: &[Language], results: &Path) -> Result<(), BoxError> {
    let series = |name: &str| Series {
        name: name.to_owned(),
        means: languages
            .iter()
            .map(|&language| figures.mean(name, language, name, NAMED))
            .collect(),
    };
    Bars {
        title: "Pictures from outside of the set named right".to_owned(),
        groups: codes(languages),
        series: figures.arms().into_iter().map(series).collect(),
    }
    .write(&results.join("outside.svg"))
}

/// The pictures of the classes that a folder has any of, with their places.
fn find(
    folder: &Path,
    set: &EmojiSet,
    classes: &[&NameClass],
) -> Result<Vec<(usize, PathBuf)>, BoxError> {
    let unreadable = |error| format!("{}: {error}", folder.display());
    let mut files = HashMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if let Some(stem) = file.file_stem().and_then(|stem| stem.to_str()) {
            files.insert(plain(stem), file);
        }
    }
    let mut found = Vec::new();
    for (place, class) in classes.iter().enumerate() {
        let concepts = class.concepts().iter();
        let ids = concepts.map(|&concept| set.concepts()[concept].id.as_str());
        let names = ids.chain(class.name(Language::English));
        let mut pictures = names.filter_map(|name| files.get(&plain(name)));
        if let Some(file) = pictures.next() {
            found.push((place, file.clone()));
        }
    }
    match found.is_empty() {
        true => Err(format!(
            "{}: no picture is named by the code points or the English name of a thing that the \
             models know, such as `1f436.png` or `dog.png`",
            folder.display()
        )
        .into()),
        false => Ok(found),
    }
}

/// A name without what collections write differently: the case of letters, variation selectors.
fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let parts = name.split('-').filter(|part| *part != "fe0f");
    parts.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_are_compared_without_variation_selectors() {
        assert_eq!(plain("1F43B-200D-2744-FE0F"), "1f43b-200d-2744");
        assert_eq!(plain("Polar bear"), "polar bear");
    }
}
