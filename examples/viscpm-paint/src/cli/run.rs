//! Painting one task after the other.

use std::{path::Path, process::ExitCode, time::Instant};

use mpm_core::MpmBackend;
use mpm_data::picture::{Picture, contact_sheet};
use viscpm_common::cli::{
    BoxError, Interrupt,
    failure::{INTERRUPTED, is_closed_pipe},
};
use viscpm_paint::{FinishedPicture, PictureMaker, PromptReader, Reading, Recipe};

use super::{
    bar::Bar,
    files::{Output, write},
    load::Loader,
    repeat::Circumstances,
    report::{Reporter, black_pictures},
    task::{COLUMNS, InitialFiles, Task},
};

/// The exit code when a prompt or a picture was refused.
const REFUSED: u8 = 3;

/// The keyword of what the checks say about the pictures of a file.
const SAFETY: &str = "safety";

/// A task, or why there is none.
pub struct Entry {
    /// Its line in a batch; a task of the command line has none, and its errors end the program.
    pub line: Option<usize>,
    pub task: Result<Task, BoxError>,
}

/// How results are written.
pub struct Run<'a> {
    pub force: bool,
    pub json: bool,
    pub low_memory: bool,
    pub circumstances: &'a Circumstances,
}

/// A task whose prompt was read, or why there is none.
struct Ready<B: MpmBackend> {
    line: Option<usize>,
    task: Result<ReadTask<B>, BoxError>,
}

struct ReadTask<B: MpmBackend> {
    task: Task,
    reading: Reading<B>,
    /// How long reading took.
    seconds: f64,
}

/// What became of a task that did not fail.
#[derive(PartialEq, Eq)]
enum Done {
    Painted,
    /// The prompt, or at least one of the pictures.
    Refused,
    Interrupted,
}

impl Run<'_> {
    /// Does all tasks. Ctrl-C ends them between two steps; what is finished stays, and so do the
    /// pictures of a task that have files of their own.
    pub fn all<B: MpmBackend>(
        &self,
        entries: Vec<Entry>,
        loader: &Loader<'_, B>,
    ) -> Result<ExitCode, BoxError> {
        if !entries.iter().any(|entry| entry.task.is_ok()) {
            // Of a batch: without a task that can be done, nothing needs to be loaded.
            for entry in &entries {
                if let Err(error) = &entry.task {
                    self.reporter(entry.line).failed(error)?;
                }
            }
            return Ok(match entries.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            });
        }
        // The small models first: mistakes come to light before the large one is read.
        let mut checks = loader.checks()?;
        loader.files.check::<B>(loader.device)?;
        let reader = loader.reader(&mut checks)?;
        let readings = entries.into_iter().map(|entry| Ready {
            line: entry.line,
            task: entry.task.and_then(|task| read(&reader, task)),
        });
        if self.low_memory {
            let readings: Vec<_> = readings.collect();
            drop(reader);
            return self.paint(readings.into_iter(), &loader.maker(checks)?);
        }
        self.paint(readings, &loader.maker(checks)?)
    }

    fn paint<B: MpmBackend>(
        &self,
        tasks: impl Iterator<Item = Ready<B>>,
        maker: &PictureMaker<B>,
    ) -> Result<ExitCode, BoxError> {
        let interrupt = Interrupt::install()?;
        let (mut failed, mut refused) = (false, false);
        for Ready { line, task } in tasks {
            let done = task.and_then(|task| self.one(task, line, maker, &interrupt));
            match (done, line) {
                (Ok(done), _) => refused |= done == Done::Refused,
                (Err(error), None) => return Err(error),
                (Err(error), Some(_)) if is_closed_pipe(error.as_ref()) => return Err(error),
                (Err(error), Some(_)) => {
                    failed = true;
                    self.reporter(line).failed(&error)?;
                }
            }
            if interrupt.pressed() {
                return Ok(ExitCode::from(INTERRUPTED));
            }
        }
        Ok(match (failed, refused) {
            (true, _) => ExitCode::FAILURE,
            (false, true) => ExitCode::from(REFUSED),
            (false, false) => ExitCode::SUCCESS,
        })
    }

    fn one<B: MpmBackend>(
        &self,
        ReadTask {
            mut task,
            reading,
            seconds,
        }: ReadTask<B>,
        line: Option<usize>,
        maker: &PictureMaker<B>,
        interrupt: &Interrupt,
    ) -> Result<Done, BoxError> {
        let started = Instant::now();
        let states = match reading {
            Reading::Read(states) => states,
            Reading::Refused(refusal) => {
                self.reporter(line).refused(&task.job, &refusal)?;
                return Ok(Done::Refused);
            }
        };
        task.job.initial = task.initial.as_ref().map(InitialFiles::open).transpose()?;
        let bar = Bar::new(line);
        let mut all_shown = true;
        let mut paths = match &task.output {
            Output::Sheet(_) => [].iter(),
            Output::Separate(paths) => paths.iter(),
        };
        let mut sheet = Vec::new();
        let flow = maker.make_each(
            &states,
            &task.job,
            |progress| {
                bar.step(progress);
                interrupt.flow()
            },
            |picture| {
                all_shown &= picture.verdict.is_shown();
                let Some(path) = paths.next() else {
                    sheet.push(picture);
                    return Ok::<_, BoxError>(());
                };
                let seconds = seconds + started.elapsed().as_secs_f64();
                bar.aside(|| self.write(&task, line, path, &[picture], seconds))
            },
        )?;
        drop(bar);
        if flow.is_break() {
            return Ok(Done::Interrupted);
        }
        if let Output::Sheet(path) = &task.output {
            let seconds = seconds + started.elapsed().as_secs_f64();
            self.write(&task, line, path, &sheet, seconds)?;
        }
        Ok(match all_shown {
            true => Done::Painted,
            false => Done::Refused,
        })
    }

    /// Writes a file with its recipe, and reports it.
    fn write(
        &self,
        task: &Task,
        line: Option<usize>,
        path: &Path,
        pictures: &[FinishedPicture],
        seconds: f64,
    ) -> Result<(), BoxError> {
        let initial = match (&task.initial, &task.job.initial) {
            (Some(files), Some(initial)) => Some(files.recipe(initial)),
            _ => None,
        };
        let recipe = Recipe::new(&task.job, pictures, initial);
        let mut texts = recipe.texts()?;
        texts.extend(self.circumstances.texts());
        if let Some(reasons) = black_pictures(pictures) {
            texts.push((SAFETY.to_owned(), reasons));
        }
        let shown: Vec<Picture> = pictures
            .iter()
            .map(|picture| picture.picture.clone())
            .collect();
        let bytes = contact_sheet(&shown, COLUMNS)?.encode_png(&texts)?;
        write(path, self.force, &bytes)?;
        self.reporter(line)
            .painted(path, &recipe, pictures, seconds)
    }

    fn reporter(&self, line: Option<usize>) -> Reporter {
        Reporter {
            json: self.json,
            line,
        }
    }
}

fn read<B: MpmBackend>(reader: &PromptReader<B>, task: Task) -> Result<ReadTask<B>, BoxError> {
    let started = Instant::now();
    let reading = reader.read(&task.job.prompt, &task.job.negative_prompt)?;
    Ok(ReadTask {
        task,
        reading,
        seconds: started.elapsed().as_secs_f64(),
    })
}
