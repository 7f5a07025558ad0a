//! Marks and runs of them.

use super::take_run;

/// A mark or a run of them.
pub(super) fn take_mark(text: &[char], words: &mut Vec<String>) -> usize {
    let run = |among: &[char]| text.iter().take_while(|mark| among.contains(mark)).count();
    let (word, length) = match text[0] {
        '(' => ("-lrb-", 1),
        ')' => ("-rrb-", 1),
        '[' => ("-lsb-", 1),
        ']' => ("-rsb-", 1),
        '{' => ("-lcb-", 1),
        '}' => ("-rcb-", 1),
        '"' => ("''", 1),
        '€' => ("$", 1),
        '£' => ("#", 1),
        '¢' => ("cents", 1),
        '½' => ("1/2", 1),
        '¼' => ("1/4", 1),
        '¾' => ("3/4", 1),
        '…' => ("...", 1),
        '.' => ("...", run(&['.'])),
        '-' | '—' => ("--", run(&['-', '—'])),
        '?' | '!' => return take_run(text, run(&['?', '!']), words),
        '_' | '*' => return take_run(text, run(&[text[0]]), words),
        // The Stanford tokenizer sees halves of these and drops them.
        '\u{10000}'.. => return 1,
        _ => return take_run(text, 1, words),
    };
    words.push(word.to_owned());
    length
}
