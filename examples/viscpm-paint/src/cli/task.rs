//! From the arguments, a line of a batch or a file to a job.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
};

use mpm_data::picture::{Picture, sheet_size};
use viscpm_common::cli::{BoxError, lines};
use viscpm_paint::{
    InitialPicture, InitialRecipe, PaintError, PaintJob, PaintRequest, PaintSettings, PromptLimit,
    Selection,
};

use super::{
    args::{Args, Settings},
    files::Output,
    repeat::Repeat,
    size::Size,
    usage,
};

/// Pictures in a row of a sheet, as the reference has it.
pub const COLUMNS: usize = 8;

/// How much of a picture changes unless something else is asked for.
const STRENGTH: f64 = 0.8;

/// A job and where its pictures go. It was checked, so that only the work itself can fail.
#[derive(Debug)]
pub struct Task {
    /// What is painted; the picture to begin with is read anew when it is needed, for a batch may
    /// have many.
    pub job: PaintJob,
    pub initial: Option<InitialFiles>,
    pub output: Output,
    /// What its files take at most.
    pub bytes: u64,
}

/// The files of a picture to begin with.
#[derive(Clone, Debug)]
pub struct InitialFiles {
    pub picture: PathBuf,
    pub strength: f64,
    pub mask: Option<PathBuf>,
}

impl InitialFiles {
    pub fn open(&self) -> Result<InitialPicture, BoxError> {
        Ok(InitialPicture {
            picture: Picture::open(&self.picture)?,
            strength: self.strength,
            mask: self.mask.as_ref().map(Picture::open).transpose()?,
        })
    }

    /// What a recipe says about them.
    pub fn recipe(&self, initial: &InitialPicture) -> InitialRecipe {
        let name = |path: &Path| path.to_string_lossy().into_owned();
        let mask = self.mask.as_deref().map(name);
        InitialRecipe::new(initial, name(&self.picture), mask)
    }
}

/// What tasks are made of, beside their settings.
pub struct Planner<'a> {
    pub args: &'a Args,
    pub settings: PaintSettings,
    pub prompts: &'a dyn PromptLimit,
}

impl Planner<'_> {
    /// The one task of the command line.
    pub fn single(&self, out: &Path) -> Result<Task, BoxError> {
        let settings = &self.args.settings;
        settings.check_initial().map_err(usage)?;
        let output = |pictures| match self.args.files.separate {
            true => Output::numbered(out, pictures),
            false => Output::Sheet(out.to_path_buf()),
        };
        self.task(settings, output)
            .map_err(|error| self.blame(error))
    }

    /// A line of a batch.
    pub fn line(&self, number: usize, line: &[u8], folder: &Path) -> Result<Task, BoxError> {
        let settings: Settings = lines::parse(line)?;
        if settings.prompt.is_none() {
            return Err("the line has no `prompt`; say what is to be painted".into());
        }
        let path = folder.join(format!("{number:05}.png"));
        let settings = settings.or(&self.args.settings);
        settings.check_initial()?;
        self.task(&settings, |_| Output::Sheet(path))
    }

    /// What a file of this program was made of.
    pub fn again(&self, repeat: &Repeat, out: &Path) -> Result<Task, BoxError> {
        let initial = repeat.initial_files(&self.args.settings);
        let opened = initial.as_ref().map(InitialFiles::open).transpose();
        let opened = opened.map_err(|error| {
            format!("{error}; the picture was made of it: say where it is with --init-image (and --mask)")
        })?;
        let mut job = repeat.recipe.job(opened)?;
        let (job, output) = (self.checked(&mut job)?, Output::Sheet(out.to_path_buf()));
        Ok(Task {
            bytes: self.check_output(&job, &output)?,
            job,
            initial,
            output,
        })
    }

    fn task(
        &self,
        settings: &Settings,
        output: impl FnOnce(u64) -> Output,
    ) -> Result<Task, BoxError> {
        let pictures = settings.n.unwrap_or(1);
        let candidates = settings.rerank.unwrap_or(1);
        if candidates > 1 && self.args.checks.clip.is_none() {
            return Err(
                "to choose among candidates (rerank) takes Chinese-CLIP; name its folder \
                        with --clip"
                    .into(),
            );
        }
        let initial = settings.initial_files();
        let opened = initial.as_ref().map(InitialFiles::open).transpose()?;
        let mut job = PaintJob {
            prompt: settings.prompt.clone().unwrap_or_default(),
            negative_prompt: settings.negative.clone().unwrap_or_default(),
            request: self.request(settings, opened.as_ref()),
            initial: opened,
            selection: Selection::Best {
                pictures,
                candidates,
            },
            at_once: self.args.model.at_once,
        };
        let (job, output) = (self.checked(&mut job)?, output(pictures));
        Ok(Task {
            bytes: self.check_output(&job, &output)?,
            job,
            initial,
            output,
        })
    }

    fn request(&self, settings: &Settings, initial: Option<&InitialPicture>) -> PaintRequest {
        let default = self.settings.default_request(0);
        let scheduler = settings.scheduler.unwrap_or(default.scheduler);
        let size = settings.size.or(initial.map(|initial| Size {
            width: initial.picture.width() as usize,
            height: initial.picture.height() as usize,
        }));
        PaintRequest {
            width: size.map_or(default.width, |size| size.width),
            height: size.map_or(default.height, |size| size.height),
            scheduler,
            steps: settings
                .steps
                .unwrap_or_else(|| self.settings.defaults.steps_of(scheduler)),
            guidance: settings.guidance.unwrap_or(default.guidance),
            seed: settings.seed.unwrap_or_else(random_seed),
        }
    }

    /// The job without its picture to begin with, which was needed for the checks.
    fn checked(&self, job: &mut PaintJob) -> Result<PaintJob, PaintError> {
        job.check(&self.settings, self.prompts)?;
        job.initial = None;
        Ok(job.clone())
    }

    /// Checks the names of a job's files. Returns how many bytes all of them take at most.
    fn check_output(&self, job: &PaintJob, output: &Output) -> Result<u64, BoxError> {
        let size = [job.request.width as u32, job.request.height as u32];
        let [width, height] = match output {
            Output::Separate(_) => size,
            Output::Sheet(_) => sheet_size(job.selection.shown(), COLUMNS, size)
                .map_err(|error| format!("the sheet of all pictures: {error}"))?,
        };
        output.check(self.args.files.force)?;
        // Pixels that do not compress, and room for texts.
        let bytes = u64::from(width) * u64::from(height) * 3 + (64 << 10);
        Ok(bytes * output.paths().len() as u64)
    }

    /// Makes what is wrong with the arguments, not with files, an error of usage.
    fn blame(&self, error: BoxError) -> BoxError {
        match error.downcast_ref() {
            Some(
                PaintError::EmptyPrompt
                | PaintError::Size { .. }
                | PaintError::Count { .. }
                | PaintError::Diffusion(_),
            ) => usage(error.to_string()),
            _ => error,
        }
    }
}

impl Settings {
    /// A mask or a strength says nothing about noise.
    fn check_initial(&self) -> Result<(), String> {
        let given = [
            (self.mask.is_some(), "a mask"),
            (self.strength.is_some(), "a strength"),
        ];
        match given.into_iter().find(|&(given, _)| given) {
            Some((_, what)) if self.init_image.is_none() => Err(format!(
                "{what} is about a picture to begin with; name one with --init-image \
                 (\"init_image\")"
            )),
            _ => Ok(()),
        }
    }

    fn initial_files(&self) -> Option<InitialFiles> {
        Some(InitialFiles {
            picture: self.init_image.clone()?,
            strength: self.strength.unwrap_or(STRENGTH),
            mask: self.mask.clone(),
        })
    }
}

/// A seed from the operating system's randomness, short enough to be typed again.
fn random_seed() -> u64 {
    u64::from(RandomState::new().build_hasher().finish() as u32)
}
