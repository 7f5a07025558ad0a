//! Painting from prompts, and what the judge sees in the pictures.

use std::{ops::ControlFlow, path::Path};

use burn::tensor::{Tensor, backend::Backend};
use emoji_training::{BoxError, full_precision, sample_rng};
use mpm_core::{
    MpmBackend,
    weights::{WeightFile, load},
};
use mpm_data::picture::Picture;
use mpm_train::Workers;
use viscpm_paint::{PaintModel, PaintRequest, PromptStates, from_pictures, to_pictures};

use crate::{judge::Judge, things::Things};

/// Pictures that the judge looks at together.
const BATCH: usize = 64;

/// A painter and its judge.
pub struct Exam<B: Backend> {
    /// What can be asked for.
    pub things: Things,
    /// Who judges.
    pub judge: Judge<B>,
    /// Who paints.
    pub model: PaintModel<B>,
    /// Where.
    pub device: B::Device,
}

impl<B: MpmBackend> Exam<B> {
    /// Loads the model folder of a painter and the weights of its judge.
    ///
    /// # Errors
    /// When they cannot be read, and for a judge of other things.
    pub fn open(
        things: Things,
        model: &Path,
        judge: &Path,
        device: B::Device,
    ) -> Result<Self, BoxError> {
        let file = WeightFile::open(judge)?;
        let fresh = Judge::<B>::new(things.len(), &device);
        Ok(Self {
            judge: load(fresh, &file, &full_precision())?,
            model: PaintModel::open(model, &device, &full_precision())?,
            things,
            device,
        })
    }

    /// A fresh drawing of each of the things, in the size of the painted ones. Neither painter nor
    /// judge has seen it, as long as `seed` is not that of training.
    ///
    /// # Errors
    /// Those of the set.
    pub fn drawn(&self, asked: &[usize], seed: u64) -> Result<Vec<Picture>, BoxError> {
        let size = self.model.config.defaults.size;
        let draw = |(index, &thing): (usize, &usize)| {
            let mut rng = sample_rng(seed, index as u64);
            self.things.draw_to_paint(thing, size, &mut rng)
        };
        asked.iter().enumerate().map(draw).collect()
    }

    /// Pictures through the autoencoder: no painter is better than this.
    ///
    /// # Errors
    /// Those of the autoencoder.
    pub fn reconstructed(&self, pictures: &[Picture]) -> Result<Vec<Picture>, BoxError> {
        let vae = &self.model.painter.vae;
        let mut decoded = Vec::with_capacity(pictures.len());
        for picture in pictures {
            let pixels = from_pictures::<B>(std::slice::from_ref(picture), &self.device)?;
            decoded.extend(to_pictures(vae.decode(vae.encode(pixels)?.mean)?)?);
        }
        Ok(decoded)
    }

    /// Paints a prompt; without one, what the painter does by itself. Picture `number` of a seed
    /// begins with the same noise whatever the prompt. `guidance` replaces the model's own scale.
    ///
    /// # Errors
    /// Those of the model.
    pub fn paint(
        &self,
        prompt: &str,
        seed: u64,
        number: u64,
        guidance: Option<f64>,
    ) -> Result<Picture, BoxError> {
        let usual = guidance.unwrap_or(self.model.config.defaults.guidance);
        let request = PaintRequest {
            guidance: match prompt.is_empty() {
                true => 1.0,
                false => usual,
            },
            ..self.model.config.default_request(seed)
        };
        let hidden = self.model.text_encoder.encode(&[prompt, ""])?;
        let states = PromptStates {
            prompt: hidden.clone().narrow(0, 0, 1),
            negative: hidden.narrow(0, 1, 1),
        };
        let numbers = number..number + 1;
        let go_on = |_| ControlFlow::Continue(());
        let painter = &self.model.painter;
        let painted = painter.paint(&states, &request, None, numbers, go_on)?;
        let picture = painted.into_iter().flatten().next();
        Ok(picture.ok_or("the painter painted nothing")?)
    }

    /// Paints many prompts, each with the number of its picture: see [`paint`](Self::paint). `done`
    /// is called behind each picture.
    ///
    /// # Errors
    /// Those of the model, and when the system gives no more threads.
    pub fn paint_all(
        &self,
        prompts: &[(&str, u64)],
        seed: u64,
        guidance: Option<f64>,
        done: impl Fn() + Sync,
    ) -> Result<Vec<Picture>, BoxError> {
        let paint = |&(prompt, number): &(&str, u64)| {
            let picture = self.paint(prompt, seed, number, guidance);
            done();
            picture
        };
        // A picture is too small for its operations to keep several cores busy.
        let workers = Workers::for_each_core()?;
        workers.map(prompts, paint).into_iter().collect()
    }

    /// The place of each asked thing in the judge's opinion of its picture, 0 where it sees it.
    ///
    /// # Errors
    /// For pictures of different sizes.
    pub fn ranks(&self, pictures: &[Picture], asked: &[usize]) -> Result<Vec<usize>, BoxError> {
        let mut ranks = Vec::with_capacity(pictures.len());
        for (pictures, asked) in pictures.chunks(BATCH).zip(asked.chunks(BATCH)) {
            let pixels = from_pictures(pictures, &self.device)?;
            ranks.extend(self.judge.ranks(pixels, asked));
        }
        Ok(ranks)
    }

    /// What the judge compares pictures by, a batch at a time: `[pictures, width]`.
    ///
    /// # Errors
    /// For pictures of different sizes.
    pub fn features(
        &self,
        pictures: &[Picture],
    ) -> impl Iterator<Item = Result<Tensor<B, 2>, BoxError>> {
        pictures.chunks(BATCH).map(|pictures| {
            let pixels = from_pictures(pictures, &self.device)?;
            Ok(self.judge.features(pixels))
        })
    }
}
