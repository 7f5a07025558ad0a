//! All of painting in one place.

use std::ops::ControlFlow;

use burn::tensor::backend::Backend;
use mpm_core::MpmBackend;
use mpm_llm::bert::PromptRefusal;

use crate::{
    FinishedPicture, PaintError, PaintJob, PaintModel, PaintProgress, Painter, PictureMaker,
    PromptEncoder, PromptReader, Reading, StableDiffusion,
};

/// A whole model with the optional checks and the optional choice among candidates.
#[derive(Clone, Debug)]
pub struct Studio<B: Backend> {
    /// From prompts to hidden states.
    pub reader: PromptReader<B>,
    /// From hidden states to pictures.
    pub maker: PictureMaker<B>,
}

/// What became of a job.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its pictures, of which some may be blacked out.
    Painted(Vec<FinishedPicture>),
    /// Its prompt may not be painted, and why.
    Refused(PromptRefusal),
    /// It was broken off.
    Cancelled,
}

impl<B: Backend> Studio<B> {
    /// A studio without checks and choice.
    pub fn new(text_encoder: impl Into<PromptEncoder<B>>, painter: Painter<B>) -> Self {
        Self {
            reader: PromptReader {
                text_encoder: text_encoder.into(),
                check: None,
            },
            maker: PictureMaker {
                painter,
                check: None,
                chooser: None,
            },
        }
    }
}

impl<B: Backend> From<PaintModel<B>> for Studio<B> {
    fn from(model: PaintModel<B>) -> Self {
        Self::new(model.text_encoder, model.painter)
    }
}

impl<B: Backend> From<StableDiffusion<B>> for Studio<B> {
    fn from(model: StableDiffusion<B>) -> Self {
        Self::new(model.text_encoder, model.painter)
    }
}

impl<B: MpmBackend> Studio<B> {
    /// Does a job. `progress` is called after every step and may break it off.
    ///
    /// # Errors
    /// Those of [`PromptReader::read`] and [`PictureMaker::make`].
    pub fn paint(
        &self,
        job: &PaintJob,
        progress: impl FnMut(PaintProgress) -> ControlFlow<()>,
    ) -> Result<Outcome, PaintError> {
        // A mistake in the rest comes to light before the language model works.
        job.check_counts()?;
        self.maker
            .painter
            .plan(&job.request, job.initial.as_ref())?;
        let states = match self.reader.read(&job.prompt, &job.negative_prompt)? {
            Reading::Read(states) => states,
            Reading::Refused(refusal) => return Ok(Outcome::Refused(refusal)),
        };
        Ok(match self.maker.make(&states, job, progress)? {
            Some(pictures) => Outcome::Painted(pictures),
            None => Outcome::Cancelled,
        })
    }
}
