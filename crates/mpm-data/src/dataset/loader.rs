//! Batches of examples whose pictures are ready for a model.

use std::num::NonZeroUsize;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{
    BadExample, CaptionCleaning, DatasetMix, ExampleText, Flaw, MemberReport, MixPosition,
    MixedExample, Origin,
};
use crate::{
    DataError,
    picture::{Picture, PictureLimits},
};

/// Keeps the random numbers of examples apart from those that order them.
const EXAMPLES: u64 = 0x6C6F_6164_6572;

/// How examples become batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Examples of a batch; the last one before the end of the data may have fewer.
    pub batch: NonZeroUsize,
    /// Threads that decode and prepare. Results do not depend on their number.
    pub workers: NonZeroUsize,
    /// Decides augmentation and whatever else is drawn for an example.
    pub seed: u64,
    /// Larger pictures are unusable.
    pub limits: PictureLimits,
    /// Pictures that are less wide or high, in pixels, are unusable. VisCPM takes 224.
    pub min_side: u32,
    /// Captions stay as they are for `None`.
    pub cleaning: Option<CaptionCleaning>,
}

impl LoaderOptions {
    /// Pictures of any size, captions as they are, a single worker.
    pub fn new(batch: NonZeroUsize, seed: u64) -> Self {
        Self {
            batch,
            workers: NonZeroUsize::MIN,
            seed,
            limits: PictureLimits::default(),
            min_side: 0,
            cleaning: None,
        }
    }
}

/// An example whose pictures were prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedExample<T> {
    /// In the order of the text.
    pub pictures: Vec<T>,
    /// The text, cleaned if that was asked for.
    pub text: ExampleText,
    /// Where it stands, for reports.
    pub origin: Origin,
    /// Its number in the mix; its random numbers are a function of it.
    pub number: u64,
    /// The member of the mix that it comes from.
    pub member: usize,
}

/// Decodes and prepares the examples of a mix on worker threads.
///
/// `prepare` makes of a picture what the model reads; what it draws from the random numbers
/// depends on the seed and on the example only. An example that turns out to be unusable is
/// counted and logged as those that the readers find, and the next one takes its place.
pub struct ExampleLoader<F> {
    mix: DatasetMix,
    options: LoaderOptions,
    prepare: F,
    pool: ThreadPool,
    /// Where the next batch begins.
    position: MixPosition,
    /// An error left the mix in the middle of a batch.
    torn: bool,
}

impl<T, F> ExampleLoader<F>
where
    T: Send,
    F: Fn(Picture, &mut ChaCha8Rng) -> T + Sync,
{
    /// Goes on where `mix` stands.
    ///
    /// # Errors
    /// [`DataError::Workers`] when the threads cannot be started.
    pub fn new(mix: DatasetMix, options: LoaderOptions, prepare: F) -> Result<Self, DataError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(options.workers.get())
            .thread_name(|number| format!("mpm-data-{number}"))
            .build()
            .map_err(DataError::Workers)?;
        Ok(Self {
            position: mix.position(),
            mix,
            options,
            prepare,
            pool,
            torn: false,
        })
    }

    /// The next batch, in the order of the mix; `None` at the end of the data.
    ///
    /// # Errors
    /// As [`DatasetMix::next_example`]. The position stays before the batch.
    pub fn next_batch(&mut self) -> Result<Option<Vec<LoadedExample<T>>>, DataError> {
        if self.torn {
            self.mix.seek(&self.position)?;
        }
        self.torn = true;
        let mut batch = Vec::with_capacity(self.options.batch.get());
        while batch.len() < self.options.batch.get() {
            let wanted = self.options.batch.get() - batch.len();
            let mut drawn = Vec::with_capacity(wanted);
            while drawn.len() < wanted
                && let Some(example) = self.mix.next_example()?
            {
                drawn.push(example);
            }
            if drawn.is_empty() {
                break;
            }
            let Self {
                options,
                prepare,
                pool,
                ..
            } = &*self;
            let loaded: Vec<_> = pool.install(|| {
                let drawn = drawn.into_par_iter();
                drawn.map(|one| load(one, options, prepare)).collect()
            });
            for (member, loaded) in loaded {
                match loaded {
                    Ok(example) => batch.push(example),
                    Err(bad) => self.mix.report(member, &bad)?,
                }
            }
        }
        self.torn = false;
        self.position = self.mix.position();
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Where the next batch begins.
    pub fn position(&self) -> &MixPosition {
        &self.position
    }

    /// Goes to a position of a loader of the same data and options.
    ///
    /// # Errors
    /// As [`DatasetMix::seek`].
    pub fn seek(&mut self, position: &MixPosition) -> Result<(), DataError> {
        self.mix.seek(position)?;
        self.position = position.clone();
        self.torn = false;
        Ok(())
    }

    /// What became of the members of the mix so far.
    pub fn reports(&self) -> Vec<MemberReport> {
        self.mix.reports()
    }
}

fn load<T>(
    drawn: MixedExample,
    options: &LoaderOptions,
    prepare: impl Fn(Picture, &mut ChaCha8Rng) -> T,
) -> (usize, Result<LoadedExample<T>, BadExample>) {
    let MixedExample {
        number,
        member,
        mut example,
    } = drawn;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ EXAMPLES);
    rng.set_stream(number);
    let mut prepared = || {
        if let Some(cleaning) = &options.cleaning {
            cleaning.apply(&mut example, &mut rng)?;
        }
        let sources = example.pictures.iter().enumerate();
        let pictures = sources.map(|(number, source)| {
            let decoded = source.decode(&options.limits);
            let picture = decoded.map_err(|source| Flaw::Picture { number, source })?;
            let (width, height) = (picture.width(), picture.height());
            if width.min(height) < options.min_side {
                let min = options.min_side;
                return Err(Flaw::Small {
                    number,
                    width,
                    height,
                    min,
                });
            }
            Ok(prepare(picture, &mut rng))
        });
        pictures.collect::<Result<Vec<_>, Flaw>>()
    };
    let loaded = match prepared() {
        Ok(pictures) => Ok(LoadedExample {
            pictures,
            text: example.text,
            origin: example.origin,
            number,
            member,
        }),
        Err(flaw) => Err(BadExample {
            origin: example.origin,
            flaw,
        }),
    };
    (member, loaded)
}
