//! Batches of samples, a function of the stage, the seed and a position.

use std::{ops::Range, sync::Arc};

use mpm_data::{
    emoji::{EmojiSet, Language, Sample, TaskKind, Tasks},
    picture::{PicturePreprocessor, PixelValues, augment::TrainAugmentation},
};
use mpm_llm::{
    cpm_bee::CpmBeeInput,
    prompt::{ANSWER_KEY, Collator, PICTURE_KEY, PromptEncoder, PromptValue},
    tokenizer::{CpmBeeTokenizer, escape},
};
use mpm_train::{BoxError, DataSource};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stage reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stream {
    /// Bilingual text; descriptions stand where pictures will be.
    Text,
    /// English instructions, mixed with translated ones.
    Instructions {
        /// How many different translated instructions there are.
        translated: u64,
        /// Their share among the samples.
        share: f64,
    },
}

/// One batch.
pub struct Batch {
    /// The prompts with their answers.
    pub input: CpmBeeInput,
    /// The next token of each position, or −100.
    pub targets: Vec<i64>,
    /// One picture a row; none in the text stage.
    pub pictures: Vec<PixelValues>,
    /// The slots of the pictures.
    pub bounds: Vec<Vec<Range<usize>>>,
}

/// Draws the samples of a stage.
pub struct SampleSource {
    set: &'static EmojiSet,
    tasks: Arc<Tasks<'static>>,
    tokenizer: CpmBeeTokenizer,
    stream: Stream,
    augmentation: TrainAugmentation,
    picture_slots: usize,
    seed: u64,
    batch: usize,
    next: u64,
}

impl SampleSource {
    /// A source at its beginning.
    pub fn new(
        (set, tasks): (&'static EmojiSet, Arc<Tasks<'static>>),
        tokenizer: CpmBeeTokenizer,
        stream: Stream,
        (preprocessor, picture_slots): (PicturePreprocessor, usize),
        seed: u64,
        batch: usize,
    ) -> Self {
        Self {
            set,
            tasks,
            tokenizer,
            stream,
            augmentation: TrainAugmentation::new(preprocessor),
            picture_slots,
            seed,
            batch,
            next: 0,
        }
    }

    fn sample(&self, index: u64, rng: &mut ChaCha8Rng) -> Result<Sample, BoxError> {
        Ok(match self.stream {
            Stream::Text => self.tasks.text(self.seed, index),
            Stream::Instructions { translated, share } => {
                if translated > 0 && rng.random_bool(share) {
                    let index = rng.random_range(0..translated);
                    self.tasks
                        .instruction(self.seed, index, Language::Chinese)?
                } else {
                    self.tasks
                        .instruction(self.seed, index, Language::English)?
                }
            }
        })
    }

    fn picture(
        &self,
        sample: &Sample,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<PixelValues>, BoxError> {
        let Some(scene) = &sample.picture else {
            return Ok(None);
        };
        let picture = self.set.compose(scene)?;
        // A crop or a mirror image would change what there is to count, and left
        // and right.
        let is_scene = matches!(
            sample.kind,
            TaskKind::Count | TaskKind::Side | TaskKind::Ground
        );
        Ok(Some(if is_scene {
            self.augmentation.preprocessor.apply(&picture)
        } else {
            self.augmentation.apply(&picture, rng)
        }))
    }
}

/// The prompt of a sample: the reference's chat format. Without a picture its
/// description, empty where there is none, stands in the picture's place.
pub fn prompt(sample: &Sample, picture_slots: usize) -> PromptValue {
    let question = escape(&sample.question);
    let answer = escape(&sample.answer);
    if sample.picture.is_some() {
        return PromptValue::chat(picture_slots, "", &question, &answer);
    }
    let description = sample.description.as_deref().unwrap_or_default();
    PromptValue::from([
        (PICTURE_KEY, &*escape(description)),
        ("context", ""),
        ("question", &*question),
        (ANSWER_KEY, &*answer),
    ])
}

impl DataSource for SampleSource {
    type Batch = Batch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        let encoder = PromptEncoder::new(&self.tokenizer);
        let mut prompts = Vec::with_capacity(self.batch);
        let mut pictures = Vec::new();
        for index in self.next..self.next + self.batch as u64 {
            // One stream of random numbers a sample: resuming needs no state.
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ SOURCE_SALT);
            rng.set_stream(index);
            let sample = self.sample(index, &mut rng)?;
            prompts.push(encoder.encode(&prompt(&sample, self.picture_slots))?);
            pictures.extend(self.picture(&sample, &mut rng)?);
        }
        self.next += self.batch as u64;
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        let batch = Collator::new(&self.tokenizer, longest).collate(&prompts)?;
        Ok(Some(Batch {
            targets: batch.target.iter().map(|&target| target.into()).collect(),
            bounds: batch.image_bound.clone(),
            input: batch.into(),
            pictures,
        }))
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        Ok(())
    }
}

/// Keeps the numbers of the augmentation apart from those of the tasks, which
/// are drawn from the bare seed.
const SOURCE_SALT: u64 = 0x9e37_79b9_7f4a_7c15;
