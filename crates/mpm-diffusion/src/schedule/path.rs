//! The noise levels between which a sampler steps.

use super::{
    BetaSchedule, Convention, Denoised, DenoisingStep, Next, NoiseLevel, NoiseSchedule,
    PredictionType, ScheduleError, Timesteps,
};

/// Exponent of the spacing of Karras sigmas (equation 5 of <https://arxiv.org/abs/2206.00364>).
const KARRAS_RHO: f64 = 7.0;

/// By how much powers and logarithms may put a whole timestep below itself.
const ROUNDING: f64 = 1e-6;

/// Where steps begin, and where the last of them ends.
#[derive(Debug, Clone)]
pub(super) struct Path {
    stages: Vec<Stage>,
    end: NoiseLevel,
}

/// Where a step begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    pub timestep: f64,
    pub level: NoiseLevel,
}

impl Path {
    /// Visits given timesteps, noisiest first.
    pub fn new(
        schedule: &NoiseSchedule,
        timesteps: &[f64],
        end: NoiseLevel,
    ) -> Result<Self, ScheduleError> {
        let stage = |&timestep: &f64| {
            let level = schedule.level_between(timestep)?;
            Ok(Stage { timestep, level })
        };
        let stages = timesteps.iter().map(stage).collect::<Result<Vec<_>, _>>()?;
        let repeated = stages
            .windows(2)
            .find(|pair| pair[1].level.sigma() >= pair[0].level.sigma());
        match repeated {
            Some(pair) => Err(ScheduleError::Repeated {
                steps: timesteps.len(),
                timestep: pair[1].timestep,
            }),
            None => Ok(Self { stages, end }),
        }
    }

    /// Visits evenly spaced timesteps, whole ones, and ends at `end`.
    pub fn whole(
        schedule: &NoiseSchedule,
        timesteps: Timesteps,
        steps: usize,
        end: NoiseLevel,
    ) -> Result<Self, ScheduleError> {
        check_steps(steps, schedule.num_train_timesteps())?;
        let timesteps = timesteps.spaced(steps, schedule.num_train_timesteps());
        let whole: Vec<f64> = timesteps.iter().map(|t| t.round_ties_even()).collect();
        Self::new(schedule, &whole, end)
    }

    /// From the most noise to the least so that steps get shorter towards the end, and from there
    /// to `end`. The model is told whole timesteps, as in the reference.
    pub fn karras(
        schedule: &NoiseSchedule,
        steps: usize,
        end: NoiseLevel,
        convention: Convention,
    ) -> Result<Self, ScheduleError> {
        let trained = schedule.num_train_timesteps();
        check_steps(steps, trained)?;
        let root = |timestep| Ok(schedule.level(timestep)?.sigma().powf(1.0 / KARRAS_RHO));
        let (most, least): (f64, f64) = (root(trained - 1)?, root(0)?);
        let whole = whole_timestep(schedule, convention);
        let stage = |i: usize| {
            let ramp = i as f64 / (steps - 1).max(1) as f64;
            let sigma = (most + ramp * (least - most)).powf(KARRAS_RHO);
            Stage {
                timestep: whole(schedule.timestep_of(sigma)),
                level: NoiseLevel::from_sigma(sigma),
            }
        };
        Ok(Self {
            stages: (0..steps).map(stage).collect(),
            end,
        })
    }

    /// Where each step begins and the level where it ends.
    pub fn steps(&self) -> impl Iterator<Item = (Stage, NoiseLevel)> {
        let ends = self.stages.iter().skip(1).map(|stage| stage.level);
        let ends = ends.chain([self.end]);
        self.stages.iter().copied().zip(ends)
    }

    /// Where the first step begins.
    pub fn start(&self) -> NoiseLevel {
        self.stages.first().map_or(self.end, |stage| stage.level)
    }
}

impl Stage {
    /// A step whose sample keeps its variance, which is what the model takes.
    pub fn step(&self, schedule: &NoiseSchedule, next: Next) -> DenoisingStep {
        self.scaled_step(schedule, 1.0, next)
    }

    /// A step whose sample is `x₀ + σ · ε`, as in k-diffusion.
    pub fn step_in_sigma(&self, schedule: &NoiseSchedule, next: Next) -> DenoisingStep {
        self.scaled_step(schedule, self.level.signal, next)
    }

    /// A step whose sample has to be multiplied by `input_scale` for the model.
    fn scaled_step(&self, schedule: &NoiseSchedule, input_scale: f64, next: Next) -> DenoisingStep {
        let NoiseLevel { signal, noise } = self.level;
        let (sample, output) = match schedule.prediction_type() {
            PredictionType::Epsilon => (input_scale / signal, -noise / signal),
            PredictionType::VPrediction => (input_scale * signal, -noise),
            PredictionType::Sample => (0.0, 1.0),
        };
        DenoisingStep {
            timestep: self.timestep,
            signal_scale: signal / input_scale,
            noise_scale: noise / input_scale,
            input_scale,
            denoised: Denoised { sample, output },
            clip: schedule.config().clip(),
            next,
        }
    }
}

/// How the timesteps of Karras sigmas, which are not negative, become whole.
fn whole_timestep(schedule: &NoiseSchedule, convention: Convention) -> fn(f64) -> f64 {
    match (convention, schedule.config().beta_schedule) {
        // Since 0.33 the reference casts these to integers without rounding them.
        (Convention::Current, BetaSchedule::SquaredcosCapV2) => |t: f64| (t + ROUNDING).floor(),
        _ => f64::round_ties_even,
    }
}

/// An error unless there are 1 to `most` steps.
pub(super) fn check_steps(steps: usize, most: usize) -> Result<(), ScheduleError> {
    match steps {
        0 => Err(ScheduleError::NoSteps),
        _ if steps > most => Err(ScheduleError::TooManySteps { steps, most }),
        _ => Ok(()),
    }
}
