//! The half of a studio that needs the UNet.

use std::ops::ControlFlow;

use burn::tensor::backend::Backend;
use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_vision::clip::{SafetyReport, rank};

use crate::{
    PaintError, PaintJob, PaintProgress, PaintRequest, Painter, PictureCheck, PictureChooser,
    PromptStates, Selection,
};

/// Paints, checks what came out and chooses among candidates.
#[derive(Clone, Debug)]
pub struct PictureMaker<B: Backend> {
    /// The diffusion model.
    pub painter: Painter<B>,
    /// What blacks pictures out, if anything.
    pub check: Option<PictureCheck<B>>,
    /// What chooses among candidates.
    pub chooser: Option<PictureChooser<B>>,
}

/// A picture of a job.
#[derive(Clone, Debug)]
pub struct FinishedPicture {
    /// Which of the seed's pictures it is.
    pub number: u64,
    /// All black if it was blacked out.
    pub picture: Picture,
    /// Whether it is shown.
    pub verdict: Verdict,
    /// How well it fits the prompt, if there is a chooser.
    pub score: Option<f32>,
}

/// Whether a picture is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// As it was painted.
    Shown,
    /// It is black, for the check found this.
    BlackedOut(SafetyReport),
    /// It is black, for it was blacked out when it was painted before.
    StaysBlack,
}

impl Verdict {
    /// Whether the picture is as it was painted.
    pub fn is_shown(&self) -> bool {
        *self == Self::Shown
    }
}

impl<B: MpmBackend> PictureMaker<B> {
    /// Makes the pictures of a job. `None` when `progress` broke off; it is called after every
    /// step and counts those of all pictures.
    ///
    /// Among candidates, those that may be shown come before those that may not.
    ///
    /// # Errors
    /// Those of [`Painter::paint`]; [`PaintError::Count`] for numbers of pictures that cannot be;
    /// [`PaintError::NoChooser`] for candidates without a chooser; [`PaintError::Vision`] when
    /// a check fails.
    pub fn make(
        &self,
        states: &PromptStates<B>,
        job: &PaintJob,
        progress: impl FnMut(PaintProgress) -> ControlFlow<()>,
    ) -> Result<Option<Vec<FinishedPicture>>, PaintError> {
        let mut pictures = Vec::new();
        let flow = self.make_each(states, job, progress, |picture| {
            pictures.push(picture);
            Ok::<_, PaintError>(())
        })?;
        Ok(flow.is_continue().then_some(pictures))
    }

    /// As [`make`](Self::make), but hands each picture over as soon as it is finished, in order:
    /// whatever becomes of the others, it is there. Breaks when `progress` did.
    ///
    /// # Errors
    /// Those of [`make`](Self::make) and of `finished`, which end the job.
    pub fn make_each<E: From<PaintError>>(
        &self,
        states: &PromptStates<B>,
        job: &PaintJob,
        mut progress: impl FnMut(PaintProgress) -> ControlFlow<()>,
        mut finished: impl FnMut(FinishedPicture) -> Result<(), E>,
    ) -> Result<ControlFlow<()>, E> {
        job.check_counts()?;
        if let Selection::Best { candidates, .. } = job.selection
            && candidates > 1
            && self.chooser.is_none()
        {
            return Err(PaintError::NoChooser { candidates }.into());
        }
        let groups = job.groups();
        let initial = job.initial.as_ref();
        // Of a job all of whose pictures stay black nothing is painted.
        let prepared = match groups.is_empty() {
            true => None,
            false => Some(self.painter.prepare(states, &job.request, initial)?),
        };
        let mut painted = Vec::new();
        for (done, (group, prepared)) in groups.iter().zip(prepared.iter().cycle()).enumerate() {
            let counted = |PaintProgress { step, steps }| {
                progress(PaintProgress {
                    step: done * steps + step,
                    steps: groups.len() * steps,
                })
            };
            let pictures = self
                .painter
                .paint_prepared(prepared, group.clone(), counted)?;
            let Some(pictures) = pictures else {
                return Ok(ControlFlow::Break(()));
            };
            let numbered = group.clone().zip(pictures);
            let wanted = numbered.filter(|&(number, _)| job.selection.paints(number));
            painted.extend(self.finish(job, wanted.collect())?);
            if let Selection::Best { candidates, .. } = job.selection {
                let candidates = candidates as usize;
                let whole = painted.len() / candidates * candidates;
                let rest = painted.split_off(whole);
                for picture in choose(std::mem::replace(&mut painted, rest), candidates) {
                    finished(picture)?;
                }
            }
        }
        if let Selection::Again {
            numbers,
            blacked_out,
            ..
        } = &job.selection
        {
            for picture in again(painted, job, numbers, blacked_out)? {
                finished(picture)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Scores pictures, and blacks out what may not be shown.
    fn finish(
        &self,
        job: &PaintJob,
        painted: Vec<(u64, Picture)>,
    ) -> Result<Vec<FinishedPicture>, PaintError> {
        let (numbers, pictures): (Vec<u64>, Vec<Picture>) = painted.into_iter().unzip();
        let (mut scores, mut reports) = (Vec::new(), Vec::new());
        for pictures in pictures.chunks(job.at_once) {
            if let Some(chooser) = &self.chooser {
                scores.extend(chooser.scores(&job.prompt, pictures)?);
            }
            if let Some(check) = &self.check {
                reports.extend(check.check(pictures)?);
            }
        }
        let (mut scores, mut reports) = (scores.into_iter(), reports.into_iter());
        let finish = |(number, picture)| {
            let (picture, verdict) = match reports.next().filter(SafetyReport::is_flagged) {
                Some(report) => (black(&job.request)?, Verdict::BlackedOut(report)),
                None => (picture, Verdict::Shown),
            };
            Ok(FinishedPicture {
                number,
                picture,
                verdict,
                score: scores.next(),
            })
        };
        numbers.into_iter().zip(pictures).map(finish).collect()
    }
}

/// The best of each `candidates` pictures.
fn choose(mut pictures: Vec<FinishedPicture>, candidates: usize) -> Vec<FinishedPicture> {
    let mut chosen = Vec::with_capacity(pictures.len() / candidates);
    while !pictures.is_empty() {
        let rest = pictures.split_off(candidates.min(pictures.len()));
        let scores: Vec<f32> = pictures
            .iter()
            .map(|picture| picture.score.unwrap_or_default())
            .collect();
        let places = rank(&scores);
        let shown = places
            .iter()
            .find(|&&place| pictures[place].verdict.is_shown());
        if let Some(&best) = shown.or(places.first()) {
            chosen.push(pictures.swap_remove(best));
        }
        pictures = rest;
    }
    chosen
}

/// Pictures by their numbers, and black where they were black before.
fn again(
    pictures: Vec<FinishedPicture>,
    job: &PaintJob,
    numbers: &[u64],
    blacked_out: &[u64],
) -> Result<Vec<FinishedPicture>, PaintError> {
    let of_number = |&number: &u64| {
        if blacked_out.contains(&number) {
            return Ok(FinishedPicture {
                number,
                picture: black(&job.request)?,
                verdict: Verdict::StaysBlack,
                score: None,
            });
        }
        let found = pictures.iter().find(|picture| picture.number == number);
        found.cloned().ok_or(PaintError::NoPictures)
    };
    numbers.iter().map(of_number).collect()
}

fn black(request: &PaintRequest) -> Result<Picture, PaintError> {
    let pixels = vec![0; request.width * request.height * 3];
    let black = Picture::from_rgb(request.width as u32, request.height as u32, pixels);
    Ok(black?)
}
