//! What a studio is asked for.

use std::ops::Range;

use mpm_diffusion::schedule::{DenoisingPlan, NoiseSchedule};

use crate::{InitialPicture, PaintError, PaintRequest, PaintSettings, PromptLimit};

/// The most pictures of one job, candidates included.
pub const MAX_PICTURES: u64 = 1024;

/// How many pictures are denoised at the same time unless something else is asked for.
pub const AT_ONCE: usize = 4;

/// Pictures of one prompt.
#[derive(Clone, Debug)]
pub struct PaintJob {
    /// What is to be seen.
    pub prompt: String,
    /// What is not to be seen; may be empty.
    pub negative_prompt: String,
    /// Size, sampler and seed.
    pub request: PaintRequest,
    /// What changes instead of noise.
    pub initial: Option<InitialPicture>,
    /// How many pictures, or which.
    pub selection: Selection,
    /// How many pictures are denoised at the same time, at least 1: more are faster on a GPU and
    /// take more memory. A picture depends on it by rounding only.
    pub at_once: usize,
}

/// The pictures of a job. Those of one seed are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// For each picture, the best of some candidates: of `0..candidates` for the first picture,
    /// and so on.
    Best {
        /// How many pictures.
        pictures: u64,
        /// How many candidates for each of them; 1 does not choose.
        candidates: u64,
    },
    /// Some of the pictures that were painted before, to get the same pixels again: they are
    /// painted together with those that they were painted with.
    Again {
        /// Their numbers.
        numbers: Vec<u64>,
        /// How many were painted then.
        painted: u64,
        /// Those of `numbers` that were blacked out, and stay so.
        blacked_out: Vec<u64>,
    },
}

impl PaintJob {
    /// One picture of a prompt.
    pub fn new(prompt: impl Into<String>, request: PaintRequest) -> Self {
        Self {
            prompt: prompt.into(),
            negative_prompt: String::new(),
            request,
            initial: None,
            selection: Selection::first(1),
            at_once: AT_ONCE,
        }
    }

    /// Finds out whether a model can do the job, before its weights are read.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`]; [`PaintError::Count`] for
    /// numbers of pictures that cannot be; those of [`Painter::plan`](crate::Painter::plan).
    pub fn check(
        &self,
        settings: &PaintSettings,
        prompts: &dyn PromptLimit,
    ) -> Result<DenoisingPlan, PaintError> {
        self.check_counts()?;
        let schedule = NoiseSchedule::new(settings.scheduler.clone())?;
        let plan = self.request.plan(
            &schedule,
            settings.convention,
            settings.downsampling,
            self.initial.as_ref(),
        )?;
        prompts.check(&self.prompt, &self.negative_prompt)?;
        Ok(plan)
    }

    pub(crate) fn check_counts(&self) -> Result<(), PaintError> {
        require("the number of pictures at once", self.at_once as u64)?;
        match &self.selection {
            Selection::Best {
                pictures,
                candidates,
            } => {
                require("the number of pictures", *pictures)?;
                require("the number of candidates", *candidates)?;
                require("the number of all candidates", self.selection.painted())
            }
            Selection::Again {
                numbers, painted, ..
            } => {
                require("the number of pictures", numbers.len() as u64)?;
                require("the number of painted pictures", *painted)?;
                match numbers.iter().find(|number| *number >= painted) {
                    None => Ok(()),
                    Some(number) => Err(PaintError::Recipe {
                        reason: format!(
                            "it is about picture {number}, but {painted} were painted, which \
                             count from 0"
                        ),
                    }),
                }
            }
        }
    }

    /// Which pictures are denoised together, in order.
    pub(crate) fn groups(&self) -> Vec<Range<u64>> {
        let (painted, at_once) = (self.selection.painted(), self.at_once as u64);
        let starts = (0..painted).step_by(self.at_once);
        starts
            .map(|start| start..(start + at_once).min(painted))
            .filter(|group| group.clone().any(|number| self.selection.paints(number)))
            .collect()
    }
}

impl Selection {
    /// Pictures without a choice.
    pub fn first(pictures: u64) -> Self {
        Self::Best {
            pictures,
            candidates: 1,
        }
    }

    /// How many pictures the seed is used for.
    pub fn painted(&self) -> u64 {
        match self {
            Self::Best {
                pictures,
                candidates,
            } => pictures.saturating_mul(*candidates),
            Self::Again { painted, .. } => *painted,
        }
    }

    /// How many pictures the job has.
    pub fn shown(&self) -> usize {
        match self {
            Self::Best { pictures, .. } => usize::try_from(*pictures).unwrap_or(usize::MAX),
            Self::Again { numbers, .. } => numbers.len(),
        }
    }

    /// Whether a picture has to be painted.
    pub(crate) fn paints(&self, number: u64) -> bool {
        match self {
            Self::Best { .. } => true,
            Self::Again {
                numbers,
                blacked_out,
                ..
            } => numbers.contains(&number) && !blacked_out.contains(&number),
        }
    }
}

fn require(what: &'static str, value: u64) -> Result<(), PaintError> {
    match (1..=MAX_PICTURES).contains(&value) {
        true => Ok(()),
        false => Err(PaintError::Count {
            what,
            value,
            limit: MAX_PICTURES,
        }),
    }
}
