//! What the model paints, by name.

use mpm_data::emoji::Language;
use train_emoji_paint::Things;

/// A line of tab-separated names for each thing, below the languages' codes; empty where a
/// language has no name for it.
pub fn list(things: &Things, languages: &[Language]) -> String {
    let line = |names: Vec<&str>| names.join("\t") + "\n";
    let names = |thing| {
        let name = |&language| match things.is_named_in(thing, language) {
            true => things.name(thing, language),
            false => "",
        };
        line(languages.iter().map(name).collect())
    };
    let codes = line(languages.iter().map(|language| language.code()).collect());
    codes + &(0..things.len()).map(names).collect::<String>()
}
