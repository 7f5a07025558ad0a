//! The table of an evaluation.

use std::fmt;

use mpm_data::emoji::Language;
use train_emoji_paint::Things;

/// A picture counts as seen when its thing is among the judge's first ones.
const TOP: usize = 5;

/// Shares of pictures in which the judge sees what was asked for.
#[derive(Default)]
pub struct Report {
    rows: Vec<(String, Share, Share)>,
    comparisons: Vec<(Language, Share, Share)>,
}

/// Counts of first and of first few places.
#[derive(Clone, Copy, Default)]
struct Share {
    pictures: usize,
    first: usize,
    top: usize,
}

impl Share {
    fn of(ranks: impl Iterator<Item = usize>) -> Self {
        ranks.fold(Self::default(), |share, rank| Self {
            pictures: share.pictures + 1,
            first: share.first + usize::from(rank == 0),
            top: share.top + usize::from(rank < TOP),
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |count: usize| 100.0 * count as f64 / self.pictures.max(1) as f64;
        write!(
            f,
            "{:5.1} % {:5.1} % ({:3})",
            percent(self.first),
            percent(self.top),
            self.pictures
        )
    }
}

impl Report {
    /// Adds a row: for each asked thing its place in the judge's opinion.
    pub fn add(&mut self, name: &str, ranks: &[usize], things: &Things, asked: &[usize]) {
        let of = |shapes: bool| {
            let ranks = ranks.iter().zip(asked);
            let chosen = ranks.filter(|(_, thing)| things.is_shape(**thing) == shapes);
            Share::of(chosen.map(|(&rank, _)| rank))
        };
        self.rows.push((name.to_owned(), of(false), of(true)));
    }

    /// Compares the places of things that were asked for in a language with those of the same
    /// things in English; of English pictures that show none of them there is nothing to say.
    pub fn compare(&mut self, language: Language, ranks: &[usize], english: &[usize]) {
        let [own, english] = [ranks, english].map(|ranks| Share::of(ranks.iter().copied()));
        if english.first > 0 {
            self.comparisons.push((language, own, english));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "           emoji: first, top {TOP}     shapes: first, top {TOP}"
        )?;
        for (name, emoji, shapes) in &self.rows {
            writeln!(f, "{name:10} {emoji}   {shapes}")?;
        }
        for (language, own, english) in &self.comparisons {
            let percent = |own: usize, english| 100.0 * own as f64 / english as f64;
            writeln!(
                f,
                "{language}: {:.1} % of en first, {:.1} % in the top {TOP}, of the same things",
                percent(own.first, english.first),
                percent(own.top, english.top)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_compared_with_english() {
        let mut report = Report::default();
        report.compare(Language::German, &[0, 1, 9], &[0, 0, 1]);
        report.compare(Language::French, &[0], &[1]);
        let text = report.to_string();
        let last = text.lines().last().unwrap_or_default();
        let expected = "de: 50.0 % of en first, 66.7 % in the top 5, of the same things";
        assert_eq!(last, expected);
    }
}
