//! Words that the Penn treebank's tokenizer knows.

use super::begins;

/// Words that keep the full stop behind them. Those of one letter, and letters with full stops
/// between them, do so anyway. The nine that do so in capitals only, such as `Mass`, are left out.
const ABBREVIATIONS: &[&str] = &[
    "adm", "al", "alex", "apr", "ariz", "assn", "assoc", "asst", "atty", "aug", "ave", "bhd",
    "bldg", "blvd", "brig", "bros", "calif", "capt", "cf", "cie", "cmdr", "co", "col", "colo",
    "comdr", "conn", "corp", "cos", "cpl", "ct", "dec", "dept", "dr", "drs", "elec", "esq", "est",
    "etc", "ext", "feb", "fla", "fri", "ft", "ga", "gen", "gov", "hon", "inc", "insp", "intl",
    "invt", "jan", "jos", "jr", "jul", "jun", "ky", "lieut", "lt", "ltd", "maj", "mar", "md",
    "messrs", "mfg", "mich", "minn", "mlle", "mme", "mo", "mon", "mont", "mr", "mrs", "ms", "mt",
    "natl", "neb", "nev", "nov", "oct", "okla", "penn", "ph", "ph.d", "plc", "prof", "pty", "pvt",
    "rd", "rep", "reps", "rev", "rt", "sen", "sens", "sep", "sept", "sgt", "spc", "sq", "sr", "st",
    "ste", "supt", "tenn", "thu", "thurs", "tue", "tues", "univ", "va", "vs", "vt", "wed", "wis",
    "wm", "wyo",
];

/// Words that keep it before a number only.
const BEFORE_NUMBERS: &[&str] = &["art", "fig", "no", "nos", "op", "pp"];

/// Words that are two.
const DOUBLE: &[(&str, usize)] = &[
    ("cannot", 3),
    ("gonna", 3),
    ("gotta", 3),
    ("lemme", 3),
    ("gimme", 3),
    ("wanna", 3),
    ("'tis", 2),
    ("'twas", 2),
];

/// Words with an apostrophe that no rule lets them keep, in ASCII.
const WITH_APOSTROPHE: &[&str] = &[
    "'cause",
    "'em",
    "'til",
    "'till",
    "'tis",
    "'twas",
    "c'est",
    "c'mon",
    "e'er",
    "ev'ry",
    "li'l",
    "ma'am",
    "nat'l",
    "nor'easter",
    "ol'",
    "s'mores",
    "somethin'",
];

/// The same, though letters may follow.
const WITH_APOSTROPHE_BEFORE_LETTERS: &[&str] = &["'n'", "j'", "y'"];

/// Whether a word in lower case keeps the full stop behind it.
pub(super) fn keeps_full_stop(word: &str, before_number: bool) -> bool {
    // Letters with full stops between them, one letter among them.
    word.split('.').all(|part| {
        let mut letters = part.chars();
        letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
    }) || ABBREVIATIONS.contains(&word)
        || before_number && BEFORE_NUMBERS.contains(&word)
}

/// Of how many characters the first of the two words is that one in lower case stands for.
pub(super) fn first_of_two(word: &str) -> Option<usize> {
    let double = DOUBLE.iter().find(|(double, _)| *double == word);
    double.map(|(_, first)| *first)
}

/// The length of the longest of the words with an apostrophe that a text begins with.
pub(super) fn with_apostrophe(text: &[char]) -> Option<usize> {
    let ends = |word: &&&str| {
        !text
            .get(word.len())
            .is_some_and(|next| next.is_alphanumeric())
    };
    let words = WITH_APOSTROPHE.iter().filter(ends);
    let words = words.chain(WITH_APOSTROPHE_BEFORE_LETTERS);
    let words = words.filter(|word| begins(text, word));
    words.map(|word| word.len()).max()
}
