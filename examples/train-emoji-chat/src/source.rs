//! Batches of samples, a function of the stage, the seed and a position.

use std::{num::NonZeroUsize, ops::Range, sync::Arc};

use emoji_training::sample_rng;
use mpm_data::{
    emoji::{EmojiSet, Language, Sample, TaskKind, Tasks},
    picture::{PicturePreprocessor, PixelValues, augment::TrainAugmentation},
};
use mpm_llm::{
    any::{AnyDialogue, AnyInput, AnyTokenizer},
    dialogue::{Dialogue, DialogueTurn, PicturePlace},
};
use mpm_train::{BoxError, DataSource, objective::IGNORED_TARGET};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{
    imagined::{Imagined, RIVALS},
    recipe::{LanguagePlan, Recipe},
};

/// What a stage reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stream {
    /// Text; descriptions stand where pictures will be.
    Text,
    /// Pictures with captions.
    Captions,
    /// Instructions, mixed with translated ones.
    Instructions {
        /// How many different translated instructions there are in each language.
        translated: u64,
        /// Their share among the samples.
        share: f64,
        /// The share of text, which keeps what the language model knows alive.
        text_share: f64,
        /// The share of questions that follow an earlier one about the same thing.
        context_share: f64,
    },
}

/// One batch.
pub struct Batch {
    /// The prompts with their answers.
    pub input: AnyInput,
    /// The next token of each position, or −100.
    pub targets: Vec<i64>,
    /// The pictures of all rows, in their order.
    pub pictures: Vec<PixelValues>,
    /// What each of them shows, as a place in [`Tasks::classes`]; [`IGNORED_TARGET`] where
    /// that is not one thing alone.
    pub classes: Vec<i64>,
    /// The imagined pictures of all rows, in their order.
    pub imagined: Vec<Imagined>,
    /// For each picture of either kind, row by row, its place in the list of the seen
    /// ones followed by the imagined ones.
    pub order: Vec<i64>,
    /// The slots of the pictures; none in a row of text.
    pub bounds: Vec<Vec<Range<usize>>>,
}

/// Draws the samples of a stage.
///
/// The samples of a step are sorted by length and cut into batches, so that few
/// positions are padding.
pub struct SampleSource {
    set: &'static EmojiSet,
    tasks: Arc<Tasks<'static>>,
    tokenizer: AnyTokenizer,
    stream: Stream,
    augmentation: TrainAugmentation,
    slots: PictureSlots,
    languages: LanguagePlan,
    imagined_share: f64,
    seed: u64,
    batches: StepBatches,
    next: u64,
    /// The batches of the current step that were not delivered yet, last first.
    ready: Vec<Batch>,
}

/// How many samples a step has, and how many batches they come in.
#[derive(Clone, Copy, Debug)]
pub struct StepBatches {
    /// Samples of a step.
    pub samples: usize,
    /// Batches of a step.
    pub batches: NonZeroUsize,
}

/// What the language model reads in the place of a picture.
#[derive(Clone, Copy, Debug)]
pub struct PictureSlots {
    /// Number of features.
    pub count: usize,
    /// Width of a feature.
    pub d_llm: usize,
}

/// A sample, ready for a batch.
struct Row {
    dialogue: AnyDialogue,
    picture: RowPicture,
}

/// What stands in a row's slots.
enum RowPicture {
    /// A picture and its class
    Seen(PixelValues, Option<usize>),
    /// A name in embeddings
    Imagined(Imagined),
    /// Words, or nothing
    Text,
}

impl SampleSource {
    /// A source at its beginning.
    pub fn new(
        (set, tasks): (&'static EmojiSet, Arc<Tasks<'static>>),
        tokenizer: AnyTokenizer,
        stream: Stream,
        (preprocessor, slots): (PicturePreprocessor, PictureSlots),
        recipe: &Recipe,
        batches: StepBatches,
    ) -> Self {
        Self {
            set,
            tasks,
            tokenizer,
            stream,
            augmentation: recipe.augmentation(preprocessor),
            slots,
            languages: recipe.languages.clone(),
            imagined_share: recipe.imagined_share,
            seed: recipe.seed,
            batches,
            next: 0,
            ready: Vec::new(),
        }
    }

    fn sample(&self, index: u64, rng: &mut ChaCha8Rng) -> Result<Sample, BoxError> {
        match self.stream {
            Stream::Text => Ok(self.tasks.text(self.seed, index)),
            Stream::Captions => {
                let language = self.languages.pictures;
                Ok(self.tasks.caption_in(self.seed, index, language)?)
            }
            Stream::Instructions { text_share, .. } if rng.random_bool(text_share) => {
                // Other samples than those of the language stage.
                Ok(self.tasks.text(!self.seed, index))
            }
            Stream::Instructions {
                translated, share, ..
            } => {
                let (index, language) = if translated > 0 && rng.random_bool(share) {
                    let languages = &self.languages.translated;
                    let count = languages.len() as u64;
                    let pair = rng.random_range(0..translated * count);
                    (pair / count, languages[(pair % count) as usize])
                } else {
                    (index, self.languages.pictures)
                };
                Ok(self.tasks.instruction(self.seed, index, language)?)
            }
        }
    }

    fn picture(&self, sample: &Sample, rng: &mut ChaCha8Rng) -> Result<RowPicture, BoxError> {
        let Some(scene) = &sample.picture else {
            return self.imagine(sample, rng);
        };
        let picture = self.set.compose(scene)?;
        // A crop or a mirror image would change what there is to count, and left
        // and right.
        let is_scene = matches!(
            sample.kind,
            TaskKind::Count | TaskKind::Side | TaskKind::Ground | TaskKind::SceneCaption
        );
        let picture = if is_scene {
            self.augmentation.preprocessor.apply(&picture)
        } else {
            self.augmentation.apply(&picture, rng)
        };
        Ok(RowPicture::Seen(picture, sample.class))
    }

    /// A picture of what is described, now and then.
    fn imagine(&self, sample: &Sample, rng: &mut ChaCha8Rng) -> Result<RowPicture, BoxError> {
        let Some(class) = sample.class else {
            return Ok(RowPicture::Text);
        };
        if !rng.random_bool(self.imagined_share) {
            return Ok(RowPicture::Text);
        }
        let language = self.meeting_language(sample, rng);
        let tokens = |class| self.tokenizer.words(self.tasks.name(class, language));
        let classes = self.tasks.classes().len();
        let mut names = vec![tokens(class)?];
        for _ in 0..RIVALS {
            names.push(tokens(rng.random_range(0..classes))?);
        }
        let shape = [self.slots.count, self.slots.d_llm];
        let imagined = Imagined::new(&names, shape, rng);
        Ok(RowPicture::Imagined(imagined))
    }

    /// An earlier turn, now and then. About a picture it is in the language of the
    /// question, so that beyond the translated pairs no other language than English
    /// meets a picture.
    fn earlier_turn(
        &self,
        sample: &Sample,
        index: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<DialogueTurn>, BoxError> {
        let Stream::Instructions { context_share, .. } = self.stream else {
            return Ok(None);
        };
        let Some(class) = sample.class else {
            return Ok(None);
        };
        if !rng.random_bool(context_share) {
            return Ok(None);
        }
        let language = match sample.picture {
            Some(_) => sample.language,
            None => self.meeting_language(sample, rng),
        };
        let (question, answer) = self
            .tasks
            .earlier_turn(!self.seed, index, class, language)?;
        Ok(Some(DialogueTurn { question, answer }))
    }

    /// A language of the text that the language model reads; where languages are kept apart, the
    /// sample's own.
    fn meeting_language(&self, sample: &Sample, rng: &mut ChaCha8Rng) -> Language {
        let LanguagePlan {
            text,
            cross_lingual,
            ..
        } = &self.languages;
        match cross_lingual {
            true => text[rng.random_range(0..text.len())],
            false => sample.language,
        }
    }

    fn row(&self, index: u64) -> Result<Row, BoxError> {
        let mut rng = sample_rng(self.seed, index);
        let sample = self.sample(index, &mut rng)?;
        let picture = self.picture(&sample, &mut rng)?;
        let turn = self.earlier_turn(&sample, index, &mut rng)?;
        let dialogue = Dialogue {
            picture: match picture {
                RowPicture::Seen(..) | RowPicture::Imagined(_) => {
                    PicturePlace::Slots(self.slots.count)
                }
                // Empty where there is none.
                RowPicture::Text => PicturePlace::Text(sample.description.unwrap_or_default()),
            },
            turns: turn.into_iter().collect(),
            question: sample.question,
            answer: sample.answer,
        };
        Ok(Row {
            dialogue: AnyDialogue::new(&self.tokenizer, &dialogue)?,
            picture,
        })
    }

    /// The batches of a step, the longest rows first.
    fn step(&self, step: u64) -> Result<Vec<Batch>, BoxError> {
        let samples = self.batches.samples as u64;
        let rows = step * samples..(step + 1) * samples;
        let mut rows: Vec<_> = rows
            .map(|index| self.row(index))
            .collect::<Result<_, _>>()?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.dialogue.len()));
        let mut batches = Vec::new();
        for left in (1..=self.batches.batches.get()).rev() {
            let rest = rows.split_off(rows.len().div_ceil(left));
            batches.push(self.collate(rows)?);
            rows = rest;
        }
        Ok(batches)
    }

    fn collate(&self, rows: Vec<Row>) -> Result<Batch, BoxError> {
        let (dialogues, row_pictures): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .map(|row| (row.dialogue, row.picture))
            .unzip();
        let batch = AnyDialogue::collate(&self.tokenizer, dialogues)?;
        let (mut pictures, mut classes) = (Vec::new(), Vec::new());
        let mut imagined = Vec::new();
        let is_seen = |picture: &&RowPicture| matches!(picture, RowPicture::Seen(..));
        let seen = row_pictures.iter().filter(is_seen).count();
        let mut order = Vec::new();
        for picture in row_pictures {
            match picture {
                RowPicture::Seen(picture, class) => {
                    order.push(pictures.len() as i64);
                    classes.push(class.map_or(IGNORED_TARGET, |class| class as i64));
                    pictures.push(picture);
                }
                RowPicture::Imagined(picture) => {
                    order.push((seen + imagined.len()) as i64);
                    imagined.push(picture);
                }
                RowPicture::Text => {}
            }
        }
        Ok(Batch {
            input: batch.input,
            targets: batch.targets,
            pictures,
            classes,
            imagined,
            order,
            bounds: batch.bounds,
        })
    }
}

impl DataSource for SampleSource {
    type Batch = Batch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        if self.ready.is_empty() {
            let a_step = self.batches.batches.get() as u64;
            self.ready = self.step(self.next / a_step)?;
            self.ready.reverse();
            let delivered = (self.next % a_step) as usize;
            self.ready.truncate(self.ready.len() - delivered);
        }
        self.next += 1;
        Ok(self.ready.pop())
    }

    /// The number of batches delivered.
    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        self.ready.clear();
        Ok(())
    }
}
