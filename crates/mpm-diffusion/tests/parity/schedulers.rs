//! Noise schedules and samplers against diffusers (f32 on the CPU): tables, and whole
//! trajectories with given noise and a simple function in place of the model.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use mpm_diffusion::schedule::{
    Convention, Ddim, DenoisingPlan, DenoisingState, DenoisingStep, NoiseSchedule,
    NoiseScheduleConfig, Scheduler, SchedulerKind, TimestepSpacing,
};
use mpm_test_support::{Case, TestBackend, Tolerance, assert_values_close, cases, report};
use serde::Deserialize;
use serde_json::Value;

type B = TestBackend;

/// Cases with a `config`, `runs`, and for each run `in.TAG.*` and `out.TAG.*`.
const PREFIX: &str = "g_schedulers";

/// The reference multiplies a thousand f32 factors, ours are f64.
const TABLE: Tolerance = Tolerance {
    absolute: 1e-7,
    relative: 1e-6,
    ..Tolerance::EXACT
};
/// Sigmas come of `1 − ᾱ`: at the first timesteps that cancels all but 1e-3, and at the last ones
/// of a cosine `ᾱ` is a product of small factors.
const SIGMA: Tolerance = Tolerance {
    absolute: 1e-6,
    relative: 1e-5,
    ..Tolerance::EXACT
};
/// Timesteps between whole ones are f32 in the reference.
const TIMESTEP: Tolerance = Tolerance {
    relative: 1e-7,
    ..Tolerance::EXACT
};
/// Samples inherit the error of the tables at every step.
const SAMPLE: Tolerance = Tolerance {
    of_largest: 1e-5,
    ..Tolerance::EXACT
};

#[test]
fn tables_and_trajectories_equal_the_reference() {
    let cases = cases(PREFIX);
    let mut trajectories = 0;
    for case in &cases {
        let schedule = NoiseSchedule::new(config(&case.json["config"])).unwrap();
        let mut outputs = tables(case, &schedule);
        for run in case.json["runs"].as_array().unwrap() {
            outputs.extend(Run::read(case, run).outputs());
            trajectories += 1;
        }
        for name in case.with_prefix("out.") {
            let found = outputs
                .remove(name)
                .unwrap_or_else(|| panic!("{}: out.{name} is not computed here", case.name));
            let expected: Vec<f64> = case.data(&format!("out.{name}")).iter().collect();
            let what = format!("{} out.{name}", case.name);
            assert_values_close(&what, &found, &expected, tolerance(name));
        }
    }
    report(cases.len(), "noise schedules");
    report(trajectories, "trajectories");
}

/// The values of an output by its name, without `out.`.
type Outputs = BTreeMap<String, Vec<f64>>;

fn tolerance(name: &str) -> Tolerance {
    match name.rsplit('.').next() {
        Some("timesteps") => TIMESTEP,
        Some("betas" | "alphas_cumprod") => TABLE,
        Some("sigmas") => SIGMA,
        _ => SAMPLE,
    }
}

fn config(json: &Value) -> NoiseScheduleConfig {
    NoiseScheduleConfig::deserialize(json).unwrap()
}

/// What does not depend on a sampler.
fn tables(case: &Case, schedule: &NoiseSchedule) -> Outputs {
    let mut outputs = Outputs::from([
        ("betas".to_owned(), schedule.betas().to_vec()),
        (
            "alphas_cumprod".to_owned(),
            schedule.alphas_cumprod().to_vec(),
        ),
    ]);
    if case.has("in.add_noise.x0") {
        let sample: Tensor<B, 4> = case.tensor("in.add_noise.x0");
        let noise: Tensor<B, 4> = case.tensor("in.add_noise.noise");
        let timesteps = case.ints("in.add_noise.timesteps");
        let timesteps: Vec<usize> = timesteps.iter().map(|&t| t as usize).collect();
        let noisy = schedule.add_noise(sample.clone(), noise.clone(), &timesteps);
        let velocity = schedule.velocity(sample, noise, &timesteps);
        outputs.insert("add_noise".to_owned(), flat([noisy.unwrap()]));
        outputs.insert("velocity".to_owned(), flat([velocity.unwrap()]));
    }
    outputs
}

/// One sampler with one number of steps.
struct Run<'a> {
    case: &'a Case,
    json: &'a Value,
    tag: &'a str,
    schedule: NoiseSchedule,
    plan: DenoisingPlan,
}

impl<'a> Run<'a> {
    fn read(case: &'a Case, json: &'a Value) -> Self {
        let tag = json["tag"].as_str().unwrap();
        // What the reference made of the case's configuration, if it is there.
        let effective = json.get("effective_config").unwrap_or(&case.json["config"]);
        let schedule = NoiseSchedule::new(config(effective)).unwrap();
        let steps = case.shape(&format!("out.{tag}.timesteps"))[0];
        let scheduler = scheduler(case, json, tag, effective, schedule.config());
        Self {
            case,
            json,
            tag,
            plan: scheduler.plan(&schedule, steps).unwrap(),
            schedule,
        }
    }

    fn input(&self, name: &str) -> String {
        format!("in.{}.{name}", self.tag)
    }

    /// The function in place of the model, which the end of the tag names.
    fn model(&self, input: Tensor<B, 4>, timestep: f64) -> Tensor<B, 4> {
        if self.tag.ends_with(".0.1x") {
            input * 0.1
        } else if self.tag.ends_with(".tanh") {
            (input * 0.3).tanh() * (0.5 + 0.5 * timestep / 1000.0)
        } else {
            panic!("{}: no model for {}", self.case.name, self.tag)
        }
    }

    /// The sample before and after every step from `start` on, and what the model was shown.
    fn follow(&self, initial: Tensor<B, 4>, start: usize) -> [Vec<Tensor<B, 4>>; 2] {
        let mut state = DenoisingState::new(initial);
        let mut samples = vec![state.sample().clone()];
        let mut shown = Vec::new();
        for (i, step) in self.plan.steps.iter().enumerate().skip(start) {
            let input = state.model_input(step);
            let output = self.model(input.clone(), step.timestep);
            let noise = || {
                let noise: Tensor<B, 5> = self.case.tensor(&self.input("variance_noise"));
                noise.narrow(0, i, 1).squeeze_dim(0)
            };
            state = state.advance(step, output, noise).unwrap();
            samples.push(state.sample().clone());
            shown.push(input);
        }
        [samples, shown]
    }

    /// Everything that a case may know of a run.
    fn outputs(&self) -> Outputs {
        let scale = self.json["init_noise_sigma"].as_f64().unwrap();
        let what = format!("{} {} init_noise_sigma", self.case.name, self.tag);
        assert_values_close(&what, &[self.plan.initial_noise_scale], &[scale], SIGMA);

        let noise: Tensor<B, 4> = self.case.tensor(&self.input("x_init"));
        let [samples, shown] = self.follow(self.plan.initial_sample(noise.clone()), 0);
        let timesteps = self.plan.steps.iter().map(|step| step.timestep);
        let mut outputs = vec![
            ("timesteps", timesteps.collect()),
            ("sigmas", self.sigmas()),
            ("traj", flat(samples)),
            ("scaled_input", flat(shown)),
        ];
        if let Some(start) = self.json["start"].as_u64() {
            outputs.push(("from_picture", self.started_at(start as usize, noise)));
        }
        let named = |(name, values)| (format!("{}.{name}", self.tag), values);
        outputs.into_iter().map(named).collect()
    }

    /// The sigma of every step, and the one at which the last step ends.
    fn sigmas(&self) -> Vec<f64> {
        let sigma = |step: &DenoisingStep| step.noise_scale / step.signal_scale;
        let end = if self.json["effective_config"]["final_sigmas_type"] == "sigma_min" {
            self.schedule.level(0).unwrap().sigma()
        } else {
            0.0
        };
        self.plan.steps.iter().map(sigma).chain([end]).collect()
    }

    /// The samples of a run that begins with a picture, at step `start`.
    fn started_at(&self, start: usize, noise: Tensor<B, 4>) -> Vec<f64> {
        let steps = self.plan.steps.len();
        let strength = (steps - start) as f64 / steps as f64;
        let first = self.plan.steps_from(strength).unwrap()[0];
        assert_eq!(first, self.plan.steps[start]);
        let picture = self.case.tensor(&self.input("picture"));
        let [samples, _] = self.follow(first.noised(picture, noise).unwrap(), start);
        flat(samples)
    }
}

/// The sampler of a run: its class, where the case names it, else by the name in its tag.
fn scheduler(
    case: &Case,
    run: &Value,
    tag: &str,
    effective: &Value,
    config: &NoiseScheduleConfig,
) -> Box<dyn Scheduler> {
    let convention = match case.json["versions"]["diffusers"].as_str() {
        Some("0.15.0") => Convention::Pinned,
        _ => Convention::Current,
    };
    let name = tag.split(['.', '_']).next().unwrap();
    let karras = effective["use_karras_sigmas"] == true;
    let kind = match run["class"].as_str().unwrap_or(name) {
        "DDPMScheduler" | "ddpm" => SchedulerKind::Ddpm,
        "DDIMScheduler" | "ddim" => SchedulerKind::Ddim,
        "EulerDiscreteScheduler" | "euler" => SchedulerKind::Euler,
        "EulerAncestralDiscreteScheduler" => SchedulerKind::EulerAncestral,
        "DPMSolverMultistepScheduler" | "dpmpp2m" if karras => SchedulerKind::DpmSolverKarras,
        "DPMSolverMultistepScheduler" | "dpmpp2m" => SchedulerKind::DpmSolver,
        "LCMScheduler" => SchedulerKind::Lcm,
        other => panic!("{}: unknown sampler {other}", case.name),
    };
    // What is no key of the noise schedule's configuration.
    let leading = TimestepSpacing::Leading.with_offset(config.steps_offset);
    let spacing = config
        .timestep_spacing
        .map(|s| s.with_offset(config.steps_offset));
    let eta = if tag.starts_with("ddim_eta1") {
        Some(1.0)
    } else {
        run["eta"].as_f64()
    };
    match (kind, eta) {
        (SchedulerKind::Ddim, Some(eta)) => Box::new(Ddim {
            timesteps: spacing.unwrap_or(leading),
            eta,
        }),
        _ => kind.scheduler(config, convention),
    }
}

fn flat(tensors: impl IntoIterator<Item = Tensor<B, 4>>) -> Vec<f64> {
    let data: Vec<TensorData> = tensors.into_iter().map(Tensor::into_data).collect();
    data.iter().flat_map(TensorData::iter::<f64>).collect()
}
