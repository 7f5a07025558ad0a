//! A data set in another language.

use std::collections::HashSet;

use super::{
    TranslationCache, TranslationConfig, TranslationError, TranslationProgress, TranslationReport,
    TranslationService,
    output::Output,
    select::{Smallest, rank},
    texts::{texts, translated},
    translate_texts,
};
use crate::{
    DataError,
    dataset::{BadExample, DatasetConfig, Example, Fault},
};

/// What came of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct TranslatedDataset {
    /// The translated data set, as [`DatasetFormat::JsonLines`](crate::dataset::DatasetFormat).
    pub dataset: DatasetConfig,
    /// Examples that are in it.
    pub examples: u64,
    /// Examples that are not, because one of their texts has no translation.
    pub untranslated: u64,
    /// Examples without a text in the source language.
    pub other_language: u64,
    /// Examples that could not be read. The log has their places.
    pub unusable: u64,
    /// What became of the texts.
    pub report: TranslationReport,
}

/// Translates captions, questions and answers of a data set.
///
/// The data set is read twice, three times with a limit; its texts are held in memory, its
/// pictures are not. `failures.jsonl` is written when the service was asked for all, and when it fell
/// silent. The folder of results appears when it is complete.
///
/// # Errors
/// [`DataError::Translation`], and [`DataError::Dataset`] for a file that cannot be read to its
/// end. What was translated before is kept.
pub fn translate_dataset(
    config: &TranslationConfig,
    service: &mut dyn TranslationService,
    on_progress: &mut dyn FnMut(TranslationProgress),
) -> Result<TranslatedDataset, DataError> {
    let TranslationConfig { source, target, .. } = config;
    if source == target || source.is_empty() || target.is_empty() {
        return Err(TranslationError::Languages {
            language_source: source.clone(),
            target: target.clone(),
        }
        .into());
    }
    Output::check(&config.output)?;
    let dataset = config.dataset.expand()?;
    let mut cache =
        TranslationCache::open(&config.cache.join("translations.jsonl"), source, target)?;
    let selection = Selection::new(config, &dataset)?;

    let (mut wanted, mut seen) = (Vec::new(), HashSet::new());
    let (mut unusable, mut other_language) = (0, 0);
    for_each(&dataset, |example| {
        let example = match example {
            Ok(example) => example,
            Err(bad) => {
                tracing::warn!("skipped {bad}");
                unusable += 1;
                return Ok(());
            }
        };
        let texts = texts(&example, source);
        other_language += u64::from(texts.is_empty());
        if selection.contains(&example) {
            for text in texts {
                if seen.insert(text.to_owned()) {
                    wanted.push(text.to_owned());
                }
            }
        }
        Ok(())
    })?;

    let failures = config.cache.join("failures.jsonl");
    let asked = translate_texts(&wanted, service, &mut cache, &config.ask, on_progress);
    if let Err(TranslationError::Silent { report, .. }) = &asked
        && let Err(error) = report.write_failures(&failures)
    {
        tracing::warn!("the failures are not written: {error}");
    }
    let report = asked?;
    report.write_failures(&failures)?;

    let mut output = Output::create(&config.output)?;
    let (mut examples, mut untranslated) = (0, 0);
    for_each(&dataset, |example| {
        let Ok(example) = example else {
            return Ok(());
        };
        if texts(&example, source).is_empty() || !selection.contains(&example) {
            return Ok(());
        }
        match translated(&example, [source, target], |text| cache.get(text)) {
            Some(text) => {
                examples += 1;
                output.push(&example.pictures, &text)?;
            }
            None => untranslated += 1,
        }
        Ok(())
    })?;
    if examples == 0 {
        output.discard()?;
        return Err(TranslationError::Nothing {
            report: Box::new(report),
        }
        .into());
    }
    Ok(TranslatedDataset {
        dataset: output.finish(target)?,
        examples,
        untranslated,
        other_language,
        unusable,
        report,
    })
}

/// Which examples are translated.
struct Selection {
    seed: u64,
    /// All for `None`.
    smallest: Option<Smallest>,
}

impl Selection {
    fn new(config: &TranslationConfig, dataset: &DatasetConfig) -> Result<Self, DataError> {
        let mut smallest = config.limit.map(|limit| Smallest::new(limit.get()));
        if let Some(smallest) = &mut smallest {
            for_each(dataset, |example| {
                if let Ok(example) = example
                    && !texts(&example, &config.source).is_empty()
                {
                    smallest.offer(rank(config.seed, &example.origin));
                }
                Ok(())
            })?;
        }
        Ok(Self {
            seed: config.seed,
            smallest,
        })
    }

    fn contains(&self, example: &Example) -> bool {
        let Some(smallest) = &self.smallest else {
            return true;
        };
        smallest.contains(&rank(self.seed, &example.origin))
    }
}

/// Reads all files.
fn for_each(
    dataset: &DatasetConfig,
    mut take: impl FnMut(Result<Example, BadExample>) -> Result<(), TranslationError>,
) -> Result<(), DataError> {
    for file in &dataset.files {
        let failed = |source| DataError::Dataset {
            path: file.clone(),
            source,
        };
        for item in dataset.open(file).map_err(failed)? {
            match item {
                Ok(example) => take(Ok(example))?,
                Err(Fault::Skip(bad)) => take(Err(bad))?,
                Err(Fault::Stop(source)) => return Err(failed(source)),
            }
        }
    }
    Ok(())
}
